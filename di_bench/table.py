"""Cells of words as a table: aligned for a terminal, or Markdown with every mark escaped."""

from collections.abc import Iterable, Sequence

from di_bench.escape import markdown


def padded(table: Sequence[Sequence[str]]) -> list[str]:
    """A table as text, columns below each other."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in table
    ]


def aligned(table: Sequence[Sequence[str]]) -> list[str]:
    """The same with a rule under its first row."""
    first, *rest = padded(table)
    return [first, "-" * len(first), *rest]


def tabled(
    header: Sequence[str], rows: Iterable[Sequence[str]], words: int, after: int = 0
) -> list[str]:
    """A Markdown table: so many columns of words, then numbers, and words `after` them."""

    def row(cells: Iterable[str]) -> str:
        return "| " + " | ".join(markdown(cell) for cell in cells) + " |"

    numbers = len(header) - words - after
    rule = "|".join([" --- "] * words + [" ---: "] * numbers + [" --- "] * after)
    return [row(header), f"|{rule}|", *map(row, rows)]
