"""Attacks by hand, and what they tell against scikit-learn and textbook formulas."""

import math
import random
import zlib
from collections.abc import Sequence
from dataclasses import replace
from statistics import NormalDist

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve  # type: ignore[import-untyped]

from di_bench.metrics import attacks
from di_bench.metrics.metric import Score
from di_bench.transcript import Row, Rows
from tests.grading import grade, value

LOG = (-0.5, -3.0, -1.0, -2.0)
ROW = Row(
    "a1",
    truth="It is 37.",
    logprobs=LOG,
    entropies=(0.5, 1.0, 2.0, 1.0),
    variances=(4.0, 4.0, 0.25, 1.0),
)
"""Its Min-K++ scores are 0, -1, 2 and -1."""
BOTH = ("members", "others")


def texts(losses: Sequence[float], side: str = "x") -> list[Row]:
    """A text of one token and an end token for each loss; the end is certain."""
    return [Row(f"{side}{at}", logprobs=(-x, 0.0)) for at, x in enumerate(losses)]


def plain(item: str, *logprobs: float) -> Row:
    """A text whose Min-K++ scores are its log-probabilities."""
    count = len(logprobs)
    return Row(
        item, truth="t", logprobs=logprobs, entropies=(0.0,) * count, variances=(1.0,) * count
    )


def told(members: Sequence[float], others: Sequence[float]) -> Score:
    return grade("mia_loss", texts(members, "f"), texts(others, "h"))


def separated(auc: float, n: int = 40) -> tuple[list[Row], list[Row]]:
    """Two sides of n texts with this AUC: every other is above as many members, or one more."""
    pairs = round(auc * n * n)
    above, more = divmod(pairs, n)
    outside = [above + (1.5 if at < more else 0.5) for at in range(n)]
    return texts([at + 1.0 for at in range(n)], "f"), texts(outside, "h")


# What an attack gives one text


def test_loss() -> None:
    assert attacks.loss(ROW) == pytest.approx(1.625)


def test_zlib() -> None:
    compressed = len(zlib.compress(b"It is 37."))
    assert compressed == 17  # two bytes of header, four of checksum, two of framing: 9 + 8
    assert attacks.zlib_ratio(ROW) == pytest.approx(1.625 / 17)


def test_zlib_takes_bytes_and_not_letters() -> None:
    row = Row("a1", truth="é" * 3, logprobs=(-1.0,))
    assert attacks.zlib_ratio(row) == 1 / len(zlib.compress("é".encode() * 3))


@pytest.mark.parametrize("truth", ["\ud800", "a\udfffb", ""])
def test_zlib_of_a_text_that_is_none(truth: str) -> None:
    assert 0 < (attacks.zlib_ratio(Row("a1", truth=truth, logprobs=(-1.0,))) or 0) < 1


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        (1, 0.5),  # floor(.4) is none, so one
        (2, 3.0),
        (3, 3.0),
        (4, 3.0),  # floor(1.6)
    ],
)
def test_min_k_takes_the_floor_and_one_at_least(tokens: int, expected: float) -> None:
    assert attacks.min_k(Row("a1", logprobs=LOG[:tokens])) == expected


def test_min_k_of_five_tokens_is_the_mean_of_two() -> None:
    assert attacks.min_k(Row("a1", logprobs=(*LOG, -0.1))) == pytest.approx(2.5)


def test_min_k_plus_plus() -> None:
    assert attacks.min_k_plus_plus(ROW) == pytest.approx(1.0)
    five = Row(
        "a1",
        logprobs=(*LOG, -9.0),
        entropies=(*ROW.entropies, 1.0),
        variances=(*ROW.variances, 16.0),
    )
    assert attacks.min_k_plus_plus(five) == pytest.approx((1 + 2) / 2)


@pytest.mark.parametrize(("variance", "expected"), [(0.0, 1e3), (1e-9, 1e3), (1e-4, 1e2)])
def test_min_k_plus_plus_clamps_the_variance(variance: float, expected: float) -> None:
    row = Row("a1", logprobs=(-2.0,), entropies=(1.0,), variances=(variance,))
    assert attacks.min_k_plus_plus(row) == pytest.approx(expected)


def test_without_the_last_token() -> None:
    short = attacks.but_the_last
    row = replace(plain("a1", -1.0, -9.0), entropies=(3.0, 0.0))
    assert attacks.min_k(row) == 9.0
    assert short(attacks.min_k)(row) == 1.0
    assert attacks.min_k_plus_plus(row) == 9.0
    assert short(attacks.min_k_plus_plus)(row) == -2.0
    five = Row("a1", logprobs=(-1.0, -2.0, -3.0, -4.0, -5.0))
    assert attacks.min_k(five) == 4.5  # two of five
    assert short(attacks.min_k)(five) == 4.0  # one of four
    assert short(attacks.min_k)(Row("a1", logprobs=(-1.0,))) is None


@pytest.mark.parametrize("name", ["mia_min_k", "mia_min_k_plus_plus", "privleak"])
def test_open_unlearnings_versions_do_not_see_the_last_token(name: str) -> None:
    def side(first: float, last: float) -> list[Row]:
        return [plain(f"i{at}", first - at, last) for at in range(3)]

    members, others = side(-1.0, -99.0), side(-10.0, 0.0)
    first = "muse" if name == "privleak" else "1"
    golds = [[others[:2], others[:2]]]  # of AUC .5, so its A is .5 too
    whole = value(f"{name}@{first}", members, others, golds=golds)
    short = value(f"{name}@open-unlearning", members, others, golds=golds)
    expected = (100.0, -100.0) if name == "privleak" else (0.0, 1.0)
    assert (whole, short) == pytest.approx(expected)


def test_reference_is_the_loss_less_the_mean_loss_of_golds() -> None:
    own = texts([1.0, 4.0], "f"), texts([3.0, 2.0], "h")
    golds = [[texts([2.0, 2.0], "f"), texts([3.0, 2.0], "h")], [texts([4.0, 6.0], "f"), own[1]]]
    score = grade("mia_reference", *own, golds=golds)
    assert [item.value for item in score.items] == [-1.0, 0.0, 0.0, 0.0]  # halves, for the end
    assert score.value == 0.75
    assert score.parts["n_members"] == score.parts["n_others"] == 2


def test_reference_never_mixes_items_of_one_id() -> None:
    own = texts([1.0, 1.0]), texts([5.0, 5.0])
    golds = [[texts([9.0, 9.0]), texts([2.0, 2.0])]]
    score = grade("mia_reference", *own, golds=golds)
    assert [item.value for item in score.items] == [-4.0, -4.0, 1.5, 1.5]
    assert [item.item for item in score.items] == [f"{s}/x{at}" for s in BOTH for at in range(2)]
    assert score.value == 1.0


def test_reference_leaves_out_what_no_gold_was_asked() -> None:
    own = texts([1.0, 2.0], "f"), texts([1.0], "h")
    golds = [[texts([1.0], "f"), texts([1.0], "h")]]
    assert grade("mia_reference", *own, golds=golds).parts["left_out"] == 1
    assert "no members" in grade("mia_reference", *own, golds=[[own[1], own[1]]]).gap


def test_gradnorm_is_the_rows_value() -> None:
    members = [Row("a", value=0.5), Row("b", value=2.0), Row("c")]
    others = [Row("a", value=1.0), Row("b", value=3.0)]
    score = grade("mia_gradnorm", members, others)
    assert score.value == 0.75
    assert score.parts["left_out"] == 1
    assert [item.value for item in score.items] == [0.5, 2.0, 1.0, 3.0]


# How well they are told apart

numbers = st.lists(st.integers(-6, 6).map(float), min_size=2, max_size=25)


@settings(max_examples=60, deadline=None)
@given(numbers, numbers)
def test_auc_is_scikit_learns(members: list[float], others: list[float]) -> None:
    labels = [1] * len(members) + [0] * len(others)
    theirs = roc_auc_score(labels, [-x for x in (*members, *others)])
    assert told(members, others).value == pytest.approx(theirs, abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(numbers, numbers)
def test_interval_is_delongs(members: list[float], others: list[float]) -> None:
    """The structural components of DeLong et al. 1988, by a double loop over psi(x, y)."""

    def psi(x: float, y: float) -> float:
        return 1.0 if x < y else 0.5 if x == y else 0.0

    m, n = len(members), len(others)
    auc = sum(psi(x, y) for x in members for y in others) / (m * n)
    first = [sum(psi(x, y) for y in others) / n for x in members]
    second = [sum(psi(x, y) for x in members) / m for y in others]
    spread = sum((v - auc) ** 2 for v in first) / (m - 1) / m
    spread += sum((v - auc) ** 2 for v in second) / (n - 1) / n
    reach = NormalDist().inv_cdf(0.975) * math.sqrt(spread)
    parts = told(members, others).parts
    assert parts["auc_low"] == pytest.approx(max(0.0, auc - reach), abs=1e-9)
    assert parts["auc_high"] == pytest.approx(min(1.0, auc + reach), abs=1e-9)


def test_interval_is_about_that_of_a_bootstrap() -> None:
    rng = random.Random(3)
    members = [rng.gauss(0, 1) for _ in range(60)]
    others = [rng.gauss(0.7, 1) for _ in range(80)]
    drawn = sorted(
        told(rng.choices(members, k=60), rng.choices(others, k=80)).value or 0 for _ in range(400)
    )
    parts = told(members, others).parts
    assert parts["auc_low"] == pytest.approx(drawn[10], abs=0.03)
    assert parts["auc_high"] == pytest.approx(drawn[389], abs=0.03)


def test_one_text_of_a_side_has_no_interval() -> None:
    assert told([1.0], [2.0, 3.0]).parts == {"n_members": 1, "n_others": 2}


@settings(max_examples=40, deadline=None)
@given(st.integers(100, 320), st.integers(3, 400), st.randoms(use_true_random=False))
def test_tpr_is_the_largest_of_scikit_learns_curve(
    size: int, values: int, rng: random.Random
) -> None:
    members = [float(rng.randrange(values)) for _ in range(50)]
    others = [float(rng.randrange(values) + values // 10) for _ in range(size)]
    scores = [-x for x in (*members, *others)]
    fpr, tpr, _ = roc_curve([1] * 50 + [0] * size, scores, drop_intermediate=False)
    expected = max(t for f, t in zip(fpr, tpr, strict=True) if f <= 0.01)
    assert told(members, others).parts["tpr_at_1_fpr"] == pytest.approx(expected)


def test_tpr_needs_a_hundred_others() -> None:
    assert "tpr_at_1_fpr" not in told([0.0] * 200, [1.0] * 99).parts
    assert told([0.0] * 2, [1.0] * 100).parts["tpr_at_1_fpr"] == 1.0
    assert told([0.0] * 2, [0.0] * 100).parts["tpr_at_1_fpr"] == 0.0


@pytest.mark.parametrize("name", ["mia_loss", "mia_zlib", "mia_min_k", "mia_min_k_plus_plus"])
def test_perfect_reversed_and_no_separation(name: str) -> None:
    def side(shift: float) -> list[Row]:
        return [plain(f"i{at}", -at - shift, -1.0) for at in range(5)]

    near, far = side(1.0), side(100.0)
    assert (value(name, near, far), value(name, far, near), value(name, far, far)) == (1, 0, 0.5)
    assert grade(name, near, far).parts["auc_low"] == 1.0  # it closes, as its docstring says


# What is no text, and what is no number


def test_empty_answers_are_left_out_and_counted() -> None:
    score = grade("mia_loss", [*texts([1.0]), Row("e")], [*texts([2.0]), Row("e"), Row("g")])
    assert score.value == 1.0
    assert score.parts["left_out"] == 3
    assert len(score.items) == 2


def test_other_parts_of_an_item_are_not_texts_to_tell() -> None:
    members = [*texts([1.0]), Row("p", part="paraphrase", logprobs=(-9.0,))]
    assert grade("mia_loss", members, texts([2.0])).parts["n_members"] == 1


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("name", ["mia_loss", "mia_min_k@open-unlearning", "mia_gradnorm"])
def test_one_side_empty_is_a_gap(name: str, side: int) -> None:
    full = [Row("a", logprobs=(-1.0, -1.0), value=1.0)]
    probes: list[Rows] = [full, full]
    probes[side] = [Row("e")]
    assert f"there are no {BOTH[side]}" in grade(name, *probes).gap
    probes[side] = []
    assert "no answer was read" in grade(name, *probes).gap


NAMES = ["mia_loss", "mia_zlib", "mia_min_k", "mia_min_k_plus_plus", "mia_reference", "privleak"]


@pytest.mark.parametrize("broken", [math.nan, math.inf])
@pytest.mark.parametrize("name", NAMES)
def test_a_log_probability_that_is_no_number_is_a_gap(name: str, broken: float) -> None:
    good = [ROW]
    bad = [ROW, plain("bad7", -1.0, broken)]
    assert "bad7" in grade(name, good, bad, golds=[[good, good]]).gap


@pytest.mark.parametrize("broken", [(math.nan, 1.0), (1.0, math.nan)])
def test_a_spread_that_is_no_number_is_a_gap_wherever_it_stands(broken: tuple[float, ...]) -> None:
    for row in (plain("bad7", -1.0, -9.0), plain("bad7", -9.0, -1.0)):
        for bad in (replace(row, entropies=broken), replace(row, variances=broken)):
            assert "bad7" in grade("mia_min_k_plus_plus", [ROW], [bad]).gap


def test_a_gradient_that_is_no_number_is_a_gap() -> None:
    assert "bad7" in grade("mia_gradnorm", [Row("bad7", value=math.nan)], [Row("a", value=1)]).gap


@pytest.mark.parametrize("name", ["mia_loss", "mia_zlib", "mia_min_k", "mia_min_k_plus_plus"])
def test_a_probability_of_zero_is_the_largest_number(name: str) -> None:
    never = [plain("z", -math.inf)]
    assert value(name, [ROW], never) == 1.0
    assert value(name, never, [ROW]) == 0.0
    assert value(name, never, never) == 0.5


# PrivLeak and s_mia


def aucs(own: float, gold: float, n: int = 40) -> dict[str, float]:
    parts: dict[str, float] = dict(
        grade("privleak", *separated(own, n), golds=[separated(gold, n)]).parts
    )
    return parts


def test_separated_texts_have_the_auc_they_were_made_for() -> None:
    for auc in (0.0, 0.25, 0.603125, 1.0):
        assert value("mia_loss", *separated(auc)) == pytest.approx(auc)
    assert aucs(0.25, 0.603125) == pytest.approx({"auc": 0.25, "auc_gold": 0.603125})


@pytest.mark.parametrize(
    ("own", "gold", "expected"),
    [
        (1.0, 0.5, -100.0),  # forget likelier than holdout: under-unlearned
        (0.0, 0.5, 100.0),
        (0.0, 0.75, 300.0),  # the far side is 100 (1 - A_gold) / A_gold
        (0.0, 0.25, 100 / 3),
        (0.5, 0.5, 0.0),
        (0.25, 0.5, 50.0),
    ],
)
def test_privleak(own: float, gold: float, expected: float) -> None:
    golds = [separated(gold)]
    assert value("privleak@muse", *separated(own), golds=golds) == pytest.approx(expected)
    short = value("privleak@open-unlearning", *separated(own), golds=golds)
    assert short == pytest.approx(expected, rel=1e-8, abs=1e-12)


def test_privleak_of_several_golds_takes_the_mean_of_their_auc() -> None:
    golds = [separated(0.25), separated(0.75)]
    assert value("privleak", *separated(0.25), golds=golds) == pytest.approx(50.0)


def test_privleak_as_open_unlearning_logs_it() -> None:
    """The addend of 1e-10 shows in the last digits."""
    probes, golds = separated(1.0), [separated(0.603125)]
    ours = value("privleak@open-unlearning", *probes, golds=golds)
    assert ours == pytest.approx(-99.99999997480315, rel=0, abs=1e-13)
    assert value("privleak@muse", *probes, golds=golds) == -100.0


@pytest.mark.parametrize("version", ["muse", "open-unlearning"])
def test_privleak_has_nothing_to_divide_by_where_the_golds_auc_is_one(version: str) -> None:
    score = grade(f"privleak@{version}", *separated(0.5), golds=[separated(1.0)])
    assert score.value is None
    assert "AUC is 1" in score.gap


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (0.5, 1.0),  # as the gold
        (1.0, 0.0),  # as it was
        (0.75, 0.5),
        (0.25, 0.5),
        (0.0, 0.0),  # as far off on the other side
    ],
)
def test_s_mia(own: float, expected: float) -> None:
    golds, start = [separated(0.5)], separated(1.0)
    score = grade("s_mia", *separated(own), golds=golds, start=start)
    assert score.value == pytest.approx(expected)
    assert score.parts == pytest.approx({"auc": own, "auc_gold": 0.5, "auc_start": 1.0})


def test_s_mia_beyond_the_start_is_zero() -> None:
    golds, start = [separated(0.5)], separated(0.75)
    assert value("s_mia", *separated(1.0), golds=golds, start=start) == 0.0
    assert value("s_mia", *separated(0.0), golds=golds, start=start) == 0.0


def test_s_mia_gaps() -> None:
    probes, golds = separated(0.75), [separated(0.5)]
    assert "told no better" in grade("s_mia", *probes, golds=golds, start=separated(0.5)).gap
    assert grade("s_mia", *probes, golds=golds).gap == "no model as it was (none) to compare with"
    assert grade("s_mia", *probes, start=probes).gap == "no gold model to compare with"
