"""Records in, leaderboard out. The same records give the same board, byte for byte.

Records are only averaged with their like: the same corpus, formulas, model, method and settings.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal

from di_bench import escape, label
from di_bench.axes import titled
from di_bench.corpus import digest
from di_bench.doubts import doubts
from di_bench.line import COST, Cell, Line, lined
from di_bench.overlay import leaves
from di_bench.record import Record
from di_bench.suite import Suite
from di_bench.tally import Tallies

if TYPE_CHECKING:
    import pandas as pd

ARROW: Mapping[str, str] = {"lower": "↓", "higher": "↑", "gold": "≈"}


def note(best: str, tied: str) -> str:
    """What stands below a board, given how it marks the best and what may be as good."""
    return (
        "Mean ± half of its 95 % interval, over seeds and items; the number of seeds in brackets "
        "where some are missing. ↓ lower is better, ↑ higher, ≈ nearer to the retrain row. "
        f"{best} the best mean of a model's methods, {tied} not told apart from it (5 %, Holm over "
        "the methods). Rows stand in the suite's order: no single score ranks them."
    )


NOTE = note("*", "=")


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
        shown = [self.heading(column) for column in self.columns]
        tuned = ["trials"] if self.tuned else []
        return ["model", "method", *shown, *(name for name, _ in COST.values()), *tuned]

    def heading(self, column: str) -> str:
        """A column with its direction."""
        return f"{label.column(column)} {ARROW[self.better[column]]}"

    @property
    def tuned(self) -> bool:
        """Whether the settings of some row came from trials: a column says of how many."""
        return any(line.trials for line in self.lines)

    def settings(self) -> list[str]:
        """What each row of a tuned board was given, but for what all of them were."""
        if not self.tuned:
            return []
        given = {
            (line.model, line.method): _flat(line.settings) for line in self.lines if line.settings
        }
        values: dict[str, list[str]] = {}
        for settings in given.values():
            for name, value in settings.items():
                values.setdefault(name, []).append(value)
        shared = {name for name, found in values.items() if len(found) > 1 == len(set(found))}
        return [
            escape.line(f"{method} on {label.model(model)}")
            + ": "
            + escape.line(
                ", ".join(f"{k} {v}" for k, v in settings.items() if k not in shared) or "as it is"
            )
            for (model, method), settings in given.items()
        ]

    def rows(self, show: Callable[[Cell], str] = str) -> list[list[str]]:
        """The table as text, its cells as `show` writes them."""
        tuned = self.tuned
        return [
            [
                escape.line(label.model(line.model)),
                escape.line(line.method),
                *(show(line.cells[column]) for column in self.columns),
                *(show(line.cost[name]) for name in COST),
                *([str(line.trials or "-")] if tuned else []),
            ]
            for line in self.lines
        ]

    def ranks(self) -> list[list[str]]:
        """For each method of each model its rank in every column, or those it may have."""
        return [
            [
                escape.line(label.model(line.model)),
                escape.line(line.method),
                *(str(line.cells[column].place or "-") for column in self.columns),
            ]
            for line in self.lines
            if any(cell.place for cell in line.cells.values())
        ]

    def notes(self) -> list[str]:
        """What stands below: composites, gaps, failures, and where there is too little to tell."""
        return [*self.composites, *self.footnotes(), *doubts(self.lines, self.columns)]

    def footnotes(self) -> list[str]:
        """Gaps and failures, each said once."""
        notes: dict[str, None] = {}
        for line in self.lines:
            for why in line.failed:
                notes.setdefault(f"{line.method} on {label.model(line.model)}: {why}")
            for column in self.columns:
                if (cell := line.cells[column]).gap:
                    notes.setdefault(f"{line.method}, {label.column(column)}: {cell.gap}")
        for column in self.columns:
            if most := max(line.cells[column].left_out for line in self.lines):
                left = "answers of a run have no value (empty, or too short) and are left out"
                notes.setdefault(f"{label.column(column)}: up to {most} {left}")
        return [escape.line(note) for note in notes]


def boards(records: Iterable[Record], suite: Suite, tallies: Tallies | None = None) -> list[Board]:
    """A board for each corpus and set of formulas among the records, usually one.

    Those of a suite with an axis come one for each of its parts, in the suite's order. Without the
    `tallies` of their items, intervals and ties are of seeds alone.
    """
    places = {part: place for place, part in enumerate(suite.parts)}

    def like(record: Record) -> tuple[int, str, str]:
        formulas = {c: record.formulas.get(c) for c in suite.shown}
        place = places.get(record.axis, len(places))
        return place, record.axis, digest(record.corpus, formulas, record.peft)

    kept = list(records)
    keys = {id(record): like(record) for record in kept}
    ordered = sorted(kept, key=lambda record: keys[id(record)])
    return [
        _board(list(alike), suite, tallies or {})
        for _, alike in groupby(ordered, key=lambda record: keys[id(record)])
    ]


def _board(records: list[Record], suite: Suite, tallies: Tallies) -> Board:
    models, methods = _order(records, suite)

    def row(record: Record) -> tuple[int, int, str]:
        return (
            models.index(record.model["name"]),
            methods.index(record.row),
            json.dumps([record.model, record.settings, record.setup], sort_keys=True),
        )

    keys = {id(record): row(record) for record in records}
    ordered = sorted(records, key=lambda r: (keys[id(r)], r.seed))
    rows = [list(alike) for _, alike in groupby(ordered, key=lambda r: keys[id(r)])]
    better = {column: suite.better(column) for column in _read(suite)}
    lines = lined(rows, better, len(suite.seeds), tallies)
    shown = ", ".join(dict.fromkeys(label.model(line.model) for line in lines))
    profile = "" if suite.profile == "default" else f" (profile {suite.profile})"
    first = records[0]
    part = f", {titled(first.axis, suite.parts)}" if first.axis else ""
    return Board(
        escape.line(f"{first.title}, {first.corpus['name']}{profile}{part}: {shown}"),
        suite.shown,
        better,
        {column: escape.line(first.formulas.get(column, "")) for column in suite.shown},
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


def _flat(settings: Mapping[str, Any]) -> dict[str, str]:
    """Settings by place, `recipe.lr`; numbers as short as they are."""
    return {
        ".".join(place): f"{value:g}" if isinstance(value, float) else str(value)
        for place, value in leaves(settings)
    }


def numbers(
    records: Iterable[Record], suite: Suite, tallies: Tallies | None = None
) -> list[dict[str, str | float | None]]:
    """One row per model, method and metric, as `board.schema.json` describes it.

    With the trials of each row, on boards where some row has any.
    """
    made = boards(records, suite, tallies)
    tuned = any(board.tuned for board in made)
    return [
        {
            "board": board.title,
            "model": escape.line(label.model(line.model)),
            "parameters": line.parameters,
            "method": escape.line(line.method),
            "metric": column,
            "group": board.groups[column],
            "formula": board.formulas[column],
            "better": board.better[column],
            **line.cells[column].numbers(),
            **({"trials": line.trials} if tuned else {}),
        }
        for board in made
        for line in board.lines
        for column in board.columns
    ]


def frame(
    records: Iterable[Record], suite: Suite, tallies: Tallies | None = None
) -> "pd.DataFrame":
    """The numbers as a pandas frame."""
    import pandas as pd

    return pd.DataFrame(numbers(records, suite, tallies))
