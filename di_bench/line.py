"""One row of a board: its cells, what it cost, what went wrong."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, stdev
from typing import Any

from di_bench.method import NONE, RETRAIN
from di_bench.record import Record
from di_bench.standing import Place, estimates, places
from di_bench.stats import Estimate, Made, Sample, joined
from di_bench.tally import Tallies, Tally

COST: Mapping[str, tuple[str, float]] = {
    "seconds": ("unlearning s", 1),
    "tokens": ("trained tokens k", 1e-3),
    "peak_bytes": ("peak MB", 1e-6),
}
REFERENCES = (NONE, RETRAIN)
"""Rows that stand beside the methods and do not compete."""
Row = Sequence[Record]
"""The records of one row of a board, by seed."""


@dataclass(frozen=True)
class Cell:
    """One column of one row: the values of its seeds, and how sure their mean is."""

    values: tuple[float, ...]
    seeds: int
    gap: str = ""
    left_out: int = 0
    """The most rows of a run that had no value of their own."""
    estimate: Estimate | None = None
    """The interval of the mean; none where neither seeds nor items say one."""
    units: int = 0
    """How many units of items (authors, documents) the interval speaks of; 0 for seeds alone."""
    place: Place | None = None
    """Where the row stands among the methods of its model; none for what does not compete."""

    @property
    def mean(self) -> float | None:
        """Over the seeds that have a value."""
        return fmean(self.values) if self.values else None

    @property
    def sd(self) -> float | None:
        """The sample standard deviation of the seeds; none of a single value."""
        return stdev(self.values) if len(self.values) > 1 else None

    @property
    def how(self) -> Made | None:
        """What the interval was made from."""
        return self.estimate.how if self.estimate else None

    @property
    def half(self) -> float | None:
        """Half the width of the interval."""
        return (self.estimate.high - self.estimate.low) / 2 if self.estimate else None

    @property
    def mark(self) -> str:
        """`*` for the best of its model's methods, `=` for what is not told apart from it."""
        if self.place is None:
            return ""
        return "*" if self.place.best else "=" if self.place.tied else ""

    def numbers(self) -> dict[str, str | float | None]:
        """All of it, as tables for programs have it."""
        made, place = self.estimate, self.place
        return {
            "mean": self.mean,
            "sd": self.sd,
            "low": made.low if made else None,
            "high": made.high if made else None,
            "how": self.how,
            "seeds": len(self.values),
            "standing": {"*": "best", "=": "tied"}.get(self.mark),
            "rank_low": place.low if place else None,
            "rank_high": place.high if place else None,
        }

    @property
    def text(self) -> str:
        """`0.123 ± 0.004 (2)`, or a dash."""
        if self.mean is None:
            return "-"
        spread = f" ± {_number(self.half)}" if self.half is not None else ""
        return f"{_number(self.mean)}{spread}" + (f" ({len(self.values)})" if self._short else "")

    def __str__(self) -> str:
        """The text with its mark: `0.123 ± 0.004 =`."""
        return f"{self.text} {self.mark}".rstrip()

    @property
    def _short(self) -> bool:
        return len(self.values) < self.seeds


def _number(value: float) -> str:
    return (
        f"{value:z.3f}"
        if abs(value) < 100
        else f"{value:.0f}"
        if abs(value) < 1e6
        else f"{value:.1e}"
    )


@dataclass(frozen=True)
class Line:
    """One row of a board."""

    model: str
    method: str
    cells: Mapping[str, Cell]
    cost: Mapping[str, Cell]
    seeds: tuple[int, ...]
    failed: tuple[str, ...]
    """What went wrong, for each seed where something did."""
    trials: int = 0
    """How many trials its settings came from; 0 where they were not searched."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    parameters: int | None = None
    """How many weights its model has."""
    records: tuple[Record, ...] = ()
    """What it was made of, one of each seed."""


def lined(
    rows: Sequence[Row], better: Mapping[str, str], seeds: int, tallies: Tallies
) -> list[Line]:
    """A line for each row, in their order. `seeds` says how many a row should have.

    Methods compete with the others of their model; references stand beside them.
    """
    items = [{record.seed: tallies.get(record.name, {}) for record in row} for row in rows]
    models: dict[str, list[int]] = {}
    for at, row in enumerate(rows):
        models.setdefault(json.dumps(row[0].model, sort_keys=True), []).append(at)
    whole = _Rows(rows, items, list(models.values()), seeds)
    cells = {column: whole.column(column, way) for column, way in better.items()}
    cost = {name: _costs(rows, name, seeds) for name in COST}
    return [
        Line(
            row[0].model["name"],
            row[0].row,
            {column: made[at] for column, made in cells.items()},
            {name: made[at] for name, made in cost.items()},
            tuple(record.seed for record in row),
            tuple(f"seed {r.seed} {r.status}: {' '.join(r.error.split())}" for r in row if r.error),
            max(record.trials for record in row),
            row[0].settings,
            next((record.weights for record in row if record.weights), None),
            tuple(row),
        )
        for at, row in enumerate(rows)
    ]


@dataclass(frozen=True)
class _Rows:
    """The rows of a board, and what does not change from column to column."""

    rows: Sequence[Row]
    items: Sequence[Mapping[int, Tally]]
    """By row and seed."""
    models: Sequence[Sequence[int]]
    """Rows of one model."""
    seeds: int

    def column(self, column: str, better: str) -> list[Cell]:
        """A column, for each row."""
        scores = [
            {r.seed: score for r in row if (score := r.scores.get(column)) is not None}
            for row in self.rows
        ]
        samples = [
            joined(values, {seed: mine[column] for seed, mine in parts.items() if column in mine})
            for values, parts in zip(scores, self.items, strict=True)
        ]
        places = self._places(samples, better)
        made = zip(self.rows, scores, samples, estimates(samples), strict=True)
        return [
            Cell(
                tuple(values.values()),
                max(len(row), self.seeds),
                "" if values else next((r.gaps[column] for r in row if column in r.gaps), ""),
                max([0, *(int(p["left_out"]) for p in _parts(row, column) if "left_out" in p)]),
                estimate,
                len(sample.units),
                places.get(at),
            )
            for at, (row, values, sample, estimate) in enumerate(made)
        ]

    def _places(self, samples: Sequence[Sample], better: str) -> dict[int, Place]:
        """The places of the rows that compete: two or more methods on one model."""
        found: dict[int, Place] = {}
        for group in self.models:
            mine = {at: samples[at] for at in group}
            if better == "gold":
                gold = next((samples[at] for at in group if self.rows[at][0].row == RETRAIN), None)
                mine = {at: one.apart(gold) for at, one in mine.items()} if gold else {}
            methods = {at: self.rows[at][0].method for at in mine}
            rivals = [at for at, one in mine.items() if one.seeds and methods[at] not in REFERENCES]
            if len(rivals) > 1:
                stand = places([mine[at] for at in rivals], lower=better != "higher")
                found |= dict(zip(rivals, stand, strict=True))
        return found


def _parts(row: Row, column: str) -> list[dict[str, float]]:
    return [record.parts[column] for record in row if column in record.parts]


def _costs(rows: Sequence[Row], name: str, seeds: int) -> list[Cell]:
    """A cost, for each row, in the units of a board."""
    known = [
        {r.seed: value * COST[name][1] for r in row if (value := r.cost.get(name)) is not None}
        for row in rows
    ]
    made = estimates([joined(values, {}) for values in known])
    return [
        Cell(tuple(values.values()), max(len(row), seeds), estimate=one)
        for row, values, one in zip(rows, known, made, strict=True)
    ]
