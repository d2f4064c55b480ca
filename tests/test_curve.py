"""A curve in a few lines of text: where its values are, how wide it is, what it cannot draw."""

import math
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as some

from di_bench.curve import WIDE, carries, curve

SIDE = 13
"""Letters of a number, a space and the axis."""
NUMBERS = some.lists(some.floats(), max_size=200)


def body(lines: list[str]) -> list[str]:
    """What is drawn, without the axes."""
    return [line[SIDE:] for line in lines[:-2]]


def test_values_fall_from_left_to_right_between_their_axis_numbers() -> None:
    lines = curve([4.0, 3.0, 2.0, 1.0, 0.0], 5, braille=False)
    assert [line[:SIDE] for line in lines] == [
        "          4 +", "            |", "          2 +", "            |", "          0 +",
        "            +", "             "
    ]  # fmt: skip
    drawn = body(lines)
    assert [row.index("*") for row in drawn] == sorted(row.index("*") for row in drawn)
    assert (drawn[0].index("*"), len(drawn[4]), drawn[4][-1]) == (0, WIDE - SIDE, "*")
    assert "".join(drawn).count("*") == WIDE - SIDE
    assert lines[-2] == " " * (SIDE - 1) + "+" + "-" * (WIDE - SIDE)
    assert lines[-1].split() == ["1", "3", "5"]
    assert lines[-1].index("5") == WIDE - 1


def test_a_braille_letter_holds_two_by_four_dots() -> None:
    lines = curve([1.0, 0.0], 2)
    assert lines[0].startswith("          1 ┤⠉")
    assert lines[1].startswith("          0 ┤")
    assert lines[1].endswith("⣀")
    dots = sum(
        bin(ord(letter) - 0x2800).count("1") for row in body(lines) for letter in row.strip()
    )
    assert dots == (WIDE - SIDE) * 2  # the line is wider than high: one dot in each column
    assert lines[2] == " " * (SIDE - 1) + "└" + "─" * (WIDE - SIDE)


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([2.0, 2.0, 2.0], ["2.2", "1.971", "1.8"]),
        ([0.0], ["1", "-0.1429", "-1"]),
        ([1e9, 1.0], ["1e+09", "4.286e+08", "1"]),
        ([-3.25, -7.5], ["-3.25", "-5.679", "-7.5"]),
    ],
)
def test_an_axis_has_room_even_where_all_values_are_one(
    values: list[float], labels: list[str]
) -> None:
    lines = curve(values)
    assert [line[: SIDE - 2].strip() for line in lines if "┤" in line] == labels
    assert any(row.strip() for row in body(lines))


def test_what_is_not_finite_leaves_a_gap() -> None:
    whole = "".join(body(curve([1.0] * 5, braille=False))).count("*")
    gap = "".join(body(curve([1.0, 1.0, math.nan, 1.0, 1.0], braille=False))).count("*")
    assert 0 < gap < whole
    assert curve([]) == curve([math.nan, math.inf]) == []
    assert curve([math.inf, 1.0])[-1].split() == ["1", "2"]


@given(NUMBERS, some.integers(2, 12), some.booleans())
def test_any_values_make_lines_of_the_same_room(
    values: list[float],
    height: int,
    braille: bool,  # noqa: FBT001 - drawn by hypothesis
) -> None:
    lines = curve(values, height, braille=braille)
    assert len(lines) == (height + 2 if any(map(math.isfinite, values)) else 0)
    assert all(len(line) <= WIDE for line in lines)
    assert "".join(lines).isprintable()
    if not braille:
        assert "".join(lines).isascii()


def test_the_edges_of_floats_are_drawn() -> None:
    most = sys.float_info.max
    for values in ([most, -most], [most, most], [-most], [5e-324, 0.0], [5e-324]):
        assert any(row.strip() for row in body(curve(values))), values


@pytest.mark.parametrize(
    ("encoding", "able"),
    [("utf-8", True), ("utf-16", True), ("ascii", False), ("cp1252", False), ("latin-1", False),
     (None, False), ("no such thing", False)],
)  # fmt: skip
def test_whether_an_encoding_carries_braille(encoding: str | None, able: bool) -> None:  # noqa: FBT001 - of the table
    assert carries(encoding) is able
