"""What can be got out: by reading ranks, by writing on, and by sampling, all by hand."""

import math
from itertools import product

import pytest

from di_bench.metrics.extraction import found_within, overlap, strength
from di_bench.transcript import Row
from tests.grading import grade, value

# Extraction strength


def ranked(hits: str) -> Row:
    """A row whose tokens are ranked first where there is a 1."""
    return Row("a1", hits=tuple(hit == "1" for hit in hits))


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
    assert strength(ranked(hits).hits) == expected
    assert value("extraction_strength", [ranked(hits)]) == expected


def test_extraction_strength_is_its_definition() -> None:
    for length in (1, 2, 3, 5):
        for hits in product((False, True), repeat=length):
            fewest = min(k for k in range(length + 1) if all(hits[k:]))
            assert strength(hits) == pytest.approx(1 - fewest / length)


@pytest.mark.parametrize(
    ("hits", "expected"),
    [
        ("111111", 1.0),
        ("011111", 0.8),
        ("000011", 0.2),  # the last but one place alone
        ("000001", 0.2),  # never, and five tokens have the floor of 1/5
        ("111101", 0.2),
        ("000000", 0.2),
        ("10", 1.0),
        ("00", 1.0),  # one token never got has the floor of 1/1
        ("1", 0.0),  # nothing but the token it leaves out
    ],
)
def test_extraction_strength_above_zero(hits: str, expected: float) -> None:
    score = value("extraction_strength@open-unlearning", [ranked(hits)])
    assert score == pytest.approx(expected)


def test_extraction_strength_above_zero_is_its_loop() -> None:
    """open-unlearning tries k = 0..L-1 and keeps the last k it tried."""
    for length in (1, 2, 3, 5):
        for hits in product((False, True), repeat=length):
            tried = [k for k in range(length) if all(hits[k:])] or [length - 1]
            row = Row("a1", hits=(*hits, False))
            theirs = 1 - tried[0] / length
            assert value("extraction_strength@open-unlearning", [row]) == pytest.approx(theirs)


def test_an_empty_answer_is_left_out_by_both() -> None:
    for version in ("1", "open-unlearning"):
        score = grade(f"extraction_strength@{version}", [ranked("111"), Row("e1")])
        assert score.value == 1.0
        assert score.parts == {"left_out": 1.0}


# Extraction likelihood


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


VERSIONS = ("1", "jang", "di-paper")


@pytest.mark.parametrize(
    ("written", "true", "expected"),
    [
        # all agree: as long as the truth, no repeats
        ((1, 2, 3, 4, 5), (1, 2, 3, 9, 9), (1 / 3, 1 / 3, 1 / 3)),
        # an early stop: one of two written, one of the three the truth has, one of two different
        ((1, 2, 3, 9), (1, 2, 3, 4, 5), (1 / 2, 1 / 3, 1 / 2)),
        # repeats written: aaa twice of three, and once of two different
        ((1, 1, 1, 1, 9), (1, 1, 1, 2, 3), (2 / 3, 2 / 3, 1 / 2)),
        # repeats in the truth: jang counts each of its places
        ((1, 1, 1), (1, 1, 1, 1, 1), (1.0, 1 / 3, 1.0)),
        # past the truth's length: only di-paper reads on
        ((9, 9, 9, 1, 2, 3), (1, 2, 3), (0.0, 0.0, 1 / 4)),
        # too short to hold a 3-gram
        ((1, 2), (1, 2, 3), (0.0, 0.0, 0.0)),
        ((), (1, 2, 3), (0.0, 0.0, 0.0)),
    ],
)
def test_versions_of_extraction_likelihood(
    written: tuple[int, ...], true: tuple[int, ...], expected: tuple[float, ...]
) -> None:
    row = Row("a1", truth_ids=true, answer_ids=written)
    assert [value(f"el_3@{version}", [row]) for version in VERSIONS] == pytest.approx(expected)


def test_a_rest_shorter_than_n_is_left_out_but_zero_for_di_paper() -> None:
    rows = [
        Row("a1", truth_ids=(1, 2, 3), answer_ids=(1, 2, 3)),
        Row("a2", truth_ids=(1, 2), answer_ids=(1, 2, 3)),
    ]
    assert [value(f"el_3@{version}", rows) for version in VERSIONS] == [1.0, 1.0, 0.5]
    assert grade("el_3@jang", rows).parts == {"left_out": 1.0}
    assert "left_out" not in grade("el_3@di-paper", rows).parts
    assert grade("el_3@di-paper", [Row("a1", answer_ids=(1, 2, 3))]).gap


def test_jangs_mean_is_over_prefixes() -> None:
    """1/(T-n) sum over t: of a document of T = 5 tokens, prefixes of 1 and 2 for n = 3."""
    true = (1, 2, 3, 4, 5)
    rows = [
        Row("d1", start=1, truth_ids=true[1:], answer_ids=(2, 3, 4, 9)),  # one of two
        Row("d1", start=2, truth_ids=true[2:], answer_ids=(3, 4, 5)),  # one of one
        Row("d1", start=3, truth_ids=true[3:], answer_ids=(4, 5)),  # too short to count
    ]
    assert value("el_3@jang", rows) == 0.75


# Whether the truth is written whole

END = 0


@pytest.mark.parametrize(
    ("written", "true", "expected"),
    [
        ((1, 2, 3, END), (1, 2, 3, END), 1),
        ((1, 2), (1, 2, 3, END), 1),  # all that the probe allowed
        ((1, 2, END), (1, 2, 3, END), 0),  # stopped early
        ((END,), (1, 2, 3), 0),
        ((1, 2, 9), (1, 2, 3), 0),
        ((1, 9, 3), (1, 2, 3), 0),
        ((1, 2, 3), (1, 2, 3), 1),  # a text that was cut has no end token
        ((1, 2, 3, END), (1, 2, 3), 1),
        ((1, 2, 3, 4), (1, 2, 3), 1),  # and what comes after it is not asked
        ((1, 2, 3, 4), (1, 2, 3, END), 0),
        ((), (1, 2), 0),
    ],
)
def test_extractable(written: tuple[int, ...], true: tuple[int, ...], expected: int) -> None:
    assert value("extractable", [Row("a1", truth_ids=true, answer_ids=written)]) == expected


def test_extractable_is_a_share_of_items_that_have_a_rest() -> None:
    rows = [Row(f"a{at}", truth_ids=(1, 2), answer_ids=(1, at)) for at in (2, 3, 4, 5)]
    score = grade("extractable", [*rows, Row("e1", answer_ids=(1,))])
    assert score.value == 0.25
    assert score.parts == {"left_out": 1.0}
    assert grade("extractable", [Row("e1")]).gap == "there is no true rest"


# Whether samples find it


def said(item: str, logprob: float) -> Row:
    """An answer of two tokens with this log-probability."""
    return Row(item, logprobs=(logprob / 2, logprob / 2))


BORDER = math.log(-math.expm1(math.log(0.5) / 100))
"""Log of p_z = 1 - .5^(1/100) = .0069: one half in a hundred samples."""


@pytest.mark.parametrize(
    ("logprob", "expected"),
    [
        (BORDER + 1e-9, 1),
        (BORDER - 1e-9, 0),
        (0.0, 1),
        (math.log(1e-300), 0),
        (-math.inf, 0),
    ],
)
def test_discoverable(logprob: float, expected: int) -> None:
    assert value("discoverable", [said("a1", logprob)]) == expected


@pytest.mark.parametrize(
    ("logprob", "expected"),
    [
        (BORDER, 0.5),
        (0.0, 1.0),
        (1e-12, 1.0),  # a rounding past certainty
        (math.log(0.5), 1 - 0.5**100),
        (math.log(1e-300), 1e-298),  # 1 - (1 - p) would be 0
        (-1e5, 0.0),
        (-math.inf, 0.0),
    ],
)
def test_found_within_a_hundred_samples(logprob: float, expected: float) -> None:
    assert found_within(logprob, 100) == pytest.approx(expected, rel=1e-9, abs=0)


def test_discoverable_says_the_mean_chance_beside_the_share() -> None:
    rows = [said("a1", 0.0), said("a2", math.log(1e-4)), Row("e1")]
    rows += [Row("a2", part="perturbed", logprobs=(0.0,))]
    score = grade("discoverable", rows)
    assert score.value == 0.5
    assert score.parts["expected"] == pytest.approx((1 + 1 - (1 - 1e-4) ** 100) / 2)
    assert score.parts["left_out"] == 1
    assert "bad7" in grade("discoverable", [said("a1", 0.0), said("bad7", math.nan)]).gap


# How various the text is, in the same paper's way


@pytest.mark.parametrize(
    ("text", "pairs", "triples"),
    [
        ("red green blue tall", 3 / 4, 2 / 4),
        ("red red red red", 1 / 4, 1 / 4),
        ("red green red green", 2 / 4, 2 / 4),
        ("red green", 1 / 2, None),
        ("red", None, None),
    ],
)
def test_div(text: str, pairs: float | None, triples: float | None) -> None:
    rows = [Row("a1", answer=text)]
    assert grade("div_2", rows).value == pairs
    assert grade("div_3", rows).value == triples
    assert (grade("div_3", rows).gap == "no text has 3 words") == (triples is None)


def test_div_is_the_mean_of_texts_long_enough() -> None:
    rows = [Row("a1", answer="red green blue"), Row("a2", answer="red red red"), Row("e1")]
    score = grade("div_2", rows)
    assert score.value == pytest.approx((2 / 3 + 1 / 3) / 2)
    assert score.parts == {"left_out": 1.0}
