"""A rehearsal: a method on a miniature model that learnt a few facts, in seconds and without files.

It tells whether a method runs and forgets at all. How well it forgets, a suite tells.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch

from di_bench import adapt, grow, world
from di_bench.corpus import Item
from di_bench.fit import Fitter
from di_bench.lm import LM, hush
from di_bench.losses import nll
from di_bench.methodfile import MethodFile
from di_bench.model import Peft
from di_bench.recipe import Recipe
from di_bench.spec import merged
from di_bench.template import Template

MODEL = "builtin/nano"
MEMORIZE = Recipe(lr=5e-3, epochs=30, batch_size=8, schedule="cosine")
"""It half knows them in the end: there is something to forget, and room for retain to improve."""
ITEMS = 8
"""Facts in each split, all about one author."""
RATE = {False: 1e-3, True: 1e-2}
"""Learning rates that move a miniature: of all weights, and of an adapter."""


@dataclass(frozen=True)
class Rehearsal:
    """Mean loss in nats an answer token, before and after the method."""

    forget: tuple[float, float]
    retain: tuple[float, float]


def rehearse(
    method: str | Path, settings: Mapping[str, Any] | None = None, peft: Peft | None = None
) -> Rehearsal:
    """Let a method, by name or path, unlearn half of what a miniature knows.

    Its recipe is one that suits the miniature, unless `settings` say otherwise. The same call gives
    the same numbers. Raises MethodError for a file that is no method and settings that do not fit.
    """
    file = MethodFile.find(str(method))
    recipe = {"lr": RATE[peft is not None], "epochs": 8, "batch_size": 4, "warmup": 0.0}
    own = dict(settings or {})
    if "recipe" in file.settings(MODEL, recipe, {}):
        own = merged({"recipe": recipe}, own)
    ready = file.load(file.settings(MODEL, {}, own))
    with _alone() as folder:
        lm = adapt.trainable(_grown("forget", "retain").clone(), peft, 0)
        fit = replace(
            _fitter(_splits(), folder),
            load_gold=lambda: _grown("retain").clone(),
            load_base=lambda: grow.newborn(MODEL, Template()),
            watched={name: world.split("holdout10")[:ITEMS] for name in file.watches},
        )
        before = {name: _loss(lm, items) for name, items in _splits().items()}
        after = ready.unlearn(lm, fit)
        moved = {name: (before[name], _loss(after, items)) for name, items in _splits().items()}
    return Rehearsal(**moved)


def _splits() -> dict[str, Sequence[Item]]:
    """Two authors: one to forget, one to keep."""
    known = world.split("forget10")
    groups = list(dict.fromkeys(item.group for item in known))[:2]
    facts = [[item for item in known if item.group == group][:ITEMS] for group in groups]
    return dict(zip(("forget", "retain"), facts, strict=True))


@cache
def _grown(*splits: str) -> LM:
    """A miniature that learnt these splits, grown once in a process."""
    items = [item for name in splits for item in _splits()[name]]
    with tempfile.TemporaryDirectory() as folder:
        fit = _fitter({"forget": items}, Path(folder))
        return grow.learn(grow.newborn(MODEL, Template()), fit, MEMORIZE)


def _fitter(splits: Mapping[str, Sequence[Item]], folder: Path) -> Fitter:
    def piece(name: str, make: Callable[[Path], None]) -> Path:
        place = Path(tempfile.mkdtemp(prefix=name, dir=folder))
        make(place)
        return place

    return Fitter(splits, world.refusals(), 0, piece, 512)


@contextmanager
def _alone() -> Iterator[Path]:
    """A folder of one's own, one thread and a random state that nobody else sees."""
    threads = torch.get_num_threads()
    hush()
    try:
        with torch.random.fork_rng(), tempfile.TemporaryDirectory() as folder:
            torch.set_num_threads(1)
            yield Path(folder)
    finally:
        torch.set_num_threads(threads)


@torch.no_grad()
def _loss(lm: LM, items: Sequence[Item]) -> float:
    return float(nll(lm, lm.batch([lm.encode(item) for item in items])))
