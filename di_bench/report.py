"""A board as one HTML file that needs no network: table, plots, curves, items and their texts.

The one thing to know: what a model wrote reaches the page as JSON alone, and the page's script only
ever makes it the text of a node. It is never markup.
"""

import json
import math
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from di_bench.board import COST, NOTE, Board, Line, boards
from di_bench.errors import plain
from di_bench.record import Record
from di_bench.suite import Suite

PAGE = Path(__file__).with_suffix(".html")
ABOUT = (
    "Made by di-bench from its records. Sort by any column, open a row for its seeds, curves and "
    "answers, and compare it with another."
)

ItemScores = Iterable[tuple[str, str, str, float]]
"""(column, item, group, value), as `store.read_items` gives them."""


@dataclass(frozen=True)
class Texts:
    """What was asked and answered in the runs of a report, where the cache still has it."""

    asked: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Item to its `prompt` and `truth`."""
    answers: Mapping[str, Mapping[str, Mapping[str, str]]] = field(default_factory=dict)
    """`<model>/<row>-<seed>` to probe to item to what the model wrote."""


def report(
    records: Iterable[Record], suite: Suite, items: Mapping[str, ItemScores], texts: Texts
) -> str:
    """The page. `items` and `texts` are by run: `<model>/<row>-<seed>`.

    The same records and texts give the same page, byte for byte.
    """
    kept = list(records)
    made = boards(kept, suite)
    told = {
        "about": ABOUT,
        "note": NOTE,
        "costs": [name for name, _ in COST.values()],
        "asked": texts.asked,
        "boards": [_board(board, kept, suite, items, texts) for board in made],
    }
    return PAGE.read_text(encoding="utf-8").replace("DATA", _json(told), 1)


def _json(value: object) -> str:
    """JSON that ends no script element and starts no comment, whatever a model wrote."""
    text = json.dumps(value, ensure_ascii=True, sort_keys=True, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _board(
    board: Board,
    records: Iterable[Record],
    suite: Suite,
    items: Mapping[str, ItemScores],
    texts: Texts,
) -> dict[str, Any]:
    known = {(r.model["name"], r.row, r.seed): r for r in records}
    of = [[known[line.model, line.method, seed] for seed in line.seeds] for line in board.lines]
    return {
        "title": plain(board.title),
        "notes": board.footnotes(),
        "methods": list(dict.fromkeys(line.method for line in board.lines)),
        "columns": [
            {
                "name": column,
                "label": column.replace("_", " "),
                "better": board.better[column],
                "formula": board.formulas[column],
            }
            for column in board.columns
        ],
        **_axes(board),
        "rows": [
            {
                "id": f"{n}",
                "items": _items(board.columns, [items.get(run_of(r), ()) for r in own]),
                "texts": next((t for r in own if (t := texts.answers.get(run_of(r)))), None),
                **_row(board, line, own, suite),
            }
            for n, (line, own) in enumerate(zip(board.lines, of, strict=True))
        ],
    }


def run_of(record: Record) -> str:
    """The run of a record: `<model>/<row>-<seed>`."""
    return f"{record.model['name']}/{record.row}-{record.seed}"


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


def _row(board: Board, line: Line, records: list[Record], suite: Suite) -> dict[str, Any]:
    first = records[0]
    return {
        "model": plain(line.model.replace("--", "/")),
        "method": plain(line.method),
        "seeds": list(line.seeds),
        "cells": {
            column: {"mean": cell.mean, "sd": cell.sd, "gap": plain(cell.gap)}
            for column in board.columns
            if (cell := line.cells[column])
        },
        "cost": {title: line.cost[name].mean for name, (title, _) in COST.items()},
        "curves": [[v for v in record.curve if math.isfinite(v)] for record in records],
        "settings": {k: json.dumps(v) for k, v in sorted(first.settings.items())},
        "environment": dict(sorted(first.environment.items())),
        "command": _command(first, line.seeds, suite),
    }


def _command(record: Record, seeds: Iterable[int], suite: Suite) -> str:
    """What makes a row again."""
    said = ["di-bench", "run", suite.name, record.method]
    said += ["--profile", suite.profile] if suite.profile != "default" else []
    said += ["--model", str(record.model["id"])]
    said += [part for seed in seeds for part in ("--seed", str(seed))]
    return plain(shlex.join(said))


def _items(columns: Iterable[str], runs: Iterable[ItemScores]) -> dict[str, dict[str, float]]:
    """Column to item to its mean over the runs."""
    found: dict[str, dict[str, list[float]]] = {column: {} for column in columns}
    for scores in runs:
        for column, item, _, value in scores:
            if column in found and math.isfinite(value):
                found[column].setdefault(item, []).append(value)
    return {
        column: {plain(item): round(fmean(values), 6) for item, values in own.items()}
        for column, own in found.items()
        if own
    }
