"""The Pareto front: whom nobody beats, and by whom the others are beaten.

A front names trade-offs and ranks nothing. Its ends may have forgotten everything, or nothing.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Point:
    """A method and how far it is from the best end of each axis: less is better on both."""

    name: str
    forgetting: float
    utility: float


Beats = Callable[[Point, Point], bool]


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


def front(points: Iterable[Point], beats: Beats = dominates) -> tuple[Point, ...]:
    """The points that no other beats, in the order given.

    Another `beats` may ask for more than a smaller mean, such as an interval that excludes none.
    """
    found = tuple(points)
    return tuple(one for one in found if not any(beats(other, one) for other in found))


def beaten(
    points: Sequence[Point], beats: Beats = dominates
) -> tuple[tuple[Point, tuple[Point, ...]], ...]:
    """Each point off the front, and the members of the front that beat it.

    Where `beats` is no order, a point may be beaten by others alone: then by all of those.
    """
    members = front(points, beats)
    off_it = [point for point in points if point not in members]
    found = []
    for point in off_it:
        above = tuple(one for one in members if beats(one, point))
        found.append((point, above or tuple(one for one in points if beats(one, point))))
    return tuple(found)
