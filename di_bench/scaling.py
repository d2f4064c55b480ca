"""A board turned by size: each column against how many weights a model has.

What stands here are numbers and axes; `figure.py` draws them, `render.py` writes them as tables.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count, groupby
from operator import add, sub
from statistics import median

from di_bench import label
from di_bench.board import Board
from di_bench.errors import StoreError
from di_bench.line import Cell, Line
from di_bench.method import NONE, RETRAIN

LADDER = 3
"""From so many sizes on, a leaderboard has tables and a figure against size."""
FAR = 10
"""A value beyond so many times the column's median is marked at the edge of its axis."""
SPAN = 4
"""From so large a ratio on, positive numbers that are no shares are on a log scale."""

Point = tuple[int, Cell | None]
"""Weights, and what models of that size got; none where there is no value to draw."""


@dataclass(frozen=True)
class Scaling:
    """The rows of a board whose models' sizes are known, by method and model."""

    board: Board
    models: Mapping[str, int]
    """Name to weights, smallest first."""
    rows: Mapping[str, Mapping[str, Line]]
    """Method to model to its row. A second row of a method on one model is `method (2)`."""
    unknown: tuple[str, ...]
    """Models that no record says the size of."""

    @property
    def sizes(self) -> list[int]:
        """Different numbers of weights, smallest first."""
        return sorted(set(self.models.values()))

    @property
    def is_ladder(self) -> bool:
        """Whether there are sizes enough for a leaderboard to show them as an axis."""
        return len(self.sizes) >= LADDER

    @cached_property
    def methods(self) -> list[str]:
        """The rows that are no reference, in the board's order."""
        return [name for name in self.rows if name not in (NONE, RETRAIN)]

    def curve(self, row: str, column: str) -> list[Point]:
        """A row's values in a column, for each model, smallest first."""
        lines = self.rows.get(row, {})
        found = [(size, lines.get(model)) for model, size in self.models.items()]
        return [
            (size, cell if line and known(cell := line.cells[column]) else None)
            for size, line in found
        ]

    def axis(self, column: str) -> "Axis":
        """The scale that holds a column's values, whoever has them."""
        curves = [self.curve(row, column) for row in self.rows]
        return axis([cell for curve in curves for _, cell in curve if cell])


def scaling(board: Board) -> Scaling:
    """A board by size. Rows stand in the board's order, as far as its models agree on one."""
    sizes = {line.model: line.parameters for line in board.lines}
    counted = [(size, name) for name, size in sizes.items() if size is not None]
    rows: dict[str, dict[str, Line]] = {}
    order: list[str] = []
    for _, lines in groupby(board.lines, key=lambda line: line.model):
        place = 0
        for line in lines:
            name = _free(line, rows)
            rows.setdefault(name, {})[line.model] = line
            if name not in order:
                order.insert(place, name)
            place = order.index(name) + 1
    unknown = tuple(name for name, size in sizes.items() if size is None)
    models = {name: size for size, name in sorted(counted)}
    return Scaling(board, models, {name: rows[name] for name in order}, unknown)


def _free(line: Line, rows: Mapping[str, Mapping[str, Line]]) -> str:
    """A name for a row: its method, numbered where its model has a row of that name already."""
    names = (f"{line.method} ({n})" if n > 1 else line.method for n in count(1))
    return next(name for name in names if line.model not in rows.get(name, {}))


def scalings(boards: Iterable[Board]) -> list[Scaling]:
    """Those of two or more sizes. Raises StoreError when there are none."""
    made = [scaling(board) for board in boards]
    if several := [one for one in made if len(one.sizes) > 1]:
        return several
    found = [f"{label.model(name)} of {short(n)}" for one in made for name, n in one.models.items()]
    found += [
        f"{label.model(name)} of unknown size (run it again)"
        for one in made
        for name in one.unknown
    ]
    raise StoreError(
        f"{made[0].board.title if made else 'no records'}: a figure against size needs models of "
        f"two sizes, and has {', '.join(dict.fromkeys(found)) or 'none'}; add another with "
        "`di-bench run SUITE --model NAME`"
    )


def known(cell: Cell) -> bool:
    """Whether a cell has a value that can be drawn."""
    return cell.mean is not None and math.isfinite(cell.mean) and math.isfinite(cell.sd or 0)


def short(weights: int) -> str:
    """`0.26M`, `4.2M`, `125M`, `1.2B`."""
    unit, value = ("B", weights / 1e9) if weights >= 1e9 else ("M", weights / 1e6)
    digits = 0 if value >= 10 else 1 if value >= 1 else 2 if value >= 0.1 else 3
    return f"{value:.{digits}f}{unit}"


@dataclass(frozen=True)
class Axis:
    """A scale from `low` to `high`; what lies beyond is held at its end."""

    low: float
    high: float
    ticks: tuple[float, ...]
    log: bool = False

    def at(self, value: float) -> float:
        """Where a value is: 0 at the low end, 1 at the high one."""
        if self.log:
            value = max(value, self.low)  # a whisker may reach below zero
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return min(max(share, 0.0), 1.0)


def axis(cells: Sequence[Cell]) -> Axis:
    """Holds every mean with its deviation, up to `FAR` times the median; shares are all held."""
    means = [cell.mean for cell in cells if cell.mean is not None]
    if not means:
        return Axis(0, 1, (0, 1))
    sds = [cell.sd or 0.0 for cell in cells if cell.mean is not None]
    least, most = min(means), max(means)
    share = 0 <= least <= most <= 1
    top = 1.0 if share else FAR * median(means) if least > 0 else math.inf
    floor = 0.0 if least >= 0 else -math.inf
    low = max(min(map(sub, means, sds)), floor)
    high = min(max(map(add, means, sds)), top)
    if least > 0 and not share and high > SPAN * least:
        low, high = max(low, least / 1.5) / 1.1, high * 1.1
        return Axis(low, high, _decades(low, high), log=True)
    pad = (high - low) * 0.05 or abs(high) * 0.05 or 0.05
    return Axis(low - pad, high + pad, _steps(low - pad, high + pad))


def _steps(low: float, high: float) -> tuple[float, ...]:
    """Round numbers between two others, two to five of them."""
    rough = (high - low) / 5
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * times for times in (1, 2, 5, 10) if unit * times >= rough)
    first, last = math.ceil(low / step), math.floor(high / step)
    return tuple(round(k * step, 12) for k in range(first, last + 1))


def _decades(low: float, high: float) -> tuple[float, ...]:
    """1, 2 and 5 of every power of ten between two numbers; powers alone where those are many."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    firsts = (1, 2, 5) if high < 100 * low else (1,)
    ticks = [round(first * 10.0**power, 12) for power in powers for first in firsts]
    return tuple(tick for tick in ticks if low <= tick <= high)
