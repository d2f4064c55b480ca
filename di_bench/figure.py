"""The scaling figure: a board's columns against the size of its models, as one SVG.

First a panel for each column with every method in it, each named at its end; then a strip for each
method with a cell for each column. Bytes depend on records alone, and nothing is loaded from outside.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from math import log
from textwrap import wrap

from di_bench.board import ARROW, Board
from di_bench.errors import plain
from di_bench.method import NONE, RETRAIN
from di_bench.scaling import Axis, Scaling, scalings, short, shown

WIDTH = 900
_EDGE, _ACROSS, _STRIP = 14, 3, 6
_PER_LABEL = 9.4
_GUTTER, _LABELS, _NAMES = 34, 96, 104
_LETTER = 0.56
"""The width of a letter in units of its size, as in the widest usual sans-serif faces."""

# Told apart by colour-blind readers, dark enough for lines on white (Paul Tol's schemes).
_INKS = ("#332288", "#cc3311", "#117733", "#aa4499", "#0077bb", "#997700", "#882255")
_DASHES = ("", "5 2", "1.5 1.5", "7 2 1.5 2")
_MARKS = {
    "m0": "M-2.4 0a2.4 2.4 0 1 0 4.8 0a2.4 2.4 0 1 0-4.8 0z",
    "m1": "M-2.2-2.2h4.4v4.4h-4.4z",
    "m2": "M0-3L2.8 2.2H-2.8z",
    "m3": "M0-3.2L3.2 0 0 3.2-3.2 0z",
    "dot": "M-1.4 0a1.4 1.4 0 1 0 2.8 0a1.4 1.4 0 1 0-2.8 0z",
    "over": "M0-1L3.2 5H-3.2z",
    "under": "M0 1L3.2-5H-3.2z",
}
_STYLE = (
    "text{font:9px sans-serif;fill:#222}.h{font-size:11px;font-weight:bold}.b{font-size:14px;"
    "font-weight:bold}.n{font-size:8px}.e{text-anchor:end}.m{text-anchor:middle}path{fill:none}"
    ".g{stroke:#ddd;stroke-width:.6}.w{stroke-width:.7;opacity:.6}.l{stroke-width:1.2}"
    ".k{stroke-width:.5;opacity:.7}"
)
_NOTE = (
    "Mean over seeds, whiskers of one standard deviation. Sizes are numbers of weights, on a log "
    "scale. ↓ lower is better, ↑ higher, ≈ nearer to retrain. none (grey, dashed) is the model as "
    "it was, retrain (black) never saw what is to be forgotten. A triangle at an edge: the value "
    "is beyond the axis. Where a mark is missing there is no value; the board says why."
)


@dataclass(frozen=True)
class _Part:
    """Something drawn from its own top left corner, and how tall it is."""

    lines: tuple[str, ...]
    height: float


@dataclass(frozen=True)
class _Panel:
    """Where sizes and values are on the page."""

    left: float
    top: float
    width: float
    height: float
    sizes: Sequence[int]
    axis: Axis

    def x(self, size: int) -> float:
        low, high = log(self.sizes[0]), log(self.sizes[-1])
        return self.left + self.width * (0.06 + 0.88 * (log(size) - low) / (high - low))

    def y(self, value: float) -> float:
        return self.top + self.height * (1 - self.axis.at(value))


def figure(boards: Iterable[Board]) -> str:
    """The figure of every board that has models of two or more sizes, one below another.

    Raises StoreError when there is none.
    """
    drawn, top, title = [], float(_EDGE), ""
    for one in scalings(boards):
        title = title or one.board.title
        for part in (_heading(one), _columns(one), _methods(one)):
            drawn += [f'<g transform="translate(0 {top:.1f})">', *part.lines, "</g>"]
            top += part.height
    height = top + _EDGE
    marks = [f'<path id="{name}" d="{d}" style="fill:inherit"/>' for name, d in _MARKS.items()]
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" '
        f'width="{WIDTH}" height="{height:.0f}" role="img" aria-labelledby="title about">',
        f'<title id="title">{_safe(title)}: against the number of weights</title>',
        f'<desc id="about">{_safe(_NOTE)}</desc>',
        f"<style>{_STYLE}</style>", "<defs>", *marks, "</defs>",
        f'<rect width="{WIDTH}" height="{height:.0f}" fill="#fff"/>', *drawn, "</svg>",
    ]) + "\n"  # fmt: skip


def _heading(one: Scaling) -> _Part:
    notes = [_NOTE]
    if one.unknown:
        names = ", ".join(shown(name) for name in one.unknown)
        notes.append(f"Not drawn, for their size was not recorded: {names}.")
    said = [*_wrapped(one.board.title, 14), *(row for note in notes for row in _wrapped(note, 9))]
    titled = len(_wrapped(one.board.title, 14))
    lines, top = [], 4.0
    for number, row in enumerate(said):
        top += 17 if number < titled else 12
        lines.append(_text(_EDGE, top, row, "b" if number < titled else ""))
    return _Part(tuple(lines), top + 12)


def _columns(one: Scaling) -> _Part:
    """A panel for each column: every method, and its name at the end of its line."""
    plot = max(110.0, _PER_LABEL * len(one.rows))
    each = (WIDTH - 2 * _EDGE) / _ACROSS
    lines: list[str] = []
    columns = one.board.columns
    for number, column in enumerate(columns):
        left, top = _EDGE + each * (number % _ACROSS), (plot + 50) * (number // _ACROSS)
        width = each - _GUTTER - _LABELS
        panel = _Panel(left + _GUTTER, top + 20, width, plot, one.sizes, one.axis(column))
        lines += [_text(left + _GUTTER, top + 12, _named(one, column), "h"), *_frame(panel)]
        for row in [*one.methods, NONE, RETRAIN]:
            lines += _curve(panel, one, row, column)
        lines += [*_ends(panel, one, column), *_sizes(panel, top + 24 + plot)]
    return _Part(tuple(lines), (plot + 50) * -(-len(columns) // _ACROSS))


def _ends(panel: _Panel, one: Scaling, column: str) -> list[str]:
    """The name of each row beside the end of its line, moved apart where they would overlap."""
    last = {row: [p for p in one.curve(row, column) if p[1]][-1:] for row in one.rows}
    ends = [
        (panel.y(cell.mean or 0), panel.x(size), row)
        for row, points in last.items()
        for size, cell in points
        if cell
    ]
    ends.sort()
    tops = _apart([y for y, _, _ in ends], _PER_LABEL, panel.top, panel.top + panel.height)
    right = panel.left + panel.width
    lines = []
    for (y, x, row), top in zip(ends, tops, strict=True):
        ink = _ink(one, row)[0]
        path = f"M{x + 3:.1f} {y:.1f}L{right:.1f} {y:.1f}L{right + 12:.1f} {top:.1f}h3"
        lines.append(f'<path class="k" stroke="{ink}" d="{path}"/>')
        lines.append(_text(right + 17, top + 2.8, _cut(row, 17), "n"))
    return lines


def _apart(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places in ascending order, `gap` apart, near those wanted and inside if there is room."""
    placed: list[float] = []
    for place in wanted:
        placed.append(max(place, placed[-1] + gap if placed else low))
    limit = high
    for number in reversed(range(len(placed))):
        placed[number] = min(placed[number], limit)
        limit = placed[number] - gap
    return placed


def _methods(one: Scaling) -> _Part:
    """A strip for each method, so many columns wide, as often as it takes for all of them."""
    lines, top = [], 0.0
    for start in range(0, len(one.board.columns), _STRIP):
        band = one.board.columns[start : start + _STRIP]
        each = (WIDTH - 2 * _EDGE - _NAMES) / len(band)
        places = [_EDGE + _NAMES + each * number + 26 for number in range(len(band))]
        panels = {
            column: _Panel(left, 0, each - 34, 34, one.sizes, one.axis(column))
            for left, column in zip(places, band, strict=True)
        }
        lines.append("<defs>")
        for number, (column, panel) in enumerate(panels.items(), start):
            known = [part for row in (NONE, RETRAIN) for part in _curve(panel, one, row, column)]
            lines += [f'<g id="c{number}">', *_frame(panel), *known, "</g>"]
        lines.append("</defs>")
        lines += [_text(p.left, top + 12, _named(one, c), "h") for c, p in panels.items()]
        top += 24
        for row in one.methods:
            lines += [f'<g transform="translate(0 {top:.1f})">', _text(_EDGE, 20, _cut(row, 18))]
            for number, (column, panel) in enumerate(panels.items(), start):
                lines += [f'<use href="#c{number}"/>', *_curve(panel, one, row, column)]
            lines.append("</g>")
            top += 42
        for panel in panels.values():
            lines += [f'<g transform="translate(0 {top:.1f})">', *_sizes(panel, 2), "</g>"]
        top += 26
    return _Part(tuple(lines), top)


def _frame(panel: _Panel) -> list[str]:
    """Lines at round values, and what they stand for."""
    ticks = panel.axis.ticks if panel.height > 60 else panel.axis.ticks[:: len(panel.axis.ticks) - 1 or 1]
    right = panel.left + panel.width
    lines = []
    for tick in ticks:
        y = panel.y(tick)
        lines.append(f'<path class="g" d="M{panel.left:.1f} {y:.1f}H{right:.1f}"/>')
        lines.append(_text(panel.left - 4, y + 2.8, f"{tick:g}", "n e"))
    return lines


def _sizes(panel: _Panel, top: float) -> list[str]:
    """A tick for each size; its name where there is room."""
    lines, free = [], -WIDTH * 1.0
    for size in panel.sizes:
        x, half = panel.x(size), len(short(size)) * 8 * _LETTER / 2
        lines.append(f'<path class="g" d="M{x:.1f} {top - 3:.1f}v3" style="stroke:#888"/>')
        if x - half > free:
            lines.append(_text(x, top + 8, short(size), "n m"))
            free = x + half + 2
    return lines


def _curve(panel: _Panel, one: Scaling, row: str, column: str) -> list[str]:
    """A row's values in a panel: a line that breaks at gaps, whiskers, marks."""
    ink, dash, mark = _ink(one, row)
    line, whiskers, marks, pen = "", "", [], "M"
    for size, cell in one.curve(row, column):
        if cell is None or cell.mean is None:
            pen = "M"
            continue
        x, y, axis = panel.x(size), panel.y(cell.mean), panel.axis
        line += f"{pen}{x:.1f} {y:.1f}"
        pen = "L"
        beyond = "over" if cell.mean > axis.high else "under" if cell.mean < axis.low else ""
        if cell.sd and not beyond:
            ends = panel.y(cell.mean - cell.sd), panel.y(cell.mean + cell.sd)
            whiskers += f"M{x:.1f} {ends[0]:.1f}V{ends[1]:.1f}"
        marks.append(f'<use href="#{beyond or mark}" x="{x:.1f}" y="{y:.1f}"/>')
    if not marks:
        return []
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return [
        f'<g stroke="{ink}" fill="{ink}"><title>{_safe(row)}</title>',
        f'<path class="l"{dashed} d="{line}"/>',
        *([f'<path class="w" d="{whiskers}"/>'] if whiskers else []),
        *(mark.replace("<use", '<use stroke="none"') for mark in marks),
        "</g>",
    ]


def _ink(one: Scaling, row: str) -> tuple[str, str, str]:
    """A row's colour, dashes and mark: every row of the first 28 has a pair of its own."""
    if row == NONE:
        return "#777", "4 2", "dot"
    if row == RETRAIN:
        return "#000", "", "dot"
    turn, number = divmod(one.methods.index(row), len(_INKS))
    return _INKS[number], _DASHES[turn % 4], f"m{turn % 4}"


def _named(one: Scaling, column: str) -> str:
    return f"{column.replace('_', ' ')} {ARROW[one.board.better[column]]}"


def _text(x: float, y: float, words: str, kind: str = "") -> str:
    given = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{given}>{_safe(words)}</text>'


def _safe(text: str) -> str:
    """What a stranger wrote, as text of an SVG and nothing else."""
    return escape(" ".join(plain(text).split()))


def _cut(text: str, letters: int) -> str:
    return text if len(text) <= letters else f"{text[: letters - 1]}…"


def _wrapped(text: str, size: float) -> list[str]:
    """Lines that fit the page."""
    return wrap(plain(text), int((WIDTH - 2 * _EDGE) / (size * _LETTER)))
