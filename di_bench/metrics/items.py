"""From rows to one value per item, and from items to a score. Every averaging metric ends here.

Sums are exact (`fsum`), so the order of rows never moves a number.
"""

import math
from collections.abc import Iterable, Sequence

from di_bench.metrics.metric import GapError, ItemScore, Score
from di_bench.transcript import Part, Row, Rows

Graded = Iterable[tuple[Row, float | None]]
"""Each row and its value; None leaves the row out."""


def mean(values: Sequence[float]) -> float:
    """The mean of at least one value."""
    return math.fsum(values) / len(values)


def of_part(rows: Rows, part: Part) -> Rows:
    """The rows of one part of the items; a gap if there are none."""
    found = [row for row in rows if row.part == part]
    if not found:
        raise GapError(f"no {part} was read")
    return found


def checked(row: Row) -> Row:
    """The row, if its log-probabilities are numbers: where they are not, its ranks are made up too.

    Minus infinity is a probability of zero and stays; NaN and plus infinity are a broken model.
    """
    if not all(logprob < math.inf for logprob in row.logprobs):
        raise GapError(f"item {row.item!r} has a log-probability that is not a number")
    return row


def mean_logprob(row: Row) -> float | None:
    """Mean log-probability per token, in nats, or None for an answer of no tokens."""
    return mean(checked(row).logprobs) if row.logprobs else None


def per_item(graded: Graded) -> tuple[tuple[ItemScore, ...], int]:
    """The mean of each item's rows, in order of first appearance, and the number left out."""
    values: dict[str, list[float]] = {}
    groups: dict[str, str] = {}
    left_out = 0
    for row, value in graded:
        if value is None:
            left_out += 1
            continue
        values.setdefault(row.item, []).append(value)
        groups.setdefault(row.item, row.group)
    items = tuple(ItemScore(item, groups[item], mean(found)) for item, found in values.items())
    return items, left_out


def average(graded: Graded, nothing: str) -> Score:
    """The mean over items. `nothing` says why it may be that every row was left out.

    The part `left_out` counts the rows left out and is there only when some were.
    """
    items, left_out = per_item(graded)
    if not items:
        raise GapError(nothing if left_out else "there are no rows to grade")
    value = mean([item.value for item in items])
    return Score(value, items, {"left_out": float(left_out)} if left_out else {})
