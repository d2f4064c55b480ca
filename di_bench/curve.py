"""A curve as a few lines of text: braille dots between axis numbers, or ASCII where those fail.

A pure function of its values. Everything it returns is at most `WIDE` letters wide, so a drawing
looks the same in every terminal and in every test.
"""

import math
import sys
from collections.abc import Sequence

WIDE = 72
"""Letters of a line, axis numbers included."""
_LABEL = 11  # -1.234e-100
_ROOM = WIDE - _LABEL - 2
_BLANK = 0x2800
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bit of each dot of a braille letter: four rows of two."""
_RULES = {"braille": ("┤", "│", "└", "─"), "ascii": ("+", "|", "+", "-")}

Grid = list[list[bool]]
"""Which dots are set: rows from the top, columns from the left."""


def carries(encoding: str | None) -> bool:
    """Whether text of this encoding can hold a braille drawing."""
    try:
        "⣿┤│└─".encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def curve(values: Sequence[float], height: int = 8, *, braille: bool = True) -> list[str]:
    """The values from left to right, joined by lines, with numbers of both axes.

    `values` (E,) are one for each epoch, the first of epoch 1; `height` is in lines, two at least,
    beside two for the axis below. Values that are not finite leave a gap. No lines where there is
    nothing to draw.
    """
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return []
    low, high = _reach(known)
    across, down = (2, 4) if braille else (1, 1)
    dots = _drawn(values, (low, high), (_ROOM * across, height * down))
    tick, bar, corner, rule = _RULES["braille" if braille else "ascii"]
    labels = {0: high, height - 1: low}
    if height > 2:
        share = (height // 2) / (height - 1)
        labels[height // 2] = high * (1 - share) + low * share
    lines = []
    for row in range(height):
        side = f"{labels[row]:.4g}" if row in labels else ""
        body = _letters(dots[row * down : (row + 1) * down], braille=braille)
        lines.append(f"{side:>{_LABEL}} {tick if row in labels else bar}{body}".rstrip())
    return [*lines, f"{'':>{_LABEL}} {corner}{rule * _ROOM}", _feet(len(values))]


def _reach(known: Sequence[float]) -> tuple[float, float]:
    """The lowest and the highest number of the axis; apart even where all values are one."""
    low, high = min(known), max(known)
    if high / 2 > low / 2:  # as they are halved to be drawn
        return low, high
    room, most = max(abs(low) / 10, 1e-300) if low else 1.0, sys.float_info.max
    return max(low - room, -most), min(high + room, most)


def _drawn(values: Sequence[float], reach: tuple[float, float], size: tuple[int, int]) -> Grid:
    """The dots of the line through the values."""
    (low, high), (width, height) = reach, size
    grid = [[False] * width for _ in range(height)]

    def level(value: float) -> int:  # halves first: the whole span may be beyond a float's range
        share = (value / 2 - low / 2) / (high / 2 - low / 2)
        return round((1 - share) * (height - 1))

    before: tuple[int, int] | None = None
    for number, value in enumerate(values):
        if not math.isfinite(value):
            before = None
            continue
        here = (_place(number, len(values), width), level(value))
        for x, y in _between(before or here, here):
            grid[y][x] = True
        before = here
    return grid


def _place(number: int, count: int, width: int) -> int:
    """The column of a value; a single one stands at the left."""
    return round(number * (width - 1) / (count - 1)) if count > 1 else 0


def _between(one: tuple[int, int], other: tuple[int, int]) -> list[tuple[int, int]]:
    """Every dot from one to the other."""
    (left, top), (right, low) = one, other
    steps = max(abs(right - left), abs(low - top), 1)
    return [
        (left + round((right - left) * k / steps), top + round((low - top) * k / steps))
        for k in range(steps + 1)
    ]


def _letters(rows: Grid, *, braille: bool) -> str:
    """Rows of dots as one line of text."""
    if not braille:
        return "".join("*" if dot else " " for dot in rows[0])
    line = ""
    for left in range(0, len(rows[0]), 2):
        bits = sum(_DOTS[y][x] for y, row in enumerate(rows) for x in (0, 1) if row[left + x])
        line += chr(_BLANK + bits) if bits else " "
    return line


def _feet(count: int) -> str:
    """The first, the middle and the last epoch below their places."""
    line = [" "] * WIDE
    for number in sorted({1, (count + 1) // 2, count}):
        label = str(number)
        at = _LABEL + 2 + _place(number - 1, count, _ROOM)
        start = min(at, WIDE - len(label))
        if all(letter == " " for letter in line[max(start - 1, 0) : start + len(label)]):
            line[start : start + len(label)] = label
    return "".join(line).rstrip()
