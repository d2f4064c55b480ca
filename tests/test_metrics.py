"""Every metric against values worked out by hand, its bounds, its extremes and its gaps."""

import math
import random
import subprocess
import sys
from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from di_bench.errors import SuiteError
from di_bench.metrics import METRICS, VERSIONS, metric
from di_bench.metrics.items import mean
from di_bench.metrics.metric import GROUPS, Group
from di_bench.transcript import Part, Row, Rows
from tests.grading import grade, ratio_rows, read, value, wrote

# The table


def test_table_is_whole() -> None:
    for name, entry in METRICS.items():
        assert entry.name == name
        assert entry.version
        assert entry.asks
    assert metric("rouge").better == "memory"
    assert metric("forget_quality").needs == "gold"
    assert len(metric("model_utility").asks) == 6
    assert [*GROUPS] == list(get_args(Group))
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(METRICS)


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


def test_perplexity_weighs_tokens() -> None:
    rows = [read("a1", 0.5), read("a2", 0.25, 0.25, 0.25)]
    score = grade("perplexity", rows)
    assert score.value == pytest.approx(math.exp((math.log(2) + 3 * math.log(4)) / 4))
    assert [item.value for item in score.items] == pytest.approx([math.log(2), math.log(4)])
    assert score.parts == {"tokens": 4.0}


@pytest.mark.parametrize("logprob", [-math.inf, -800.0])
def test_perplexity_beyond_numbers_is_a_gap(logprob: float) -> None:
    assert "not finite" in grade("perplexity", [Row("a1", logprobs=(logprob,))]).gap


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


def test_model_utility_takes_either_mean_of_wrong_answers() -> None:
    """1 - R of retain is .6 or .5; no other part moves, for there the wrong answers are alike."""
    good = split(0.5, "red green")
    asked = [read("q1", 0.5)]
    asked += [read("q1", p, part="perturbed", index=at) for at, p in enumerate((0.1, 0.4))]
    probes = (asked, good[1], *good, *good)
    geometric = grade("model_utility@9-geo", *probes)
    arithmetic = grade("model_utility@9-arith", *probes)
    assert geometric.parts["retain.truth_ratio"] == pytest.approx(1 - 0.2 / 0.5)
    assert arithmetic.parts == pytest.approx({**geometric.parts, "retain.truth_ratio": 0.5})
    parts = arithmetic.parts.values()
    assert arithmetic.value == pytest.approx(9 / sum(1 / part for part in parts))
    assert (arithmetic.value or 0) < (geometric.value or 0)


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


# Tasks


def test_nlu_weighs_tasks_equally() -> None:
    rows = [Row(f"piqa/{at}", group="piqa", value=1.0) for at in range(3)]
    rows += [Row("boolq/0", group="boolq", value=0.0)]
    score = grade("nlu", rows)
    assert score.value == 0.5
    assert score.parts == {"piqa": 1.0, "boolq": 0.0}
    assert len(score.items) == 4
    assert "'x'" in grade("nlu", [*rows, Row("x", group="piqa")]).gap
    assert grade("nlu", rows[:3], rows[3:]) == score  # a probe for each task, or one for all


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
