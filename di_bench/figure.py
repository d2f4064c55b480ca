"""The scaling figure: a board's columns against the size of its models, as one SVG.

First a panel for each column with every method in it, named at the end of its line; then a strip
for each method with a cell for each column. The bytes depend on records alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from textwrap import wrap

from di_bench import label
from di_bench.board import Board
from di_bench.errors import plain
from di_bench.method import NONE, RETRAIN
from di_bench.panel import LETTER, STYLE, Panel, cut, ink, safe, text
from di_bench.scaling import Scaling, scalings

WIDTH = 900
_EDGE, _GUTTER, _ROOM, _LINE = 14, 34, WIDTH - 28, 9.4
_LABELS, _NAMES, _PLOT, _STRIP = 98, 104, 110, 6
NOTE = (
    "Mean over seeds, whiskers of one standard deviation, against numbers of weights on a log "
    "scale. ↓ lower is better, ↑ higher, ≈ nearer to retrain. Grey and dashed: none, the model as "
    "it was. Black: retrain, which never saw what is to be forgotten. A triangle at an edge: the "
    "value is beyond the axis. No mark: no value; the board says why."
)


@dataclass(frozen=True)
class _Part:
    """Something drawn from its own top, and how tall it is."""

    lines: Sequence[str]
    height: float


def figure(boards: Iterable[Board]) -> str:
    """The figure of every board that has models of two or more sizes, one below another.

    Raises StoreError when there is none.
    """
    several = scalings(boards)
    drawn, top = [], float(_EDGE)
    for number, one in enumerate(several):
        for part in (_heading(one), _columns(one), _strips(one, f"b{number}")):
            drawn += [f'<g transform="translate(0 {top:.1f})">', *part.lines, "</g>"]
            top += part.height
    size = f'width="{WIDTH}" height="{top:.0f}"'
    title = f"{several[0].board.title}: against the number of weights"
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top:.0f}" {size} '
        'role="img" aria-labelledby="title about">',
        f'<title id="title">{safe(title)}</title>',
        f'<desc id="about">{safe(NOTE)}</desc>',
        f"<style>{STYLE}</style>",
        f'<rect {size} fill="#fff"/>',  # a page in dark mode would leave dark text on dark
    ]
    return "\n".join([*head, *drawn, "</svg>"]) + "\n"


def _heading(one: Scaling) -> _Part:
    unknown = ", ".join(label.model(name) for name in one.unknown)
    notes = [NOTE, *([f"Not drawn, as nobody counted their weights: {unknown}."] * bool(unknown))]
    lines, top = [], 0.0
    for said, size, kind in [(one.board.title, 14, "t"), *((note, 9, "") for note in notes)]:
        for row in wrap(plain(said), int(_ROOM / (size * LETTER))):
            top += size * 1.35
            lines.append(text(_EDGE, top, row, kind))
    return _Part(lines, top + 14)


def _columns(one: Scaling) -> _Part:
    """A panel for each column: every row, and its name at the end of its line."""
    plot, columns = max(_PLOT, _LINE * len(one.rows)), one.board.columns
    across = 2 if len(columns) in (2, 4) else min(3, len(columns))
    each, pitch = _ROOM / across, plot + 52
    lines: list[str] = []
    for number, column in enumerate(columns):
        left, top = _EDGE + each * (number % across), pitch * (number // across)
        width = each - _GUTTER - _LABELS
        panel = Panel(left + _GUTTER, top + 18, width, plot, one.sizes, one.axis(column))
        lines.append(text(panel.left, top + 10, _named(one, column, width + _LABELS, 11), "h"))
        lines += panel.grid(panel.axis.ticks)
        for row in [*one.methods, NONE, RETRAIN]:
            lines += panel.curve(one.curve(row, column), ink(row, one.methods), row)
        lines += [*_ends(panel, one, column), *panel.feet(panel.top + plot + 6)]
    return _Part(lines, pitch * -(-len(columns) // across))


def _ends(panel: Panel, one: Scaling, column: str) -> list[str]:
    """The name of each row beside the end of its line, moved apart where they would overlap."""
    last = {
        row: [(size, cell.mean) for size, cell in one.curve(row, column) if cell][-1:]
        for row in one.rows
    }
    ends = sorted(
        (panel.y(mean), panel.x(size), row)
        for row, points in last.items()
        for size, mean in points
        if mean is not None
    )
    tops = apart([y for y, _, _ in ends], _LINE, panel.top, panel.top + panel.height)
    lines = []
    for (y, x, row), top in zip(ends, tops, strict=True):
        path = f"M{x + 3:.1f} {y:.1f}L{panel.right:.1f} {y:.1f}l12 {top - y:.1f}h3"
        lines.append(f'<path class="k {ink(row, one.methods)}" d="{path}"/>')
        lines.append(text(panel.right + 17, top + 2.8, cut(row, _LABELS - 17, 8), "n"))
    return lines


def apart(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Ascending places, `gap` apart and near those wanted; between two ends if there is room."""
    placed: list[float] = []
    for place in wanted:
        placed.append(max(place, placed[-1] + gap if placed else low))
    limit = high
    for number in reversed(range(len(placed))):
        placed[number] = min(placed[number], limit)
        limit = placed[number] - gap
    return placed


def _strips(one: Scaling, name: str) -> _Part:
    """A strip for each method, so many columns wide, as often as it takes for all of them."""
    lines, top, columns = [], 4.0, one.board.columns
    for start in range(0, len(columns), _STRIP):
        band = columns[start : start + _STRIP]
        each = (_ROOM - _NAMES) / len(band)
        lefts = [_EDGE + _NAMES + each * number + 26 for number in range(len(band))]
        panels = {
            column: Panel(left, 0, each - 34, 32, one.sizes, one.axis(column))
            for left, column in zip(lefts, band, strict=True)
        }
        part = _band(one, panels, f"{name}-{start}")
        lines += [f'<g transform="translate(0 {top:.1f})">', *part.lines, "</g>"]
        top += part.height
    return _Part(lines, top)


def _band(one: Scaling, panels: dict[str, Panel], name: str) -> _Part:
    lines = ["<defs>", f'<g id="{name}">']  # what every strip shows: scales, none and retrain
    for column, panel in panels.items():
        ticks = panel.axis.ticks
        lines += panel.grid(ticks[:: max(len(ticks) - 1, 1)])
        for row in (NONE, RETRAIN):
            lines += panel.curve(one.curve(row, column), row)
    lines += ["</g>", "</defs>"]
    for column, panel in panels.items():
        lines.append(text(panel.left - 8, 12, _named(one, column, panel.width + 34, 9)))
    top = 24.0
    for row in one.methods:
        lines += [f'<g transform="translate(0 {top:.1f})">', f'<use href="#{name}"/>']
        lines.append(text(_EDGE, 19, cut(row, _NAMES, 9)))
        for column, panel in panels.items():
            lines += panel.curve(one.curve(row, column), ink(row, one.methods))
        lines.append("</g>")
        top += 43
    for panel in panels.values():
        lines += replace(panel, top=top).feet(top)
    return _Part(lines, top + 26)


def _named(one: Scaling, column: str, room: float, size: float) -> str:
    """A column with its direction, as long as there is room."""
    return cut(one.board.heading(column), room, size)
