"""Records in, leaderboard out. The same records give the same board, byte for byte.

Records are only averaged with their like: the same corpus, formulas, model, method and settings.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any, Literal

from di_bench.axes import titled
from di_bench.corpus import digest
from di_bench.errors import plain
from di_bench.record import Record
from di_bench.suite import Suite

if TYPE_CHECKING:
    import pandas as pd

ARROW: Mapping[str, str] = {"lower": "↓", "higher": "↑", "gold": "≈"}
COST: Mapping[str, tuple[str, float]] = {
    "seconds": ("unlearning s", 1),
    "tokens": ("trained tokens k", 1e-3),
    "peak_bytes": ("peak MB", 1e-6),
}
NOTE = (
    "Mean ± standard deviation over seeds; the number of seeds in brackets where some are missing. "
    "↓ lower is better, ↑ higher, ≈ nearer to the retrain row. Rows stand in the suite's order: no "
    "single score ranks them."
)


@dataclass(frozen=True)
class Cell:
    """One column of one row: the values of its seeds."""

    values: tuple[float, ...]
    seeds: int
    gap: str = ""
    left_out: int = 0
    """The most rows of a run that had no value of their own."""

    @property
    def mean(self) -> float | None:
        """Over the seeds that have a value."""
        return fmean(self.values) if self.values else None

    @property
    def sd(self) -> float | None:
        """The sample standard deviation; none of a single value."""
        return stdev(self.values) if len(self.values) > 1 else None

    def __str__(self) -> str:
        """`0.123 ± 0.004 (2)`, or a dash."""
        if self.mean is None:
            return "-"
        spread = f" ± {_number(self.sd)}" if self.sd is not None else ""
        return f"{_number(self.mean)}{spread}" + (f" ({len(self.values)})" if self._short else "")

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


@dataclass(frozen=True)
class Board:
    """A titled table over one corpus and one set of formulas."""

    title: str
    columns: tuple[str, ...]
    better: Mapping[str, Literal["lower", "higher", "gold"]]
    formulas: Mapping[str, str]
    lines: tuple[Line, ...]
    groups: Mapping[str, str] = field(default_factory=dict)
    """What each column tells of."""
    front: tuple[str, ...] = ()
    """The columns of the suite's front: rows have their cells whether they are shown or not."""
    composites: tuple[str, ...] = ()
    """What is said below of each composite among the columns."""

    def header(self) -> list[str]:
        """What stands over each column."""
        shown = [f"{c.replace('_', ' ')} {ARROW[self.better[c]]}" for c in self.columns]
        tuned = ["trials"] if self.tuned else []
        return ["model", "method", *shown, *(name for name, _ in COST.values()), *tuned]

    @property
    def tuned(self) -> bool:
        """Whether the settings of some row came from trials: a column says of how many."""
        return any(line.trials for line in self.lines)

    def settings(self) -> list[str]:
        """What each row of a tuned board was given, but for what all of them were."""
        given = {
            (line.model, line.method): _flat(line.settings)
            for line in self.lines
            if self.tuned and line.settings
        }
        values: dict[str, list[str]] = {}
        for settings in given.values():
            for name, value in settings.items():
                values.setdefault(name, []).append(value)
        shared = {name for name, found in values.items() if len(found) > 1 == len(set(found))}
        return [
            plain(f"{method} on {model.replace('--', '/')}: ")
            + plain(
                ", ".join(f"{k} {v}" for k, v in settings.items() if k not in shared) or "as it is"
            )
            for (model, method), settings in given.items()
        ]

    def rows(self) -> list[list[str]]:
        """The table as text."""
        return [
            [
                plain(line.model.replace("--", "/")),
                plain(line.method),
                *(str(line.cells[column]) for column in self.columns),
                *(str(line.cost[name]) for name in COST),
                *([str(line.trials or "-")] if self.tuned else []),
            ]
            for line in self.lines
        ]

    def footnotes(self) -> list[str]:
        """Gaps and failures, each said once."""
        notes: dict[str, None] = {}
        for line in self.lines:
            for said in line.failed:
                notes.setdefault(f"{line.method} on {line.model.replace('--', '/')}: {said}")
            for column in self.columns:
                if (cell := line.cells[column]).gap:
                    notes.setdefault(f"{line.method}, {column.replace('_', ' ')}: {cell.gap}")
        for column in self.columns:
            if most := max(line.cells[column].left_out for line in self.lines):
                said = "answers of a run have no value (empty, or too short) and are left out"
                notes.setdefault(f"{column.replace('_', ' ')}: up to {most} {said}")
        return [plain(note) for note in notes]


def boards(records: Iterable[Record], suite: Suite) -> list[Board]:
    """A board for each corpus and set of formulas among the records, usually one.

    Those of a suite with an axis come one for each of its parts, in the suite's order.
    """
    places = {part: place for place, part in enumerate(suite.parts)}

    def like(record: Record) -> tuple[int, str, str]:
        formulas = {c: record.formulas.get(c) for c in suite.shown}
        place = places.get(record.axis, len(places))
        return place, record.axis, digest(record.corpus, formulas, record.peft)

    ordered = sorted(records, key=like)
    return [_board(list(alike), suite) for _, alike in groupby(ordered, key=like)]


def _board(records: list[Record], suite: Suite) -> Board:
    models, methods = _order(records, suite)

    def row(record: Record) -> tuple[int, int, str]:
        return (
            models.index(record.model["name"]),
            methods.index(record.row),
            json.dumps([record.model, record.settings, record.setup], sort_keys=True),
        )

    ordered = sorted(records, key=lambda r: (row(r), r.seed))
    lines = [_line(list(alike), suite) for _, alike in groupby(ordered, key=row)]
    shown = ", ".join(dict.fromkeys(line.model.replace("--", "/") for line in lines))
    profile = "" if suite.profile == "default" else f" (profile {suite.profile})"
    first = records[0]
    part = f", {titled(first.axis, suite.parts)}" if first.axis else ""
    return Board(
        f"{first.title}, {first.corpus['name']}{profile}{part}: {shown}",
        suite.shown,
        {column: suite.better(column) for column in _read(suite)},
        {column: first.formulas.get(column, "") for column in suite.shown},
        tuple(lines),
        {column: suite.group(column) for column in suite.shown},
        suite.front,
        tuple(suite.composites.values()),
    )


def _read(suite: Suite) -> tuple[str, ...]:
    """The columns it shows, and those of its front."""
    return tuple(dict.fromkeys((*suite.shown, *suite.front)))


def _order(records: Iterable[Record], suite: Suite) -> tuple[list[str], list[str]]:
    """Models and methods in the suite's order, strangers after them by name."""
    models = [spec.id.replace("/", "--") for spec in suite.models]
    methods = list(suite.methods)
    for record in sorted(records, key=lambda r: (r.model["name"], r.row)):
        models += [] if record.model["name"] in models else [record.model["name"]]
        methods += [] if record.row in methods else [record.row]
    first = [name for name in ("none", "retrain") if name in methods]
    return models, first + [name for name in methods if name not in first]


def _line(records: Sequence[Record], suite: Suite) -> Line:
    def cell(get: Callable[[Record], float | None], column: str = "") -> Cell:
        values = tuple(value for record in records if (value := get(record)) is not None)
        gap = "" if values else next((r.gaps[column] for r in records if column in r.gaps), "")
        left_out = max(int(r.parts.get(column, {}).get("left_out", 0)) for r in records)
        return Cell(values, max(len(records), len(suite.seeds)), gap, left_out)

    return Line(
        records[0].model["name"],
        records[0].row,
        {c: cell(lambda r, c=c: r.scores.get(c), c) for c in _read(suite)},  # type: ignore[misc]  # a bound loop variable
        {c: cell(lambda r, c=c: _cost(r, c)) for c in COST},  # type: ignore[misc]  # a bound loop variable
        tuple(record.seed for record in records),
        tuple(f"seed {r.seed} {r.status}: {' '.join(r.error.split())}" for r in records if r.error),
        max(record.trials for record in records),
        records[0].settings,
        next((record.weights for record in records if record.weights), None),
        tuple(records),
    )


def _flat(settings: Mapping[str, Any]) -> dict[str, str]:
    """Settings by place, `recipe.lr`; numbers as short as they are."""
    flat: dict[str, str] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}.{k}": v for k, v in _flat(value).items()}
        else:
            flat[name] = f"{value:g}" if isinstance(value, float) else str(value)
    return flat


def _cost(record: Record, name: str) -> float | None:
    value = record.cost.get(name)
    return None if value is None else value * COST[name][1]


def numbers(records: Iterable[Record], suite: Suite) -> list[dict[str, str | float | None]]:
    """One row per model, method and metric: mean, standard deviation, seeds, group, direction.

    And the trials of each row, on boards where some row has any.
    """
    made = boards(records, suite)
    tuned = any(board.tuned for board in made)
    return [
        {
            "board": board.title,
            "model": line.model.replace("--", "/"),
            "parameters": line.parameters,
            "method": line.method,
            "metric": column,
            "group": board.groups[column],
            "formula": board.formulas[column],
            "better": board.better[column],
            "mean": line.cells[column].mean,
            "sd": line.cells[column].sd,
            "seeds": len(line.cells[column].values),
            **({"trials": line.trials} if tuned else {}),
        }
        for board in made
        for line in board.lines
        for column in board.columns
    ]


def frame(records: Iterable[Record], suite: Suite) -> "pd.DataFrame":
    """The numbers as a pandas frame."""
    import pandas as pd

    return pd.DataFrame(numbers(records, suite))
