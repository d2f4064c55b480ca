"""What a person sees while a grid runs: bars and a growing board, or plain lines elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.text import Text

from di_bench.errors import plain

if TYPE_CHECKING:
    from di_bench.record import Record
    from di_bench.run import Run
    from di_bench.runner import Watcher

Draw = Callable[[], str]
"""Draws the board as it stands."""


@contextmanager
def watching(runs: Sequence[Run], done: int, draw: Draw) -> Iterator[Watcher]:
    """A watcher that suits where the output goes."""
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        yield _Lines(console, runs, done, draw)
        return
    bars = _Bars(runs, done, draw)
    with Live(bars.picture(), console=console, refresh_per_second=4) as live:
        bars.show = live.update
        yield bars


class _Clock:
    """Time left, from the time that cells have taken so far."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self._began = time.monotonic()
        self._total = len(runs)
        self.finished = 0

    def left(self) -> str:
        if self.finished * 20 < self._total:  # growing comes first: early cells mislead
            return "time left not known yet"
        each = (time.monotonic() - self._began) / self.finished
        return f"about {_spoken(each * (self._total - self.finished))} left"


def _spoken(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


class _Lines:
    """One quiet line for each finished cell, and the board as each seed of a model is complete."""

    def __init__(self, console: Console, runs: Sequence[Run], done: int, draw: Draw) -> None:
        self._console, self._done, self._total = console, done, done + len(runs)
        self._clock, self._draw = _Clock(runs), draw
        self._left = Counter((run.base.name, run.seed) for run in runs)

    def stage(self, worker: int, text: str, done: float) -> None:
        """Plain output says what is finished, not what goes on."""

    def finished(self, run: Run, record: Record) -> None:
        self._clock.finished += 1
        count = f"[{self._done + self._clock.finished}/{self._total}]"
        said = f"{record.status}: {record.error}" if record.error else record.status
        line = plain(f"{count} {run.name}: {said}; {self._clock.left()}")
        self._console.print(line, markup=False)
        self._left[run.base.name, run.seed] -= 1
        if not self._left[run.base.name, run.seed] and self._left.total():
            self._console.print(self._draw(), markup=False)


class _Bars:
    """One bar for the grid, one for each worker's current step, and the board below them."""

    def __init__(self, runs: Sequence[Run], done: int, draw: Draw) -> None:
        self._draw, self._board = draw, ""
        self._clock = _Clock(runs)
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[note]}", markup=False),
        )
        self._grid = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}", markup=False),
        )
        self._all = self._grid.add_task("cells", total=done + len(runs), completed=done, note="")
        self._steps: dict[int, TaskID] = {}
        self.show: Callable[[Group], None] = lambda _: None

    def picture(self) -> Group:
        return Group(self._grid, self._bars, Text(self._board))

    def stage(self, worker: int, text: str, done: float) -> None:
        if worker not in self._steps:
            self._steps[worker] = self._bars.add_task(text, total=1.0, note="")
        self._bars.update(self._steps[worker], description=text, completed=done)

    def finished(self, run: Run, record: Record) -> None:
        self._clock.finished += 1
        self._grid.update(self._all, advance=1, note=self._clock.left())
        self._board = self._draw()
        self.show(self.picture())
