"""The Pareto front: whom nobody beats, and by whom the others are beaten.

A front names trade-offs and ranks nothing. Its ends may have forgotten everything, or nothing.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Point:
    """A method and how far it is from the best end of each axis: less is better on both."""

    name: str
    forgetting: float
    utility: float


def off(
    value: float | None, better: Literal["lower", "higher", "gold"], gold: float | None = None
) -> float | None:
    """A value turned so that less is better: for `gold` its distance to the gold's value.

    None where the value, or the gold's that it needs, is missing or is no number.
    """
    if value is None or math.isnan(value):
        return None
    if better != "gold":
        return value if better == "lower" else -value
    return None if gold is None or math.isnan(gold) else abs(value - gold)


def dominates(one: Point, other: Point) -> bool:
    """No worse on either axis and better on one. Equal points leave each other alone."""
    mine, theirs = (one.forgetting, one.utility), (other.forgetting, other.utility)
    return mine != theirs and all(a <= b for a, b in zip(mine, theirs, strict=True))


def front(points: Iterable[Point]) -> tuple[Point, ...]:
    """The points that no other dominates, in the order given."""
    found = tuple(points)
    return tuple(one for one in found if not any(dominates(other, one) for other in found))


def beaten(points: Sequence[Point]) -> tuple[tuple[Point, tuple[Point, ...]], ...]:
    """Each point off the front, and the members of the front that dominate it."""
    members = front(points)
    return tuple(
        (point, tuple(one for one in members if dominates(one, point)))
        for point in points
        if point not in members
    )
