"""Truth ratio, forget quality and the distance from golds, by hand and against scipy."""

import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from di_bench.metrics.gold import deviations, log10_p, log_mean_exp, log_ratios
from di_bench.transcript import Row
from tests.grading import grade, ratio_rows, read, value


def test_truth_ratio_by_hand() -> None:
    rows = [
        read("a1", 0.5, part="paraphrase"),
        read("a1", 0.9),
        read("a1", 0.1, part="perturbed"),
        read("a1", 0.4, 0.4, part="perturbed", index=1),
    ]
    assert value("truth_ratio", rows) == pytest.approx(0.2 / 0.5)
    assert value("truth_ratio@arith", rows) == pytest.approx(0.25 / 0.5)


def test_truth_ratio_without_paraphrase_takes_the_answer() -> None:
    assert value("truth_ratio", ratio_rows([0.25], right="answer")) == pytest.approx(0.25)


def test_truth_ratio_folds_both_sides() -> None:
    rows = ratio_rows([4.0, 0.25, 1.0])
    assert [log for _, log in log_ratios(rows)] == pytest.approx([math.log(4), -math.log(4), 0])
    assert value("truth_ratio", rows) == pytest.approx((0.25 + 0.25 + 1) / 3)


def test_truth_ratio_at_the_end_of_numbers() -> None:
    never = [read("a1", 0.0, part="paraphrase"), read("a1", 0.5, part="perturbed")]
    assert value("truth_ratio", never) == 0.0
    assert value("truth_ratio@arith", never) == 0.0
    far = [Row("a1", logprobs=(-2000.0,)), Row("a1", part="perturbed", logprobs=(-2001.0,))]
    assert value("truth_ratio", far) == pytest.approx(math.exp(-1))
    assert value("truth_ratio@arith", far) == pytest.approx(math.exp(-1))
    both = [read("a1", 0.0), read("a1", 0.0, part="perturbed")]
    assert "zero" in grade("truth_ratio", both).gap


def test_items_without_a_side_are_left_out() -> None:
    rows = [*ratio_rows([0.5]), read("z1", 0.5), read("z2", 0.5, part="perturbed")]
    score = grade("truth_ratio", rows)
    assert len(score.items) == 1
    assert score.parts == {"left_out": 2.0}
    assert grade("truth_ratio", [read("z1", 0.5)]).gap == (
        "no item has both a right and a perturbed answer"
    )


def test_log_mean_exp() -> None:
    assert log_mean_exp([math.log(0.2), math.log(0.4)]) == pytest.approx(math.log(0.3))
    assert log_mean_exp([-math.inf, -math.inf]) == -math.inf


samples = st.integers(1, 30).flatmap(
    lambda n: st.tuples(*[st.lists(st.integers(-8, 8), min_size=n, max_size=n)] * 2)
)


@settings(max_examples=40, deadline=None)
@given(samples)
def test_kolmogorov_smirnov_is_scipys(both: tuple[list[int], list[int]]) -> None:
    own, gold = both
    up, down = deviations(own, gold)
    assert up / len(own) == pytest.approx(ks_2samp(own, gold, alternative="less").statistic)
    p = 10 ** log10_p(max(up, down), len(own))
    if max(up, down) < 2:  # certain; scipy's exact form gives up just above 1
        assert p == pytest.approx(1)
    else:
        theirs = ks_2samp(own, gold, method="exact")
        assert max(up, down) / len(own) == pytest.approx(theirs.statistic)
        assert p == pytest.approx(theirs.pvalue, rel=1e-9)


def test_kolmogorov_smirnov_never_underflows() -> None:
    assert 10 ** log10_p(100, 100) == pytest.approx(2 / math.comb(200, 100), rel=1e-10)
    assert 10 ** log10_p(400, 400) == pytest.approx(1.06e-239, rel=1e-2)
    assert log10_p(5000, 5000) == pytest.approx(math.log10(2) - math.log10(math.comb(10000, 5000)))
    assert log10_p(0, 5) == 0.0


def test_forget_quality_by_hand() -> None:
    own, gold = ratio_rows([0.1] * 100), ratio_rows([0.9] * 100)
    score = grade("forget_quality", own, golds=[[gold]])
    assert score.value == pytest.approx(2 / math.comb(200, 100), rel=1e-9)
    assert score.parts["D"] == 1.0
    assert score.parts["direction"] == -1.0
    assert score.parts["n"] == 100
    assert score.parts["log10_p"] == pytest.approx(-58.656, abs=1e-3)
    assert grade("forget_quality", gold, golds=[[own]]).parts["direction"] == 1.0


def test_forget_quality_of_gold_itself() -> None:
    rows = ratio_rows([0.5, 1.0, 2.0])
    score = grade("forget_quality", rows, golds=[[rows]])
    assert score.value == 1.0
    assert score.parts == {"D": 0.0, "direction": 0.0, "log10_p": 0.0, "n": 3.0}


def test_forget_quality_over_several_golds() -> None:
    own = ratio_rows([0.1] * 10)
    golds = [[ratio_rows([0.9] * 10)], [own]]
    score = grade("forget_quality", own, golds=golds)
    assert score.value == pytest.approx(math.sqrt(2 / math.comb(20, 10)))
    assert score.parts["D"] == 0.5


def test_forget_quality_gaps() -> None:
    own = ratio_rows([0.5, 0.6])
    assert grade("forget_quality", own).gap == "no gold model to compare with"
    assert "same items" in grade("forget_quality", own, golds=[[own], [own[:3]]]).gap
    broken = [*own, Row("bad7", logprobs=(math.nan,))]
    assert grade("forget_quality", own, golds=[[broken]]).gap.startswith("gold model 0: ")


# The arithmetic form


def uneven(ratios: Sequence[tuple[float, float]]) -> list[Row]:
    """Items with p(right) = .4, and two wrong answers at these multiples of it."""
    rows = []
    for at, both in enumerate(ratios):
        rows.append(read(f"i{at}", 0.4, part="paraphrase"))
        rows += [read(f"i{at}", 0.4 * x, part="perturbed", index=k) for k, x in enumerate(both)]
    return rows


def test_arithmetic_ratios_by_hand() -> None:
    rows = uneven([(0.5, 2.0), (0.1, 0.4), (0.9, 2.5)])
    geometric = [log for _, log in log_ratios(rows)]
    arithmetic = [log for _, log in log_ratios(rows, log_mean_exp)]
    assert geometric == pytest.approx([0.0, math.log(0.2), math.log(1.5)])
    assert arithmetic == pytest.approx([math.log(1.25), math.log(0.25), math.log(1.7)])
    assert value("truth_ratio@geo", rows) == pytest.approx((1 + 0.2 + 1 / 1.5) / 3)
    assert value("truth_ratio@arith", rows) == pytest.approx((0.8 + 0.25 + 1 / 1.7) / 3)


def drawn(seed: int, shift: float = 0.0) -> list[tuple[float, float]]:
    rng = random.Random(seed)
    return [(rng.uniform(0.1, 0.9) + shift, rng.uniform(0.1, 2.0)) for _ in range(30)]


@pytest.mark.parametrize("shift", [0.0, 0.2, 0.6])
def test_arithmetic_forget_quality_is_scipys(shift: float) -> None:
    ours, theirs = drawn(1, shift), drawn(2)
    score = grade("forget_quality@ks-arith", uneven(ours), golds=[[uneven(theirs)]])
    own, gold = ([(x + y) / 2 for x, y in ratios] for ratios in (ours, theirs))
    told = ks_2samp(own, gold, method="exact")
    assert score.value == pytest.approx(told.pvalue, rel=1e-9)
    assert score.parts["D"] == pytest.approx(told.statistic)
    assert score.parts["n"] == 30


def test_the_forms_of_forget_quality_differ() -> None:
    """Geometric R are all 1 on both sides; arithmetic ones lie above and below."""
    own, gold = uneven([(0.5, 2.0)] * 9), uneven([(1.0, 1.0)] * 9)
    assert grade("forget_quality@ks-arith", own, golds=[[gold]]).parts["D"] == 1.0
    assert grade("forget_quality@ks-arith", own, golds=[[gold]]).parts["direction"] == 1.0


# How far from a gold, in steps of their noise


def test_gold_distance_by_hand() -> None:
    own = ratio_rows([0.1, 0.2, 0.3, 0.4])
    golds = [
        [ratio_rows([0.25, 0.35, 0.45, 0.55])],  # its own seed's: enters the noise alone
        [ratio_rows([0.25, 0.35, 0.45, 0.95])],
        [ratio_rows([0.15, 0.75, 0.85, 0.95])],
    ]
    # own above and below: against the second 2 of 4, against the third 3 of 4
    # the golds: first and second 1 of 4, first and third 3 of 4, second and third 2 of 4
    score = grade("gold_distance", own, golds=golds)
    assert score.parts == pytest.approx({"D": 0.625, "D_golds": 0.5, "pairs": 3})
    assert score.value == pytest.approx(1.25)
    assert score.items == ()


@pytest.mark.parametrize("seed", range(5))
def test_gold_distance_is_made_of_scipys_statistics(seed: int) -> None:
    rng = random.Random(seed)
    own, *golds = [[rng.uniform(0.1, 3) for _ in range(12)] for _ in range(4)]
    score = grade("gold_distance", ratio_rows(own), golds=[[ratio_rows(gold)] for gold in golds])

    def distance(one: list[float], other: list[float]) -> float:
        return float(ks_2samp(one, other).statistic)

    far = (distance(own, golds[1]) + distance(own, golds[2])) / 2
    noise = sum(distance(golds[i], golds[j]) for i, j in ((0, 1), (0, 2), (1, 2))) / 3
    assert score.parts["D"] == pytest.approx(far)
    assert score.parts["D_golds"] == pytest.approx(noise)
    assert score.value == pytest.approx(far / noise)


def test_gold_distance_of_a_gold_against_another_is_one() -> None:
    one, other = ratio_rows([0.1, 0.2, 0.3]), ratio_rows([0.1, 0.2, 0.9])
    assert value("gold_distance", one, golds=[[one], [other]]) == 1.0


def test_gold_distance_gaps() -> None:
    one, other = ratio_rows([0.1, 0.2, 0.3]), ratio_rows([0.1, 0.2, 0.9])
    assert grade("gold_distance", one).gap == "no gold model to compare with"
    assert "two grow seeds" in grade("gold_distance", one, golds=[[other]]).gap
    assert grade("gold_distance", one, golds=[[other], [other]]).gap == (
        "the golds do not differ at all"
    )
    fewer = ratio_rows([0.1, 0.2])
    for golds in ([[one], [fewer]], [[fewer], [other]]):
        assert "not asked about the same items" in grade("gold_distance", one, golds=golds).gap
    broken = [*other, Row("bad7", logprobs=(math.nan,))]
    assert "bad7" in grade("gold_distance", one, golds=[[one], [broken]]).gap
    assert (
        "right and a perturbed" in grade("gold_distance", [read("i0", 0.5)], golds=[[one]] * 2).gap
    )
