"""A board turned by size: each column against how many weights a model has.

What stands here are numbers and axes; `figure.py` draws them, `render.py` writes them as tables.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median

from di_bench.board import Board, Cell, Line
from di_bench.errors import StoreError
from di_bench.method import NONE, RETRAIN

LADDER = 3
"""From so many sizes on, a leaderboard has tables and a figure against size."""
FAR = 10
"""A value beyond so many times the column's median is marked at the edge of its axis."""


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

    def curve(self, row: str, column: str) -> list[tuple[int, Cell | None]]:
        """(weights, cell) for each model, smallest first; none where a row or its value lacks."""
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
    """A board by size. Rows stand in the board's order."""
    sizes = {line.model: line.parameters for line in board.lines}
    of_known = {name: size for name, size in sizes.items() if size is not None}
    rows: dict[str, dict[str, Line]] = {}
    for line in board.lines:
        name, count = line.method, 1
        while line.model in rows.get(name, {}):
            count += 1
            name = f"{line.method} ({count})"
        rows.setdefault(name, {})[line.model] = line
    ordered = dict(sorted(of_known.items(), key=lambda pair: (pair[1], pair[0])))
    return Scaling(board, ordered, rows, tuple(n for n, size in sizes.items() if size is None))


def scalings(boards: Iterable[Board]) -> list[Scaling]:
    """Those of two or more sizes. Raises StoreError when there are none."""
    made = [scaling(board) for board in boards]
    if several := [one for one in made if len(one.sizes) > 1]:
        return several
    unknown = [shown(name) for one in made for name in one.unknown]
    known_ = [f"{shown(name)} ({short(n)})" for one in made for name, n in one.models.items()]
    title = made[0].board.title if made else "no records"
    without = f"; how large {', '.join(unknown)} is was not recorded, run it again" * bool(unknown)
    raise StoreError(
        f"{title}: a figure against size needs models of two sizes, and there is "
        f"{', '.join(dict.fromkeys(known_)) or 'none'}; run another with --model{without}"
    )


def known(cell: Cell) -> bool:
    """Whether a cell has a value that can be drawn."""
    return cell.mean is not None and math.isfinite(cell.mean) and math.isfinite(cell.sd or 0)


def shown(model: str) -> str:
    """A model as boards name it."""
    return model.replace("--", "/")


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
    """Holds every mean and its standard deviation, but for values far beyond the others.

    Shares stay linear. Positive numbers that span more than `FAR` are on a log scale.
    """
    means = [cell.mean for cell in cells if cell.mean is not None]
    if not means:
        return Axis(0, 1, (0, 1))
    positive, share = min(means) > 0, 0 <= min(means) <= max(means) <= 1
    top = FAR * median(means) if positive and not share else max(means)
    ends = [e for c in cells if c.mean is not None and c.mean <= top for e in _ends(c)]
    floor, ceiling = (0.0 if min(means) >= 0 else -math.inf), (1.0 if share else math.inf)
    low, high = max(min(ends), floor), min(max(ends), top if max(means) > top else ceiling)
    least = min(means)
    if positive and not share and high > FAR * least:
        low = max(low, least / 2)
        return Axis(low / 1.1, high * 1.1, _decades(low / 1.1, high * 1.1), log=True)
    pad = (high - low) * 0.05 or abs(high) * 0.05 or 0.05
    low, high = max(low - pad, floor - pad * (low == floor)), high + pad
    return Axis(low, high, _steps(low, high))


def _ends(cell: Cell) -> tuple[float, float]:
    mean, sd = cell.mean or 0.0, cell.sd or 0.0
    return mean - sd, mean + sd


def _steps(low: float, high: float) -> tuple[float, ...]:
    """Round numbers between two others, three to six of them."""
    rough = (high - low) / 4
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * times for times in (1, 2, 5, 10) if unit * times >= rough)
    first, last = math.ceil(low / step), math.floor(high / step)
    return tuple(round(k * step, 12) for k in range(first, last + 1))


def _decades(low: float, high: float) -> tuple[float, ...]:
    """1, 2, 5 of every power of ten between two numbers; powers alone where those are many."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    times = (1, 2, 5) if len(powers) <= 3 else (1,)
    ticks = [round(times_ * 10.0**power, 12) for power in powers for times_ in times]
    return tuple(tick for tick in ticks if low <= tick <= high)
