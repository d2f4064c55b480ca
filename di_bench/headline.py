"""What a board says first: for each model who is on the front of forgetting against utility.

`none` and `retrain` are where it starts and what it aims at: beside the front and never on it.
"""

from collections.abc import Sequence
from itertools import groupby

from di_bench import escape, label
from di_bench.board import Board
from di_bench.front import Point, beaten, front, off
from di_bench.line import Cell, Line
from di_bench.method import NONE, RETRAIN

NAMED = 2
"""Of those who dominate a method so many are named, and the rest counted."""


def headline(board: Board) -> list[str]:
    """A paragraph on the pair of columns and one for each model; none where a suite names no pair.

    Means over seeds are compared and nothing else: a front says nothing of their noise.
    """
    if not board.front:
        return []
    pair = " against ".join(map(board.heading, board.front))
    first = (
        f"Front of {pair}, by means over seeds (in brackets). It ranks nothing: its ends may have "
        "forgotten all, or nothing."
    )
    models = [list(rows) for _, rows in groupby(board.lines, key=lambda line: line.model)]
    return [escape.line(said) for said in (first, *(_of_model(board, rows) for rows in models))]


def _of_model(board: Board, rows: Sequence[Line]) -> str:
    gold = next((line for line in rows if line.method == RETRAIN), None)
    beside = [_label(board, line) for line in rows if line.method in (NONE, RETRAIN)]
    labels: dict[Point, str] = {}
    missing = []
    for line in rows:
        if line.method in (NONE, RETRAIN):
            continue
        if point := _point(board, line, gold):
            labels[point] = _label(board, line)
        else:
            missing.append(line.method)
    members = sorted(front(labels), key=lambda point: point.forgetting)
    below = [f"{point.name} (by {_listed(above)})" for point, above in beaten([*labels])]
    on_it = ", ".join(labels[one] for one in members) or "nobody"
    said = [f"on the front, most forgotten first: {on_it}"]
    said += [f"dominated: {', '.join(below)}"] if below else []
    said += [f"without a value: {', '.join(missing)}"] if missing else []
    end = f" For reference: {', '.join(beside)}." if beside else ""
    return f"{label.model(rows[0].model)}: {'; '.join(said)}.{end}"


def _point(board: Board, line: Line, gold: Line | None) -> Point | None:
    turned = [
        off(line.cells[c].mean, board.better[c], gold.cells[c].mean if gold else None)
        for c in board.front
    ]
    forgetting, utility = turned
    return (
        None if forgetting is None or utility is None else Point(line.method, forgetting, utility)
    )


def _label(board: Board, line: Line) -> str:
    """A row with its two means, and of how many seeds where some have no value."""
    cells = [line.cells[column] for column in board.front]
    fewest = min(len(cell.values) for cell in cells)
    few = f"; {fewest} of {cells[0].seeds} seeds" if 0 < fewest < cells[0].seeds else ""
    means = ", ".join("-" if cell.mean is None else str(Cell((cell.mean,), 1)) for cell in cells)
    return f"{line.method} ({means}{few})"


def _listed(points: Sequence[Point]) -> str:
    names = [point.name for point in points[:NAMED]]
    if more := len(points) - len(names):
        names.append(f"{more} more")
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def grouped(board: Board) -> str:
    """Which columns tell of what; the last columns are cost."""
    of: dict[str, list[str]] = {}
    for column in board.columns:
        of.setdefault(board.groups[column], []).append(label.column(column))
    said = [f"{group} ({', '.join(columns)})" for group, columns in of.items()]
    return f"Groups: {', '.join([*said, 'cost (the last columns)'])}."
