"""A board as one HTML file that needs no network: table, plots, curves, items and their texts.

The one thing to know: what a model wrote reaches the page as JSON alone, and the page's scripts
only ever make it the text of a node. It is never markup.
"""

import json
import math
import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from di_bench import label
from di_bench.board import NOTE, Board, boards
from di_bench.errors import plain
from di_bench.headline import headline
from di_bench.line import COST, Line
from di_bench.methodfile import PACKAGED
from di_bench.record import Record
from di_bench.run import OF_ALL, OF_METHODS
from di_bench.scaling import axis, known
from di_bench.suite import Suite
from di_bench.tally import Tallies

FOLDER = Path(__file__).parent / "page"
SCRIPTS = ("common.js", "table.js", "plots.js", "row.js", "start.js")

ItemScores = Iterable[tuple[str, str, str, float]]
"""(column, item, group, value), as `store.read_items` gives them."""
Items = Callable[[Record], ItemScores]
"""The item scores of a record, read when they are due: those of all records are large."""
Asked = tuple[str, str]
"""The prompt of an item and its true answer."""


@dataclass(frozen=True)
class Texts:
    """What was asked and answered in the runs of a report, as far as it is at hand."""

    asked: Mapping[str, Mapping[str, Mapping[str, Asked]]] = field(default_factory=dict)
    """Part of the suite's axis to probe to item."""
    answers: Mapping[str, Mapping[str, Mapping[str, str]]] = field(default_factory=dict)
    """`Record.name` to probe to item to what the model wrote."""


def report(
    records: Iterable[Record],
    suite: Suite,
    items: Items,
    texts: Texts,
    named: str = "",
    tallies: Tallies | None = None,
) -> str:
    """The page. `named` is the suite as the command line has it.

    The same records and texts give the same page, byte for byte.
    """
    maker = _Maker(suite, items, texts, named or suite.name)
    made = [maker.board(board) for board in boards(records, suite, tallies)]
    told = {"note": NOTE, "boards": made, "strings": list(maker.strings)}
    page = (FOLDER / "page.html").read_text(encoding="utf-8")
    scripts = "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in SCRIPTS)
    page = page.replace("/* style */", (FOLDER / "style.css").read_text(encoding="utf-8"), 1)
    return page.replace("/* scripts */", scripts, 1).replace("/* data */", _json(told), 1)


def _json(value: object) -> str:
    """JSON that ends no script element and starts no comment, whatever a model wrote."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@dataclass(frozen=True)
class _Maker:
    """What the boards of a page are made of."""

    suite: Suite
    items: Items
    texts: Texts
    named: str
    strings: dict[str, int] = field(default_factory=dict)
    """Every text to its number: many models write the same, and it is sent once."""

    def board(self, board: Board) -> dict[str, Any]:
        """A board as the page's scripts read it. Cells are shown as `Cell` writes them."""
        scores = [_scores(board.columns, line, self.items) for line in board.lines]
        ids = {
            c: sorted({item for own in scores for item in own.get(c, ())}) for c in board.columns
        }
        wanted = {item for column in ids.values() for item in column}
        wanted |= {item.partition("/")[2] for item in wanted}  # of a mean of several columns
        asked = {
            probe: {item: said for item, said in own.items() if item in wanted}
            for probe, own in self.texts.asked.get(board.lines[0].records[0].axis, {}).items()
        }
        rows = zip(board.lines, board.rows(), scores, strict=True)
        return {
            "title": plain(board.title),
            "notes": [*headline(board), *board.notes()],
            "head": [plain(said) for said in board.header()],
            "columns": [_column(board, column) for column in board.columns],
            **_axes(board),
            "items": {column: list(map(plain, own)) for column, own in ids.items()},
            "asked": {probe: self._asked(own) for probe, own in asked.items() if own},
            "rows": [
                _row(line, shown)
                | {"command": _command(line, self.suite, self.named)}
                | {"scores": {c: [own[c].get(i) for i in ids[c]] for c in own}}
                | {"answers": self._answers(line, asked)}
                for line, shown, own in rows
            ],
        }

    def _asked(self, asked: Mapping[str, Asked]) -> dict[str, list[Any]]:
        return {
            "items": list(map(plain, asked)),
            "prompts": [self._place(prompt) for prompt, _ in asked.values()],
            "truths": [self._place(truth) for _, truth in asked.values()],
        }

    def _answers(
        self, line: Line, asked: Mapping[str, Mapping[str, Asked]]
    ) -> dict[str, list[int | None]]:
        """Probe to the answers to what it asked, of the first seed that has any."""
        of = (self.texts.answers[r.name] for r in line.records if r.name in self.texts.answers)
        return {
            probe: [self._place(own[item]) if item in own else None for item in asked[probe]]
            for probe, own in next(of, {}).items()
            if asked.get(probe)
        }

    def _place(self, text: str) -> int:
        return self.strings.setdefault(text, len(self.strings))


def _column(board: Board, column: str) -> dict[str, Any]:
    cells = [line.cells[column] for line in board.lines]
    scale = axis([cell for cell in cells if known(cell)])
    return {
        "name": column,
        "label": plain(label.column(column)),
        "better": board.better[column],
        "formula": plain(board.formulas[column]),
        "axis": asdict(scale),
    }


def _axes(board: Board) -> dict[str, str]:
    """Forgetting against utility where there are such columns: what is plotted first."""
    better = board.better
    lower = [c for c in board.columns if better[c] == "lower" and "forget" in c]
    higher = [c for c in board.columns if c == "utility"]
    higher += [c for c in board.columns if better[c] == "higher"]
    return {
        "across": (lower or list(board.columns))[0],
        "up": (higher or list(board.columns))[0],
    }


def _row(line: Line, shown: Sequence[str]) -> dict[str, Any]:
    first = line.records[0]
    means = {column: cell.mean for column, cell in line.cells.items()}
    costs = {COST[name][0]: cell.mean for name, cell in line.cost.items()}
    return {
        "model": shown[0],
        "method": shown[1],
        "parameters": line.parameters,
        "cells": list(shown[2:]),
        "means": {name: _finite(mean) for name, mean in means.items()},
        "costs": {name: _finite(mean) for name, mean in costs.items()},
        "gaps": {name: plain(cell.gap) for name, cell in line.cells.items() if cell.gap},
        "failed": [plain(said) for said in line.failed],
        "seeds": list(line.seeds),
        "curves": [[v for v in record.curve if math.isfinite(v)] for record in line.records],
        "settings": {k: plain(json.dumps(v)) for k, v in sorted(line.settings.items())},
        "environment": {k: plain(v) for k, v in sorted(first.environment.items())},
    }


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _command(line: Line, suite: Suite, named: str) -> str:
    """What makes a row again, with the rest of its part of the suite's axis if it has one."""
    record = line.records[0]
    said = ["di-bench", "run", named, _method(record)]
    said += ["--profile", suite.profile] if suite.profile != "default" else []
    said += ["--model", str(record.model["id"])]
    said += [part for seed in line.seeds for part in ("--seed", str(seed))]
    for change in filter(None, re.split(r"\+(?=[a-z_][\w.]*=)", record.variant)):
        own = re.split("[.=]", change, maxsplit=1)[0] in (*OF_ALL, *OF_METHODS)
        said += ["--set", change if own else f"methods.{record.method}.{change}"]
    return plain(shlex.join(said))


def _method(record: Record) -> str:
    """A method as the command line names it; the page cannot know in which folder it was."""
    if "checkpoint" in record.settings:
        return f"checkpoint:{record.method}"
    packaged = (PACKAGED / f"{record.method}.py").exists()
    return record.method if packaged else f"{record.method}.py"


def _scores(columns: Iterable[str], line: Line, items: Items) -> dict[str, dict[str, float]]:
    """Column to item to its mean over the seeds, in four digits."""
    found: dict[str, dict[str, list[float]]] = {column: {} for column in columns}
    for record in line.records:
        for column, item, _, value in items(record):
            if column in found and math.isfinite(value):
                found[column].setdefault(item, []).append(value)
    return {
        column: {item: float(f"{fmean(values):.4g}") for item, values in own.items()}
        for column, own in found.items()
        if own
    }
