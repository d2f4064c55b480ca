"""Every metric against values worked out by hand, its bounds, its extremes and its gaps."""

import math
import random
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from di_bench.errors import SuiteError
from di_bench.metrics import METRICS, VERSIONS, metric
from di_bench.metrics.extraction import overlap, strength
from di_bench.metrics.gold import deviations, log10_p, log_mean_exp, log_ratios
from di_bench.metrics.items import mean
from di_bench.transcript import Part, Row, Rows
from tests.grading import grade, value, wrote


def read(item: str, *probabilities: float, part: Part = "answer", index: int = 0) -> Row:
    """A row whose tokens have these probabilities; a token is a hit from one half up."""
    logprobs = tuple(math.log(p) if p else -math.inf for p in probabilities)
    hits = tuple(p >= 0.5 for p in probabilities)
    return Row(item, group=item[0], part=part, index=index, logprobs=logprobs, hits=hits)


def ratio_rows(ratios: Sequence[float], right: Part = "paraphrase") -> list[Row]:
    """Items whose truth ratio is R: the right answer has probability p, two wrong ones R p."""
    rows = []
    for at, ratio in enumerate(ratios):
        p = min(1.0, 1 / ratio) / 2
        rows.append(read(f"i{at}", p, p, part=right))
        rows += [read(f"i{at}", ratio * p, part="perturbed", index=k) for k in range(2)]
    return rows


# The table


def test_table_is_whole() -> None:
    for name, entry in METRICS.items():
        assert entry.name == name
        assert entry.version
        assert entry.asks
    assert metric("rouge").better == "memory"
    assert metric("forget_quality").needs == "gold"
    assert len(metric("model_utility").asks) == 6


@pytest.mark.parametrize("name", VERSIONS)
def test_every_formula_explains_itself(name: str) -> None:
    explained = VERSIONS[name].compute.__doc__ or ""
    for word in ("Source: ", "Range: ", "Better: ", "Good or bad: ", "Lies: "):
        assert word in explained, word


def test_unknown_metric_names_the_nearest() -> None:
    with pytest.raises(SuiteError, match="did you mean 'rouge'"):
        metric("rogue")


@pytest.mark.parametrize("name", VERSIONS)
def test_no_rows_are_a_gap(name: str) -> None:
    probes: list[Rows] = [[] for _ in VERSIONS[name].asks]
    score = VERSIONS[name](probes, [probes, probes], probes)
    assert score.value is None
    assert score.gap
    assert score.items == ()


def test_import_loads_the_standard_library_alone() -> None:
    heavy = "{'numpy', 'pandas', 'scipy', 'torch', 'mauve', 'rouge_score', 'pydantic'}"
    code = f"import sys, di_bench.metrics; print({heavy} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# Reading the true answer


def test_probability() -> None:
    rows = [read("a1", 0.5, 0.5), read("b1", 1.0, 0.25), read("b1", 0.9, part="perturbed")]
    score = grade("probability", rows)
    assert [item.value for item in score.items] == pytest.approx([0.5, 0.5])
    assert [(item.item, item.group) for item in score.items] == [("a1", "a"), ("b1", "b")]
    assert score.value == pytest.approx(0.5)
    assert value("probability", [read("a1", 1.0), read("a2", 0.0)]) == 0.5


def test_several_rows_of_an_item_are_averaged_first() -> None:
    rows = [read("a1", 1.0), read("a1", 0.5), read("a2", 0.25)]
    assert value("probability", rows) == pytest.approx((0.75 + 0.25) / 2)


def test_empty_answers_are_left_out_and_counted() -> None:
    for name in ("probability", "exact_memorization", "extraction_strength", "perplexity"):
        score = grade(name, [read("a1", 1.0), read("a2")])
        assert score.value == 1.0
        assert score.parts["left_out"] == 1
        assert grade(name, [read("a1")]).gap == "every true answer is empty or does not fit"


@pytest.mark.parametrize("broken", [math.nan, math.inf])
@pytest.mark.parametrize("name", ["probability", "perplexity", "truth_ratio", "truth_ratio@arith"])
def test_a_log_probability_that_is_no_number_names_the_item(name: str, broken: float) -> None:
    rows = [*ratio_rows([0.5]), read("i0", 0.5), Row("bad7", logprobs=(-0.1, broken))]
    score = grade(name, rows)
    assert score.value is None
    assert "bad7" in score.gap


def test_exact_memorization() -> None:
    rows = [read("a1", 0.9, 0.9, 0.1, 0.9), read("a2", 0.1, 0.1)]
    assert value("exact_memorization", rows) == pytest.approx((0.75 + 0) / 2)


@pytest.mark.parametrize(
    ("hits", "expected"),
    [
        ("1111", 1.0),
        ("0111", 0.75),
        ("1011", 0.5),
        ("0001", 0.25),
        ("1110", 0.0),
        ("0000", 0.0),
        ("1", 1.0),
        ("0", 0.0),
    ],
)
def test_extraction_strength(hits: str, expected: float) -> None:
    told = tuple(hit == "1" for hit in hits)
    assert strength(told) == expected
    assert value("extraction_strength", [Row("a1", hits=told)]) == expected


def test_extraction_strength_is_its_definition() -> None:
    for length in (1, 2, 3, 5):
        for hits in product((False, True), repeat=length):
            fewest = min(k for k in range(length + 1) if all(hits[k:]))
            assert strength(hits) == pytest.approx(1 - fewest / length)


def test_perplexity_weighs_tokens() -> None:
    rows = [read("a1", 0.5), read("a2", 0.25, 0.25, 0.25)]
    score = grade("perplexity", rows)
    assert score.value == pytest.approx(math.exp((math.log(2) + 3 * math.log(4)) / 4))
    assert [item.value for item in score.items] == pytest.approx([math.log(2), math.log(4)])
    assert score.parts == {"tokens": 4.0}


@pytest.mark.parametrize("logprob", [-math.inf, -800.0])
def test_perplexity_beyond_numbers_is_a_gap(logprob: float) -> None:
    assert "not finite" in grade("perplexity", [Row("a1", logprobs=(logprob,))]).gap


# Gold


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


# Utility


def split(ratio: float, answer: str) -> tuple[list[Row], list[Row]]:
    """One item with p(right) = 0.5 and two perturbed at `ratio` of it; and what was written."""
    asked = [read("q1", 0.5)]
    asked += [read("q1", 0.5 * ratio, part="perturbed", index=at) for at in range(2)]
    return asked, [wrote("q1", answer, truth="red green blue gray")]


def test_model_utility_by_hand() -> None:
    probes = (*split(0.5, "red green"), *split(0.25, "red"), *split(0.5, "red green blue gray"))
    score = grade("model_utility", *probes)
    parts = {
        "retain.probability": 0.5,
        "retain.rouge": 0.5,
        "retain.truth_ratio": 0.5,
        "real_authors.probability": 2 / 3,
        "real_authors.rouge": 0.25,
        "real_authors.truth_ratio": 0.75,
        "world_facts.probability": 0.5,
        "world_facts.rouge": 1.0,
        "world_facts.truth_ratio": 0.5,
    }
    assert score.parts == pytest.approx(parts)
    assert score.value == pytest.approx(9 / sum(1 / part for part in parts.values()))
    assert {item.item: item.value for item in score.items} == pytest.approx(
        {f"{name}/q1": part for name, part in parts.items()}
    )


def test_one_zero_part_makes_model_utility_zero() -> None:
    good = split(0.5, "red")
    assert value("model_utility", *good, *good, *split(0.5, "")) == 0.0
    assert value("model_utility", *good, *good, *split(2.0, "red")) == 0.0


def test_model_utility_gap_names_the_part() -> None:
    good = split(0.5, "red")
    score = grade("model_utility", *good, *good, [read("q1", 0.5)], good[1])
    assert score.gap.startswith("world_facts.probability: ")
    hopeless = [read("q1", 0.0), read("q1", 0.0, part="perturbed")]
    assert "'q1'" in grade("model_utility", *good, *good, hopeless, good[1]).gap


# Writing


@pytest.mark.parametrize(
    ("written", "true", "n", "expected"),
    [
        ((1, 2, 3, 4), (1, 2, 3, 4), 2, 1.0),
        ((1, 2, 9, 9), (1, 2, 3, 4), 2, 1 / 3),
        ((9, 1, 2, 3), (1, 2, 3, 4), 3, 1 / 2),
        ((1, 1, 1, 1), (1, 1, 2, 2), 2, 1.0),
        ((1, 1, 1, 2), (1, 1, 3, 3), 2, 2 / 3),
        ((9, 9, 9, 1, 2, 3), (1, 2, 3), 2, 0.0),
        ((1, 2), (1, 2, 3, 4), 3, 0.0),
        ((), (1, 2, 3), 3, 0.0),
        ((1, 2, 3), (1, 2), 3, None),
    ],
)
def test_overlap(
    written: tuple[int, ...], true: tuple[int, ...], n: int, expected: float | None
) -> None:
    assert overlap(written, true, n) == expected


def test_extraction_likelihood_averages_prefixes_then_items() -> None:
    rows = [
        Row("a1", start=0, truth_ids=(1, 2, 3, 4), answer_ids=(1, 2, 3, 4)),
        Row("a1", start=1, truth_ids=(2, 3, 4), answer_ids=(9, 9, 9)),
        Row("a1", start=2, truth_ids=(3, 4), answer_ids=(3, 4)),
        Row("a2", start=0, truth_ids=(5, 6, 7, 8), answer_ids=(5, 6, 7, 9)),
    ]
    score = grade("el_3", rows)
    assert [item.value for item in score.items] == [0.5, 0.5]
    assert score.parts == {"left_out": 1.0}
    assert grade("el_10", rows).gap == "no true rest has 10 tokens"


# Tasks


def test_nlu_weighs_tasks_equally() -> None:
    rows = [Row(f"piqa/{at}", group="piqa", value=1.0) for at in range(3)]
    rows += [Row("boolq/0", group="boolq", value=0.0)]
    score = grade("nlu", rows)
    assert score.value == 0.5
    assert score.parts == {"piqa": 1.0, "boolq": 0.0}
    assert len(score.items) == 4
    assert "'x'" in grade("nlu", [*rows, Row("x", group="piqa")]).gap


# All of them at once

words = st.lists(st.sampled_from(["red", "green", "blue", "tall"]), max_size=8).map(" ".join)
ids = st.lists(st.integers(0, 3), max_size=14).map(tuple)
probabilities = st.lists(st.floats(1e-6, 1.0), max_size=5)


@st.composite
def transcripts(draw: st.DrawFn) -> list[Row]:
    """Rows that carry everything, so that one transcript serves every kind of probe."""
    rows = []
    for at in range(draw(st.integers(1, 5))):
        for part in get_args(Part)[:3]:
            row = read(f"i{at}", *draw(probabilities), part=part)
            rows.append(
                replace(
                    row,
                    truth=draw(words),
                    answer=draw(words),
                    truth_ids=draw(ids),
                    answer_ids=draw(ids),
                    entropies=tuple(draw(st.floats(0, 2)) for _ in row.logprobs),
                    variances=tuple(draw(st.floats(0, 2)) for _ in row.logprobs),
                    value=draw(st.sampled_from([0.0, 1.0])),
                )
            )
    return rows


RANGES = {"perplexity": (1, math.inf), "gold_distance": (0, math.inf), "privleak": (-100, math.inf)}
"""Of the metrics that do not lie between 0 and 1."""


@settings(max_examples=25, deadline=None)
@given(transcripts(), transcripts(), st.randoms(use_true_random=False))
def test_bounds_and_order(rows: list[Row], other: list[Row], rng: random.Random) -> None:
    shuffled = rng.sample(rows, len(rows))
    for entry in VERSIONS.values():
        if "judge" in entry.asks:  # tested where their rows are made
            continue
        probes = [rows] * len(entry.asks)
        golds = [[told] * len(entry.asks) for told in (rows, other)]
        score = entry(probes, golds, probes)
        again = entry([shuffled] * len(entry.asks), golds, probes)
        assert (score.value is None) == bool(score.gap)
        assert score.value == (again.value if score.value is None else pytest.approx(again.value))
        assert sorted(item.item for item in score.items) == sorted(i.item for i in again.items)
        if score.value is None:
            continue
        low, high = RANGES.get(entry.name, (0, 1))
        assert low <= score.value <= high + 1e-12, entry.name
        if entry.averages:
            assert score.value == mean([item.value for item in score.items])
