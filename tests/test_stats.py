"""Intervals and tests by hand, against scipy, and at their edges."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy

from di_bench.stats import Sample, difference, holm, interval, sample

TABLE = [[1.0, 2.0, 6.0], [3.0, 4.0, 8.0]]
"""Two seeds, three items: means 3 and 5, 2 and 3 and 7, no interaction.

MS_seed = 3 (1 + 1) / 1 = 6, MS_item = 2 (4 + 1 + 9) / 2 = 14, MS_residual = 0.
"""


def of(table: Sequence[Sequence[float]], seeds: Sequence[int] = ()) -> Sample:
    """A sample of items that are their own groups."""
    known = dict(zip(seeds or range(len(table)), table, strict=True))
    return sample(
        {seed: math.fsum(row) / len(row) for seed, row in known.items()},
        {seed: [(f"i{n}", f"i{n}", v) for n, v in enumerate(row)] for seed, row in known.items()},
    )


def scores(values: Sequence[float], seeds: Sequence[int] = ()) -> Sample:
    return sample(dict(zip(seeds or range(len(values)), values, strict=True)), {})


def test_seeds_and_items_are_crossed() -> None:
    found = interval(of(TABLE))
    assert found is not None
    variance, df = 20 / 6, 1 / (6 / 20 / 1 + 14 / 20 / 2)
    half = scipy.t.ppf(0.975, df) * math.sqrt(variance)
    assert (found.how, found.mean) == ("crossed", 4.0)
    assert found.df == pytest.approx(df)
    assert (found.low, found.high) == pytest.approx((4 - half, 4 + half))


@pytest.mark.parametrize(
    ("table", "variance", "df"),
    [
        # means of seeds 2 and 3, of items 2 and 3: MS_seed = MS_item = MS_residual = 1
        ([[2.0, 2.0], [2.0, 4.0]], 1 / 4, 1),
        # MS_seed = 1, MS_item = 4, MS_residual = 9: less than nothing, so the smaller, 1
        ([[0.0, 5.0], [2.0, 1.0]], 1 / 4, 1),
        # means of seeds 2 and 3, of items 2.5 and 2.5: MS_item = 0, MS_residual = 4, so 1
        ([[1.0, 3.0], [4.0, 2.0]], 1 / 4, 1),
        # 1/4 in both seeds, never of the same item: MS_seed = 0, MS_item = 1/6, MS_residual = 1/3
        ([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]], 1 / 6 / 8, 3),
    ],
)
def test_a_variance_that_is_no_more_than_noise_does_not_vanish(
    table: list[list[float]], variance: float, df: int
) -> None:
    found = interval(of(table))
    assert found is not None
    assert found.df == pytest.approx(df)
    half = scipy.t.ppf(0.975, df) * math.sqrt(variance)
    assert found.high - found.mean == pytest.approx(half)


def test_one_seed_speaks_of_items_alone_and_says_so() -> None:
    found = interval(of([[1.0, 2.0, 6.0]]))
    assert found is not None
    low, high = scipy.t.interval(0.95, 2, loc=3, scale=scipy.sem([1, 2, 6]))
    assert (found.how, found.df) == ("items", 2)
    assert (found.low, found.high) == pytest.approx((low, high))


def test_scores_without_items_speak_of_seeds_alone() -> None:
    found = interval(scores([0.1, 0.2, 0.6]))
    assert found is not None
    low, high = scipy.t.interval(0.95, 2, loc=0.3, scale=scipy.sem([0.1, 0.2, 0.6]))
    assert found.how == "seeds"
    assert (found.low, found.high) == pytest.approx((low, high))


@pytest.mark.parametrize("empty", [scores([]), scores([0.5]), of([[0.5]])])
def test_where_nothing_can_be_told_there_is_none(empty: Sample) -> None:
    assert interval(empty) is None
    assert difference(empty, of(TABLE)) is None
    assert difference(empty, empty) is None


def test_scores_that_are_no_means_of_their_items_do_without_them() -> None:
    rows = {seed: [("a", "a", 1.0), ("b", "b", 2.0)] for seed in range(2)}
    assert sample({0: 1.5, 1: 1.5 + 1e-12}, rows).units == ("a", "b")
    assert sample({0: 1.5, 1: 1.501}, rows).units == ()
    assert sample({0: 1.5, 1: 1.5}, {0: rows[0]}).units == ()


def test_a_seed_without_a_number_is_left_out() -> None:
    assert sample({2: 0.5, 0: math.nan, 1: math.inf}, {}).seeds == (2,)
    rows = {seed: [("a", "a", math.nan), ("b", "b", 2.0)] for seed in range(2)}
    assert sample({0: 1.5, 1: 1.5}, rows).items is None


def test_seeds_stand_in_order() -> None:
    found = sample({3: 0.3, 1: 0.1}, {})
    assert (found.seeds, list(found.scores)) == ((1, 3), [0.1, 0.3])


GROUPED: Mapping[int, list[tuple[str, str, float]]] = {
    0: [("a1", "a", 1.0), ("a2", "a", 3.0), ("a3", "a", 5.0), ("b1", "b", 7.0)],
    1: [("a1", "a", 2.0), ("b1", "b", 8.0), ("a2", "a", 2.0), ("a3", "a", 4.0)],
}


def test_a_large_group_counts_for_more() -> None:
    found = sample({0: 4.0, 1: 4.0}, GROUPED)
    assert found.units == ("a", "b")
    assert found.items is not None
    # seed 0: group a of three has mean 3, so 4 + 2 * 3/4 * (3 - 4); b of one 4 + 2 * 1/4 * (7 - 4)
    assert found.items.tolist() == [[2.5, 5.5], pytest.approx([2.0, 6.0])]


def test_one_lone_group_is_no_group() -> None:
    rows = {seed: [(f"i{n}", "task", float(n)) for n in range(3)] for seed in range(2)}
    assert sample({0: 1.0, 1: 1.0}, rows).units == ("i0", "i1", "i2")


def test_a_unit_that_a_seed_lacks_does_not_move_that_seed() -> None:
    rows = {0: [(f"i{n}", f"i{n}", float(n)) for n in range(4)]}
    rows[1] = rows[0][:3]
    found = sample({0: 1.5, 1: 1.0}, rows)
    assert found.items is not None
    assert found.items[1] == pytest.approx([1 - 4 / 3, 1, 1 + 4 / 3, 1])
    few = {0: rows[0], 1: rows[0][:1]}
    assert sample({0: 1.5, 1: 0.0}, few).items is None


@given(
    rows=st.lists(
        st.tuples(
            st.integers(0, 2),
            st.sampled_from("abcd"),
            st.floats(-10, 10).map(lambda v: round(v, 6)),
        ),
        min_size=1,
        max_size=40,
    )
)
@settings(max_examples=50, deadline=None)
def test_contributions_average_to_the_score(rows: list[tuple[int, str, float]]) -> None:
    items: dict[int, list[tuple[str, str, float]]] = {}
    for place, (seed, group, value) in enumerate(rows):
        items.setdefault(seed, []).append((f"i{place}", group, value))
    means = {seed: math.fsum(r[2] for r in found) / len(found) for seed, found in items.items()}
    found = sample(means, items)
    if found.items is not None:
        assert found.items.mean(1) == pytest.approx(found.scores, abs=1e-9)


def test_the_same_seeds_and_items_are_paired() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 3, 8))
    found, alone = difference(of(a.tolist()), of(b.tolist())), interval(of((a - b).tolist()))
    assert found is not None
    assert alone is not None
    assert found.how == "paired"
    assert (found.mean, found.low, found.high, found.df) == pytest.approx(
        (alone.mean, alone.low, alone.high, alone.df)
    )
    half = (found.high - found.low) / 2 / scipy.t.ppf(0.975, found.df)
    assert found.p == pytest.approx(2 * scipy.t.sf(abs(found.mean) / half, found.df))


def test_paired_seeds_are_students_paired_t() -> None:
    a, b = [0.1, 0.5, 0.3], [0.2, 0.7, 0.31]
    found, theirs = difference(scores(a), scores(b)), scipy.ttest_rel(a, b)
    assert found is not None
    assert (found.how, found.df) == ("paired seeds", 2)
    assert found.p == pytest.approx(theirs.pvalue)
    ends = theirs.confidence_interval()
    assert (found.low, found.high) == pytest.approx((ends.low, ends.high))


def test_other_seeds_are_welchs_test() -> None:
    a, b = [0.1, 0.5, 0.3], [0.2, 0.7, 0.31, 0.9]
    theirs = scipy.ttest_ind(a, b, equal_var=False)
    found = difference(scores(a), scores(b, [3, 4, 5, 6]))
    assert found is not None
    assert found.how == "welch"
    assert found.df == pytest.approx(theirs.df)
    assert found.p == pytest.approx(theirs.pvalue)
    ends = theirs.confidence_interval()
    assert (found.low, found.high) == pytest.approx((ends.low, ends.high))


def test_seeds_that_only_one_side_has_do_not_end_the_pairing() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(2, 4, 6))
    found = difference(of(a.tolist()), of(b[:3].tolist()))
    assert found == difference(of(a[:3].tolist()), of(b[:3].tolist()))
    assert found is not None
    assert found.how == "paired"
    apart = difference(of(a[:2].tolist()), of(b.tolist(), [1, 2, 3, 4]))
    assert apart is not None
    assert apart.how == "welch"


def test_one_seed_each_is_a_paired_t_over_items() -> None:
    a, b = [1.0, 2.0, 6.0], [1.5, 1.0, 7.5]
    found, theirs = difference(of([a]), of([b], [4])), scipy.ttest_rel(a, b)
    assert found is not None
    assert found.how == "items"
    assert found.p == pytest.approx(theirs.pvalue)
    assert difference(scores([0.5]), scores([0.7])) is None


def test_one_seed_against_several_takes_their_mean_item_by_item() -> None:
    a = [1.0, 2.0, 6.5]
    found, theirs = difference(of([a]), of(TABLE)), scipy.ttest_rel(a, np.mean(TABLE, 0))
    assert found is not None
    assert found.how == "items"
    assert found.p == pytest.approx(theirs.pvalue)


def test_items_that_one_side_lacks_do_not_end_the_pairing() -> None:
    rng = np.random.default_rng(1)
    table = rng.normal(size=(3, 8))
    fewer = of(table[:, :7].tolist())
    found = difference(of(table.tolist()), fewer)
    assert found is not None
    assert found.how == "paired"
    assert found.mean == pytest.approx(table.mean() - table[:, :7].mean())
    apart = Sample(fewer.seeds, fewer.scores, tuple(f"z{n}" for n in range(7)), fewer.items)
    other = difference(of(table.tolist()), apart)
    assert other is not None
    assert other.how == "paired seeds"


def test_what_never_varies_has_no_width() -> None:
    same = of([[0.5] * 4] * 3)
    found = interval(same)
    assert found is not None
    assert (found.low, found.high) == (0.5, 0.5)
    for other in (same, scores([0.5] * 3)):
        none = difference(same, other)
        assert none is not None
        assert (none.mean, none.p) == (0, 1)
    apart = difference(same, of([[0.25] * 4] * 3))
    assert apart is not None
    assert (apart.mean, apart.p) == (0.25, 0)


def test_the_last_digits_of_a_sum_are_no_finding() -> None:
    found = difference(scores([0.3] * 3), scores([0.1 + 0.2] * 3))
    assert found is not None
    assert found.p == 1


def test_numbers_too_large_to_square_have_no_interval() -> None:
    vast = scores([1e200, 3e200])
    assert interval(vast) is None
    assert difference(vast, scores([1.0, 2.0])) is None
    assert difference(vast, scores([1.0, 2.0], [2, 3])) is None
    assert interval(of([[1e200, 2e200], [3e200, 1e200]])) is None


@pytest.mark.parametrize(
    ("p", "adjusted"),
    [
        ([], []),
        ([0.04], [0.04]),
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        ([0.5, 0.6, 0.9], [1.0, 1.0, 1.0]),
        ([0.02, math.nan, 0.01], [0.02, math.nan, 0.02]),
    ],
)
def test_holm_against_known_values(p: list[float], adjusted: list[float]) -> None:
    assert holm(p) == pytest.approx(adjusted, nan_ok=True)
