"""What is known when it is read: shares of tokens ranked first, in four definitions."""

import pytest

from di_bench.transcript import Row
from tests.grading import grade, read, value


def test_exact_memorization() -> None:
    rows = [read("a1", 0.9, 0.9, 0.1, 0.9), read("a2", 0.1, 0.1)]
    assert value("exact_memorization", rows) == pytest.approx((0.75 + 0) / 2)


@pytest.mark.parametrize(
    ("hits", "one", "theirs"),
    [
        ((True, True, False, True), 3 / 4, 2 / 3),
        ((True, True, True, False), 3 / 4, 1.0),
        ((False, True), 1 / 2, 0.0),
    ],
)
def test_open_unlearning_leaves_out_the_last_token(
    hits: tuple[bool, ...], one: float, theirs: float
) -> None:
    row = Row("a1", hits=hits)
    assert value("exact_memorization", [row]) == pytest.approx(one)
    assert value("exact_memorization@jang", [row]) == pytest.approx(one)
    assert value("exact_memorization@open-unlearning", [row]) == pytest.approx(theirs)


def test_an_answer_of_one_token_has_none_left() -> None:
    score = grade("exact_memorization@open-unlearning", [read("a1", 1.0, 1.0), read("b1", 1.0)])
    assert score.value == 1.0
    assert score.parts == {"left_out": 1.0}


# The paper of deliberate imagination asks after 40, 80, ... tokens of a document


def document(tokens: int, *known: int) -> Row:
    """A document of ready ids: the first has no prediction, so token i is at place i - 1.

    The model ranks first the tokens that come after `known` tokens.
    """
    return Row("d1", hits=tuple(after in known for after in range(1, tokens)))


@pytest.mark.parametrize(
    ("tokens", "places"),
    [
        (79, ()),  # range(1, 1): nothing is asked
        (80, (40,)),
        (119, (40,)),
        (120, (40, 80)),
        (200, (40, 80, 120, 160)),
        (239, (40, 80, 120, 160)),
        (240, (40, 80, 120, 160, 200)),
    ],
)
def test_windowed_accuracy_reads_after_every_forty_tokens_but_the_last_window(
    tokens: int, places: tuple[int, ...]
) -> None:
    assert places == tuple(40 * window for window in range(1, tokens // 40))
    name = "exact_memorization@di-paper"
    if not places:
        assert grade(name, [document(tokens, 40)]).gap
        return
    assert value(name, [document(tokens, *places)]) == 1.0
    others = set(range(1, tokens)) - set(places)
    assert value(name, [document(tokens, *others)]) == 0.0
    assert value(name, [document(tokens, places[0])]) == pytest.approx(1 / len(places))


def test_windowed_accuracy_leaves_short_documents_out() -> None:
    rows = [document(200, 40, 80, 120), Row("d2", hits=(True,) * 39), Row("d3")]
    score = grade("exact_memorization@di-paper", rows)
    assert score.value == 0.75
    assert score.parts == {"left_out": 2.0}
