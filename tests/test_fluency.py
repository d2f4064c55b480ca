"""Perplexity under a judge and the share of fluent texts: by hand, in bounds, and with gaps."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from di_bench.metrics.judged import HUMAN, mark
from di_bench.transcript import Row
from tests.grading import grade, value

JUDGED = ("oracle_perplexity", "fluency")


def seen(item: str, *logprobs: float, index: int = 0, ids: tuple[int, ...] = ()) -> Row:
    """A text as a judge saw it; its tokens are all different unless given."""
    own = ids or tuple(range(len(logprobs)))
    return Row(item, index=index, answer_ids=own, logprobs=logprobs)


def humans(count: int = 20, tokens: int = 6) -> list[Row]:
    """Texts whose mean NLL goes from 1 to 2; the last one repeats a little."""
    rows = [seen(f"i{at}", *[-1 - at / (count - 1)] * tokens, index=HUMAN) for at in range(count)]
    loop = seen("i0", *[-1.0] * tokens, index=HUMAN, ids=(1, 2, 1, 2, 3, 4)[:tokens])
    return [loop, *rows[1:]]


def test_oracle_perplexity_weighs_tokens() -> None:
    half, quarter = math.log(0.5), math.log(0.25)
    rows = [
        seen("a", half),
        seen("b", quarter, quarter, quarter),
        seen("c"),
        seen("a", half, half, index=HUMAN),
        seen("b", half, index=HUMAN),
    ]
    score = grade("oracle_perplexity", rows)
    assert score.value == pytest.approx(math.exp((math.log(2) + 3 * math.log(4)) / 4))
    assert [item.value for item in score.items] == pytest.approx([math.log(2), math.log(4)])
    assert score.parts == pytest.approx({"tokens": 4.0, "left_out": 1.0, "human": 2.0})


def test_samples_count_as_texts_of_their_item() -> None:
    rows = [seen("a", -1.0), seen("a", -3.0, index=mark(1)), *humans()]
    (item,) = grade("oracle_perplexity", rows).items
    assert item.value == 2.0
    (item,) = grade("fluency", rows).items
    assert item.value == 0.5


def test_fluency_by_hand() -> None:
    rows = [
        *humans(),
        seen("good", *[-1.5] * 6),
        seen("gibberish", *[-5.0] * 6),
        seen("loop", *[-0.1] * 6, ids=(7, 7, 7, 7, 7, 7)),
        seen("empty"),
        seen("short", -1.5),
    ]
    score = grade("fluency", rows)
    assert {item.item: item.value for item in score.items} == {
        "good": 1.0, "gibberish": 0.0, "loop": 0.0, "empty": 0.0, "short": 1.0,
    }  # fmt: skip
    assert score.value == 2 / 5
    assert score.parts == pytest.approx(
        {
            "human": 0.9,  # one is beyond either bound: 19 of 20 are within each
            "nll": 1 + 18 / 19,
            "rep": 0.0,
            "empty": 0.2,
            "unlikely": 0.2,
            "repetitive": 0.2,
        }
    )


def test_what_was_not_read_whole_is_a_gap() -> None:
    long = Row("long", answer="so long", answer_ids=(1, 2, 3))
    for name in JUDGED:
        assert "'long'" in grade(name, [*humans(), long]).gap
        assert "context is too short" in grade(name, [*humans(), long]).gap
        assert grade(name, humans()).gap == "the judge read no model's text"
        assert grade(name, [seen("a", -1.0)]).gap == "the judge read no human's text"
        for index in (0, HUMAN):
            broken = [*humans(), seen("a", -1.0), seen("bad7", -1.0, math.nan, index=index)]
            assert "'bad7'" in grade(name, broken).gap


def test_silence_everywhere_has_no_perplexity_and_no_fluency() -> None:
    rows = [*humans(), seen("a"), seen("b")]
    assert grade("oracle_perplexity", rows).gap == "every text is empty"
    assert value("fluency", rows) == 0
    silent = [seen("a", -1.0), *(seen(f"i{at}", index=HUMAN) for at in range(20))]
    assert grade("oracle_perplexity", silent).parts == {"tokens": 1.0}
    assert grade("fluency", silent).gap == "0 human texts are too few; 20 are the least"


def test_what_the_judge_thinks_impossible() -> None:
    rows = [*humans(), seen("a", -math.inf)]
    assert "not finite" in grade("oracle_perplexity", rows).gap
    assert value("fluency", rows) == 0
    never = [seen(f"i{at}", -math.inf, index=HUMAN) for at in range(2)]
    assert "impossible" in grade("fluency", [*humans(), *never, seen("a", -1.0)]).gap
    assert "human" not in grade("oracle_perplexity", [*never, seen("a", -1.0)]).parts


texts = st.lists(
    st.tuples(st.lists(st.floats(-20, 0), max_size=8), st.integers(1, 4)), min_size=1, max_size=8
)


@settings(max_examples=30, deadline=None)
@given(texts, texts, st.randoms(use_true_random=False))
def test_bounds_and_order(
    model: list[tuple[list[float], int]], human: list[tuple[list[float], int]], rng: random.Random
) -> None:
    rows = humans()
    for index, side in ((0, model), (HUMAN, human)):
        rows += [
            seen(f"j{at}", *said, index=index, ids=tuple(n % kinds for n in range(len(said))))
            for at, (said, kinds) in enumerate(side)
        ]
    for name, low, high in (("oracle_perplexity", 1, math.inf), ("fluency", 0, 1)):
        score, again = grade(name, rows), grade(name, rng.sample(rows, len(rows)))
        assert (score.value, score.gap, score.parts) == (again.value, again.gap, again.parts)
        if score.value is not None:
            assert low <= score.value <= high


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.floats(-9, 0), min_size=1, max_size=8), min_size=20, max_size=30))
def test_humans_themselves_are_fluent(said: list[list[float]]) -> None:
    human = [seen(f"i{at}", *one, index=HUMAN) for at, one in enumerate(said)]
    model = [seen(f"i{at}", *one) for at, one in enumerate(said)]
    score = grade("fluency", human + model)
    assert score.value == score.parts["human"]
    assert score.parts["human"] >= 0.9
