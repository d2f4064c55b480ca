"""Who is on the front, on points made by hand."""

import math
from itertools import permutations
from typing import Literal

import pytest

from di_bench.front import Point, beaten, dominates, front, off

FAR = Point("far", 0.1, -0.2)  # forgot most, useful least
MID = Point("mid", 0.3, -0.5)
NEAR = Point("near", 0.6, -0.9)
UNDER = Point("under", 0.4, -0.4)  # under MID on both axes
LOST = Point("lost", 0.7, -0.1)  # under everyone


def names(points: tuple[Point, ...]) -> list[str]:
    return [point.name for point in points]


def test_the_front_holds_whom_nobody_beats_in_the_order_given() -> None:
    assert names(front([NEAR, UNDER, FAR, LOST, MID])) == ["near", "far", "mid"]
    assert front([]) == ()
    assert front([LOST]) == (LOST,)
    for order in permutations([FAR, MID, NEAR, UNDER, LOST]):
        assert {*front(order)} == {FAR, MID, NEAR}


def test_the_beaten_are_named_with_the_members_that_beat_them() -> None:
    said = {point.name: names(by) for point, by in beaten([FAR, MID, NEAR, UNDER, LOST])}
    assert said == {"under": ["mid"], "lost": ["far", "mid", "near"]}


def test_no_worse_on_one_axis_and_better_on_the_other_is_enough() -> None:
    level = Point("level", 0.3, -0.4)  # forgot what MID did, is less useful
    assert dominates(MID, level)
    assert not dominates(level, MID)
    assert front([level, MID]) == (MID,)


def test_equal_points_leave_each_other_alone() -> None:
    twin = Point("twin", MID.forgetting, MID.utility)
    assert front([MID, twin, UNDER]) == (MID, twin)
    assert beaten([MID, twin, UNDER]) == ((UNDER, (MID, twin)),)


@pytest.mark.parametrize(
    ("value", "better", "gold", "turned"),
    [
        (0.25, "lower", None, 0.25),
        (0.25, "higher", None, -0.25),
        (0.25, "gold", 0.75, 0.5),
        (1.25, "gold", 0.75, 0.5),  # over-forgotten by as much
        (0.25, "gold", None, None),
        (0.25, "gold", math.nan, None),
        (None, "lower", 0.75, None),
        (None, "gold", 0.75, None),
        (math.nan, "higher", None, None),
        (math.inf, "lower", None, math.inf),
    ],
)
def test_an_axis_is_turned_so_that_less_is_better(
    value: float | None,
    better: Literal["lower", "higher", "gold"],
    gold: float | None,
    turned: float | None,
) -> None:
    assert off(value, better, gold) == turned
