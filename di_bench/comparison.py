"""Two rows of results beside each other, column by column: how far apart, how sure, which better.

A name stands for one run (`.../di-0`) or for a row, all seeds of it (`.../di`). A column compares
only where formula, corpus, model and setup are the same; where not, it says what is not.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Literal

from di_bench import stats
from di_bench.errors import StoreError, nearest
from di_bench.method import RETRAIN
from di_bench.record import Record, unlike
from di_bench.recordfile import read_record, record_path
from di_bench.side import Kept, Row

Better = Literal["A", "B", ""]
SURE = 0.05
"""Above this p, after Holm's correction, neither is called better."""


@dataclass(frozen=True)
class Side:
    """One run, or all seeds of a row: what a name of the command line stands for."""

    name: str
    paths: tuple[Path, ...]
    records: tuple[Record, ...]
    """In order of seeds."""

    @property
    def seeds(self) -> tuple[int, ...]:
        """Of its records."""
        return tuple(record.seed for record in self.records)

    def scores(self, column: str) -> dict[int, float]:
        """The scores of the seeds that have one."""
        found = ((record.seed, record.scores.get(column)) for record in self.records)
        return {seed: value for seed, value in found if value is not None}

    @cached_property
    def row(self) -> Row:
        """With the items behind its scores. Raises StoreError if they are lost."""
        pairs = zip(self.records, self.paths, strict=True)
        return Row(tuple(Kept.beside(record, path) for record, path in pairs))


@dataclass(frozen=True)
class Contrast:
    """One column of the two."""

    column: str
    formula: str
    direction: str
    a: float | None
    b: float | None
    """Means over the seeds that have a value."""
    apart: stats.Difference | None = None
    """A less B; none where they do not compare, or nothing tells how sure it is."""
    p: float = math.nan
    """Adjusted for the columns compared (Holm)."""
    better: Better = ""
    why: str = ""
    """What keeps it from being compared, or from being called better."""
    compares: bool = True
    """Whether the two values mean the same."""


def find(results: Path, name: str) -> Side:
    """The run or the row of a name, or the run of a record's path. Raises StoreError for none."""
    path = record_path(results, name)
    paths = [path]
    if not path.is_file() and Path(name).suffix != ".json":
        paths = _row(results / name)
    if not paths:
        around = {_seedless(file.stem) for file in (results / name).parent.glob("*.json")}
        hint = f"; {nearest(Path(name).name, around)}" if around else ""
        raise StoreError(f"{results / name}: no run and no row of runs{hint}")
    records = sorted(((read_record(file), file) for file in paths), key=lambda pair: pair[0].seed)
    return Side(name, tuple(file for _, file in records), tuple(record for record, _ in records))


def _row(place: Path) -> list[Path]:
    """The records of every seed of a row."""
    found = place.parent.glob("*.json")
    return [file for file in found if _seedless(file.stem) == place.name]


def _seedless(stem: str) -> str:
    return re.sub(r"-\d+$", "", stem)


def compare(a: Side, b: Side, columns: Sequence[str] = ()) -> list[Contrast]:
    """Every column of the two, or these, in A's order. Raises StoreError for one neither has."""
    shared = ", ".join(unlike((*a.records, *b.records)))
    known = list(dict.fromkeys(c for r in (*a.records, *b.records) for c in (*r.scores, *r.gaps)))
    if unknown := [column for column in columns if column not in known]:
        raise StoreError(f"no column {unknown[0]!r}; {nearest(unknown[0], known)}")
    found = [_contrast(a, b, column, shared) for column in columns or known]
    adjusted = stats.holm([one.apart.p if one.apart else math.nan for one in found])
    golds = _golds(a, b)
    return [
        _judged(replace(one, p=p), golds.get(one.column))
        for one, p in zip(found, adjusted, strict=True)
    ]


def _contrast(a: Side, b: Side, column: str, shared: str) -> Contrast:
    records = (*a.records, *b.records)
    formulas = list(dict.fromkeys(r.formulas[column] for r in records if column in r.formulas))
    directions: list[str] = [r.better[column] for r in records if column in r.better]
    one = Contrast(
        column, " / ".join(formulas), (directions or [""])[0], _mean(a, column), _mean(b, column)
    )
    why = shared
    if len(formulas) > 1:
        why = f"another formula ({' and '.join(formulas)})"
    if not why and (lost := _lost(a, b, column)):
        why = lost
    if why:
        return replace(one, why=why, compares=False)
    mine, theirs = a.row.sample(column), b.row.sample(column)
    apart = stats.difference(mine, theirs)
    if apart is None:
        lone = min(len(mine.seeds), len(theirs.seeds)) == 1
        why = "one seed and no items: nothing tells how sure it is"
        return replace(one, why=why if lone else "numbers too large to be told apart")
    if mine.seeds != theirs.seeds and apart.how in ("paired", "paired seeds"):
        both = ", ".join(str(seed) for seed in mine.seeds if seed in theirs.seeds)
        return replace(one, apart=apart, why=f"A - B of the seeds both have: {both}")
    return replace(one, apart=apart)


def _mean(side: Side, column: str) -> float | None:
    found = side.scores(column).values()
    return fmean(found) if found else None


def _lost(a: Side, b: Side, column: str) -> str:
    """Which of the two has no value, and why."""
    for name, side in (("A", a), ("B", b)):
        if not side.scores(column):
            gaps = [r.gaps.get(column) or r.error or "" for r in side.records]
            said = next(filter(None, gaps), "")
            return f"no value in {name}" + (f": {said}" if said else "")
    return ""


def _golds(a: Side, b: Side) -> dict[str, float]:
    """The mean of every column over the gold runs that lie beside A and are of its kind."""
    first = a.records[0]
    axis = f"+{first.axis}" if first.axis else ""
    found = [read_record(path) for path in _row(a.paths[0].parent / f"{RETRAIN}{axis}")]
    mine = {*a.seeds, *b.seeds}
    alike = [
        r
        for r in found
        if r.seed in mine
        and (r.corpus, r.setup, r.model) == (first.corpus, first.setup, first.model)
    ]
    columns = {column for r in alike for column in r.scores}
    values = {c: [v for r in alike if (v := r.scores.get(c)) is not None] for c in columns}
    return {column: fmean(of) for column, of in values.items() if of}


def _judged(one: Contrast, gold: float | None) -> Contrast:
    """Which of the two is better, where the difference is sure and has a direction."""
    if one.apart is None or not one.p < SURE or one.a is None or one.b is None:
        return one
    if one.direction in ("lower", "higher"):
        first = (one.apart.mean < 0) == (one.direction == "lower")
        return replace(one, better="A" if first else "B")
    if gold is None:
        return _said(one, "no retrain run beside them to be near to")
    far_a, far_b = one.a - gold, one.b - gold
    if far_a * far_b < 0:
        return _said(one, f"the gold's {gold:.4g} lies between them")
    return replace(one, better="A" if abs(far_a) < abs(far_b) else "B")


def _said(one: Contrast, why: str) -> Contrast:
    return replace(one, why="; ".join(filter(None, (one.why, why))))
