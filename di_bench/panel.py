"""One panel of a figure as SVG: where sizes and values are, lines, marks, whiskers, names.

What came from records (methods, models, titles) passes `safe` and is text, whatever it holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import log

from di_bench.escape import line
from di_bench.method import NONE, RETRAIN
from di_bench.scaling import Axis, Point, short

LETTER = 0.66
"""The width of a letter in units of its size, in the widest usual sans-serif face."""

# Told apart by colour-blind readers and dark enough for lines on white (Paul Tol's schemes).
_INKS = ("#332288", "#cc3311", "#117733", "#aa4499", "#0077bb", "#997700", "#882255")
_DASHES = ("", "5 2", "1.5 1.5", "7 2 1.5 2")
_MARKS = (
    "m-2.2 0a2.2 2.2 0 1 0 4.4 0a2.2 2.2 0 1 0-4.4 0z",
    "m-2-2h4v4h-4z",
    "m0-3l2.7 5h-5.4z",
    "m0-3l3 3-3 3-3-3z",
)
_DOT, _OVER, _UNDER = "m-1.3-1.3h2.6v2.6h-2.6z", "m0-1l3.2 6h-6.4z", "m0 1l3.2-6h-6.4z"

STYLE = (
    "text{font:9px sans-serif;fill:#222}.t{font-size:14px;font-weight:bold}"
    ".h{font-size:11px;font-weight:bold}.n{font-size:8px}.e{text-anchor:end}.c{text-anchor:middle}"
    "path{fill:none;stroke-width:1.2}path.g{stroke:#ddd;stroke-width:.6}path.x{stroke:#888}"
    "path.w{stroke-width:.7;opacity:.6}path.k{fill:none;stroke-width:.5;opacity:.7}"
    "path.m{fill:inherit;stroke:none}"
    ".none{stroke:#777;fill:#777}.none .l{stroke-dasharray:4 2}.retrain{stroke:#000;fill:#000}"
    + "".join(f".i{n}{{stroke:{ink};fill:{ink}}}" for n, ink in enumerate(_INKS))
    + "".join(f".d{n} .l{{stroke-dasharray:{dash}}}" for n, dash in enumerate(_DASHES) if dash)
)


@dataclass(frozen=True)
class Panel:
    """Where sizes and values are on the page."""

    left: float
    top: float
    width: float
    height: float
    sizes: Sequence[int]
    """Numbers of weights, smallest first; two at least."""
    axis: Axis

    @property
    def right(self) -> float:
        """Where it ends."""
        return self.left + self.width

    def x(self, size: int) -> float:
        """Where a size is: on a log scale, a little inside."""
        low, high = log(self.sizes[0]), log(self.sizes[-1])
        return self.left + self.width * (0.06 + 0.88 * (log(size) - low) / (high - low))

    def y(self, value: float) -> float:
        """Where a value is; at the edge when it is beyond the axis."""
        return self.top + self.height * (1 - self.axis.at(value))

    def grid(self, ticks: Sequence[float]) -> list[str]:
        """A line at each tick, and what it stands for."""
        lines = []
        for tick in ticks:
            y = self.y(tick)
            lines.append(f'<path class="g" d="M{_at(self.left, y)}h{self.width:.1f}"/>')
            lines.append(text(self.left - 4, y + 2.8, f"{tick:g}", "n e"))
        return lines

    def feet(self, top: float) -> list[str]:
        """A tick for each size; its name where there is room."""
        lines, free = [], -self.width
        for size in self.sizes:
            x, half = self.x(size), len(short(size)) * 8 * LETTER / 2
            lines.append(f'<path class="g x" d="M{_at(x, top - 3)}v3"/>')
            if x - half > free:
                lines.append(text(x, top + 8, short(size), "n c"))
                free = x + half + 2
        return lines

    def curve(self, points: Sequence[Point], kinds: str, name: str = "") -> list[str]:
        """Values against size: a line that breaks at gaps, whiskers of a deviation, marks.

        `kinds` comes from `ink`. Nothing is drawn where no point has a value.
        """
        line, whiskers, marks, pen = "", "", "", "M"
        for size, cell in points:
            if cell is None or cell.mean is None:
                pen = "M"
                continue
            x, y, beyond = self.x(size), self.y(cell.mean), self._beyond(cell.mean)
            line, pen = f"{line}{pen}{_at(x, y)}", "L"
            marks += f"M{_at(x, y)}{beyond or _mark(kinds)}"
            if cell.sd and not beyond:
                whiskers += f"M{_at(x, self.y(cell.mean - cell.sd))}"
                whiskers += f"V{self.y(cell.mean + cell.sd):.1f}"
        if not marks:
            return []
        drawn = {"l": line if "L" in line else "", "w": whiskers, "m": marks}
        paths = [f'<path class="{kind}" d="{d}"/>' for kind, d in drawn.items() if d]
        titled = f"<title>{safe(name)}</title>" if name else ""
        return [f'<g class="{kinds}">{titled}{"".join(paths)}</g>']

    def _beyond(self, value: float) -> str:
        return _OVER if value > self.axis.high else _UNDER if value < self.axis.low else ""


def ink(row: str, methods: Sequence[str]) -> str:
    """The classes of a row's lines: of the first 28, no two share colour, dashes and mark."""
    if row in (NONE, RETRAIN):
        return row
    turn, number = divmod(methods.index(row), len(_INKS))
    return f"i{number} d{turn % len(_DASHES)}"


def _mark(kinds: str) -> str:
    return _MARKS[int(kinds[-1])] if kinds[-1].isdigit() else _DOT


def _at(x: float, y: float) -> str:
    return f"{x:.1f} {y:.1f}"


def text(x: float, y: float, words: str, kind: str = "") -> str:
    """Words at a place, of a kind of `STYLE`."""
    given = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{given}>{safe(words)}</text>'


def safe(words: str) -> str:
    """What a stranger wrote, as text of an SVG and nothing else."""
    return escape(line(words))


def cut(words: str, room: float, size: float) -> str:
    """Words that fit a width at a font size, the rest as an ellipsis."""
    letters = int(room / (size * LETTER))
    return words if len(words) <= letters else f"{words[: letters - 1]}…"
