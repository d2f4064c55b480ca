"""Ties and ranks: every pair at once is what one test of a pair says, and no test is no finding."""

import numpy as np
import pytest

from di_bench.standing import Place, estimates, p_values, places
from di_bench.stats import Sample, difference, interval, sample


def scores(values: list[float], first: int = 0) -> Sample:
    return sample({first + at: value for at, value in enumerate(values)}, {})


def table(rng: np.random.Generator, seeds: int, units: int, mean: float = 0.0) -> Sample:
    items = mean + rng.normal(size=(seeds, units))
    names = tuple(f"u{n}" for n in range(units))
    return Sample(tuple(range(seeds)), items.mean(1), names, items)


@pytest.fixture
def mixed() -> list[Sample]:
    """Rows that pair by items, by seeds, not at all, and one without a value."""
    rng = np.random.default_rng(0)
    same = [table(rng, 3, 8, mean) for mean in (0.0, 0.1, 2.0)]
    twin = Sample(same[0].seeds, same[0].scores, same[0].units, same[0].items)
    one = table(rng, 1, 8)
    return [
        *same, twin, table(rng, 3, 7), table(rng, 4, 8), one, one, scores([0.1, 0.2, 0.4]),
        scores([0.3, 0.1, 0.2]), scores([0.3, 0.1], 7), scores([0.5]), scores([]),
    ]  # fmt: skip


def test_all_pairs_at_once_are_each_pairs_own_test(mixed: list[Sample]) -> None:
    p = p_values(mixed)
    for a, one in enumerate(mixed):
        for b, other in enumerate(mixed):
            told = difference(one, other)
            if a != b:
                assert p[a, b] == pytest.approx(told.p if told else np.nan, nan_ok=True), (a, b)
    assert p[0, 3] == 1


def test_all_intervals_at_once_are_each_ones_own(mixed: list[Sample]) -> None:
    for made, one in zip(estimates(mixed), mixed, strict=True):
        alone = interval(one)
        assert (made is None) == (alone is None)
        if made and alone:
            assert made.how == alone.how
            numbers = (made.mean, made.low, made.high, made.df)
            assert numbers == pytest.approx((alone.mean, alone.low, alone.high, alone.df))


def test_the_best_goes_by_the_direction_and_near_ones_are_tied() -> None:
    rows = [scores([0.1, 0.11, 0.12]), scores([0.11, 0.12, 0.11]), scores([0.9, 0.91, 0.93])]
    # rows 1 and 2 differ by -.01 -.01 .01 (p .42), each from row 3 by about .8 (p .00002)
    low = places(rows, lower=True)
    assert [place.best for place in low] == [True, False, False]
    assert [place.tied for place in low] == [False, True, False]
    assert [str(place) for place in low] == ["1-2", "1-2", "3"]
    high = places(rows, lower=False)
    assert [place.best for place in high] == [False, False, True]
    assert not any(place.tied for place in high)
    assert [str(place) for place in high] == ["2-3", "2-3", "1"]


def test_several_tests_are_adjusted_for() -> None:
    # .1 .11 .12 apart: t = .11 / (.01 / sqrt(3)) = 19.1, p = .003; times 20 it is .05 and more
    base = [0.5, 0.6, 0.7]
    near = [value + by for value, by in zip(base, (0.1, 0.11, 0.12), strict=True)]
    two = places([scores(base), scores(near)], lower=True)
    assert [place.tied for place in two] == [False, False]
    many = places([scores(base), *[scores(near)] * 20], lower=True)
    assert all(place.tied for place in many[1:])
    assert many[0] == Place(best=True, tied=False, low=1, high=21)


def test_equal_means_have_one_best_and_what_cannot_be_tested_is_tied() -> None:
    same = places([scores([0.5, 0.5]), scores([0.5, 0.5])], lower=True)
    assert [(place.best, place.tied) for place in same] == [(True, False), (False, True)]
    lone = places([scores([0.1]), scores([0.9])], lower=True)
    assert [(place.best, place.tied, str(place)) for place in lone] == [
        (True, False, "1-2"), (False, True, "1-2"),
    ]  # fmt: skip
    assert places([], lower=True) == []
