"""What is written: overlap with the truth, repetition and variety, by hand and by the package."""

import math
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from di_bench.metrics import METRICS
from di_bench.metrics.items import mean
from di_bench.transcript import Row
from tests.grading import grade, value, wrote

ROUGE = ("rouge", "rouge_f1", "verbmem", "knowmem")
UNTRUE = ("rep_2", "rep_3", "rep_4", "diversity", "distinct_1", "distinct_2", "distinct_3")
"""What needs no truth."""

# Beside the truth


def test_rouge_by_hand() -> None:
    rows = [
        wrote("a1", "the cats ran off", truth="the cat ran"),
        wrote("a2", "", truth="anything"),
    ]
    score = grade("rouge", rows)
    assert [item.value for item in score.items] == [1.0, 0.0]
    assert score.parts == pytest.approx({"f1": (6 / 7) / 2, "words": 2.0})


def test_an_exact_match_is_letter_for_letter_but_for_case_and_space_around() -> None:
    rows = [
        wrote("a1", " 000-12-3456\n", truth="000-12-3456"),
        wrote("a2", "the OLD mill", truth="The old mill"),
        wrote("a3", "000-12-3457", truth="000-12-3456"),
        wrote("a4", "It is the old mill", truth="the old mill"),
        wrote("a5", "", truth="the old mill"),
        wrote("a6", "", truth=" "),
    ]
    score = grade("exact_match", rows)
    assert score.value == 0.4
    assert [item.value for item in score.items] == [1, 1, 0, 0, 0]
    assert score.parts == {"left_out": 1.0}


def test_rouge_is_the_packages() -> None:
    from rouge_score.rouge_scorer import RougeScorer

    pairs = [("The quick brown foxes", "a quick fox, browned"), ("one two three", "three two one")]
    scorer = RougeScorer(["rougeL"], use_stemmer=True)
    expected = [scorer.score(truth, answer)["rougeL"].recall for truth, answer in pairs]
    rows = [wrote(f"a{at}", answer, truth) for at, (truth, answer) in enumerate(pairs)]
    assert [item.value for item in grade("rouge", rows).items] == pytest.approx(expected)


def test_rouge_survives_hostile_text() -> None:
    rows = [
        wrote("a1", "\x00\ud800<script>", truth="word"),
        wrote("a2", "word", truth="\u4f60\u597d"),
    ]
    score = grade("rouge", rows)
    assert score.value == 0.0
    assert score.parts["left_out"] == 1
    assert "a-z" in grade("rouge", rows[1:]).gap


def test_f1_by_hand_and_length_beside_it() -> None:
    rows = [wrote("a1", "the cats ran off", truth="the cat ran"), wrote("a2", "", truth="any")]
    score = grade("rouge_f1", rows)
    assert [item.value for item in score.items] == pytest.approx([6 / 7, 0.0])
    assert score.parts == {"words": 2.0}
    assert score.value == grade("rouge", rows).parts["f1"]
    unstemmed = grade("verbmem", rows)
    assert [item.value for item in unstemmed.items] == pytest.approx([4 / 7, 0.0])


@pytest.mark.parametrize(
    ("name", "stemmed"), [("rouge_f1", True), ("verbmem", False), ("knowmem", False)]
)
def test_f1_is_the_packages(name: str, stemmed: bool) -> None:  # noqa: FBT001 - a case
    rng = random.Random(0)
    words = [
        "The",
        "quick",
        "foxes",
        "fox",
        "jumped",
        "jump,",
        "over",
        "12",
        "lazy",
        "dogs",
        "dog's",
    ]
    pairs = [
        (" ".join(rng.choices(words, k=12)), " ".join(rng.choices(words, k=rng.randrange(15))))
        for _ in range(30)
    ]
    scorer = RougeScorer(["rougeL"], use_stemmer=stemmed)
    rows = [wrote(f"a{at}", answer, truth) for at, (truth, answer) in enumerate(pairs)]
    theirs = [scorer.score(truth, answer)["rougeL"].fmeasure for truth, answer in pairs]
    assert [item.value for item in grade(name, rows).items] == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize(
    ("answer", "read"),
    [
        ("red box\n\nQuestion: where is blue?", "red box"),
        ("red box\nQuestions remain", "red box"),
        ("red box Question: blue\n\ngray", "red box"),
        ("Question: red box", ""),
        ("red\nbox Question", "red\nbox Question"),
    ],
)
def test_knowmem_reads_no_further_than_muse(answer: str, read: str) -> None:
    truth = "the red box"
    expected = RougeScorer(["rougeL"]).score(truth, read)["rougeL"].fmeasure
    score = grade("knowmem", [wrote("a1", answer, truth)])
    assert score.value == pytest.approx(expected)
    assert score.parts["words"] == len(read.split())


# On its own


def test_repetition() -> None:
    rows = [wrote("a1", "a b c d e"), wrote("a2", "x x x x x x"), wrote("a3", "too short")]
    score = grade("rep_4", rows)
    assert [item.value for item in score.items] == pytest.approx([0.0, 2 / 3])
    assert score.parts == {"left_out": 1.0}
    assert grade("rep_4", [wrote("a1", "")]).gap == "no text has 4 words"


def test_distinct_is_pooled() -> None:
    rows = [wrote("a1", "a b c"), wrote("a2", "a b d"), wrote("a3", "")]
    score = grade("distinct_2", rows)
    assert score.value == pytest.approx(3 / 4)
    assert score.parts == {"n_grams": 4.0}
    assert score.items == ()
    assert grade("distinct_2", [wrote("a1", "one")]).gap == "no text has 2 words"


def test_diversity_by_hand() -> None:
    rows = [wrote("a1", "a b c d e"), wrote("a2", "x x x x x x"), wrote("a3", "too short")]
    score = grade("diversity", rows)
    assert [item.value for item in score.items] == pytest.approx([1.0, 1 / 5 * 1 / 4 * 1 / 3])
    assert score.parts == {"left_out": 1.0}
    shares = [1 - value(f"rep_{n}", [wrote("a", "a b a b a c")]) for n in (2, 3, 4)]
    assert value("diversity", [wrote("a", "a b a b a c")]) == pytest.approx(math.prod(shares))
    assert grade("diversity", [wrote("a1", ""), wrote("a2", "a b c")]).gap == "no text has 4 words"


def test_distinct_of_other_orders() -> None:
    rows = [wrote("a1", "a b a b"), wrote("a2", "a b c")]
    assert value("distinct_1", rows) == pytest.approx(3 / 7)
    assert value("distinct_3", rows) == pytest.approx(3 / 3)
    assert grade("distinct_1", [wrote("a1", " ")]).gap == "no text has 1 word"


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ((), 0.0),
        ((7,), 0.0),
        ((7, 7, 7, 7), 0.0),
        ((1, 2, 3, 4, 5), 1.0),
        ((1, 1, 2, 2), 0.5),
        ((1, 1, 1, 2), (0.75 * math.log2(4 / 3) + 0.25 * 2) / 2),
    ],
)
def test_token_entropy(ids: tuple[int, ...], expected: float) -> None:
    assert value("token_entropy", [Row("a", answer_ids=ids)]) == pytest.approx(expected)


words = st.lists(st.sampled_from(["red", "green", "blue", "tall"]), max_size=9).map(" ".join)
answers = st.lists(st.tuples(words, words, st.lists(st.integers(0, 3), max_size=9)), min_size=1)


@settings(max_examples=30, deadline=None)
@given(answers, st.randoms(use_true_random=False))
def test_bounds_and_order(texts: list[tuple[str, str, list[int]]], rng: random.Random) -> None:
    rows = [
        replace(wrote(f"i{at % 4}", answer, truth), index=at // 4, answer_ids=tuple(ids))
        for at, (answer, truth, ids) in enumerate(texts)
    ]
    for name in (*ROUGE, *UNTRUE, "token_entropy"):
        score, again = grade(name, rows), grade(name, rng.sample(rows, len(rows)))
        assert score.value == again.value
        if score.value is None:
            assert score.gap
            continue
        assert 0 <= score.value <= 1
        assert all(0 <= item.value <= 1 for item in score.items)
        if METRICS[name].averages:
            assert score.value == mean([item.value for item in score.items])


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from(["red", "green", "blue", "tall"]), min_size=1, max_size=9))
def test_the_truth_itself_is_perfect_and_nothing_is_nothing(truth: list[str]) -> None:
    text = " ".join(truth)
    for name in ROUGE:
        assert value(name, [wrote("a1", text, text)]) == pytest.approx(1, abs=1e-12)
        assert value(name, [wrote("a1", "", text)]) == 0
        assert grade(name, [wrote("a1", text, "\u4f60")]).gap


def test_texts_without_repetition_are_at_one_end_and_loops_at_the_other() -> None:
    fresh, loop = " ".join(map(str, range(50))), " ".join(["and"] * 50)
    for name in UNTRUE:
        best, worst = value(name, [wrote("a1", fresh)]), value(name, [wrote("a1", loop)])
        assert best == (0 if name.startswith("rep") else 1)
        assert abs(best - worst) > 0.97
        assert grade(name, [wrote("a1", ""), wrote("a2", "")]).gap
