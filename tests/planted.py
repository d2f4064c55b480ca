"""Made-up methods whose truth is known: seeds and items move scores by planted amounts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from zlib import crc32

import numpy as np
from typer.testing import CliRunner, Result

from di_bench.cli import app
from di_bench.metrics.metric import ItemScore
from di_bench.record import Record
from di_bench.run import Run
from di_bench.side import Kept
from di_bench.store import Store
from tests import toy

TRUTH: Mapping[str, Mapping[str, float]] = {
    "none": {"accuracy": 0.9, "kept": 0.9, "quality": 0.05, "ratio": 0.4, "likeness": 0.9},
    "retrain": {"accuracy": 0.4, "kept": 0.9, "quality": 0.8, "ratio": 0.7, "likeness": 0.9},
    "di": {"accuracy": 0.5, "kept": 0.85, "quality": 0.4, "ratio": 0.6, "likeness": 0.8},
    "npo": {"accuracy": 0.55, "kept": 0.8, "quality": 0.3, "ratio": 0.5, "likeness": 0.7},
}
"""Two columns are means of items (`accuracy`, `kept`), the others of nothing that is kept."""
OF_ITEMS = ("accuracy", "kept")
GROUPS, EACH = 10, 4
ALL = ("none", "retrain", "di", "npo")
BEFORE, AFTER = (0, 1, 2), (3, 4, 5)
"""Seeds of the reference, and others."""


@dataclass(frozen=True)
class Plan:
    """What is different about a method, and how much luck there is."""

    moves: Mapping[str, float] = field(default_factory=dict)
    draw: int = 0
    """Other luck with the same seeds: another implementation of the same method."""
    seed_sd: float = 0.02
    noise_sd: float = 0.1
    """Of an item with one seed."""
    jitter: float = 0.0
    """Rounding of another machine."""


def planted(
    method: str, seed: int, plan: Plan | None = None, world: int = 0
) -> tuple[Record, dict[str, list[ItemScore]]]:
    """A record and its per-item scores. A `world` has items of its own, the same for all."""
    plan = plan or Plan()
    scores: dict[str, float | None] = {}
    items: dict[str, list[ItemScore]] = {}
    for column, truth in TRUTH[method].items():
        name = crc32(f"{method} {column}".encode())
        luck = np.random.default_rng([world, name, seed, plan.draw])
        mean = truth + plan.moves.get(column, 0.0) + plan.seed_sd * luck.normal()
        mean += plan.jitter * luck.normal()
        if column in OF_ITEMS:
            hard = np.random.default_rng([world, crc32(column.encode())])
            group = np.repeat(hard.normal(0, 0.15, GROUPS), EACH)
            values = mean + group + hard.normal(0, 0.15, GROUPS * EACH)
            values += plan.noise_sd * luck.normal(size=GROUPS * EACH)
            items[column] = [
                ItemScore(f"forget/{n}", f"author/{n // EACH}", float(value))
                for n, value in enumerate(values)
            ]
            mean = float(values.mean())
        scores[column] = float(mean)
    return toy.record(method=method, seed=seed, grow_seed=seed, scores=scores), items


def kept(
    methods: Iterable[str], seeds: Iterable[int], plan: Plan | None = None, world: int = 0
) -> list[Kept]:
    """The same in memory, as the gate reads them."""
    found = []
    seeds = list(seeds)
    for method in methods:
        for seed in seeds:
            record, items = planted(method, seed, plan, world)
            scored = {c: [(s.item, s.group, s.value) for s in all_] for c, all_ in items.items()}
            found.append(Kept(record, scored))
    return found


@cache
def cells() -> dict[str, Run]:
    """The runs that such records are filed as, by `method-seed`."""
    with TemporaryDirectory() as folder:
        return toy.runs(toy.write(Path(folder), {"seeds": [*BEFORE, *AFTER]}))


class Desk:
    """Where sides are written and checked."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.cells = folder, cells()
        self.reference = self.side("reference", BEFORE)

    def side(
        self,
        name: str,
        seeds: tuple[int, ...],
        plans: Mapping[str, Plan] | None = None,
        methods: tuple[str, ...] = ALL,
    ) -> Path:
        """A results folder in which some methods are otherwise."""
        store = Store(self.folder / name, self.folder / "cache")
        for method in methods:
            for seed in seeds:
                record, items = planted(method, seed, (plans or {}).get(method))
                store.keep(self.cells[f"{method}-{seed}"], record, dict(items))
        return self.folder / name / "toy" / "default"

    def record(self, side: Path, name: str) -> Path:
        """One of its records."""
        (path,) = side.glob(f"*/{name}.json")
        return path

    def check(self, candidate: Path, *options: str | Path) -> Result:
        arguments = ("check", candidate, "--against", self.reference, *options)
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    def gate(self, text: str) -> Path:
        path = self.folder / "gate.yaml"
        path.write_text(text, encoding="utf-8")
        return path
