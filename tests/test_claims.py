"""A claim is a bound in a small grammar, judged on the mean over seeds of a row."""

import pytest

from di_bench.claims import claim
from di_bench.gate import check
from di_bench.gatefile import Gate
from di_bench.side import Kept, Side
from tests import toy
from tests.planted import BEFORE, kept


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("utility >= 0.9", ("utility", ">=", 0.9, "")),
        ("utility>=.95 of none", ("utility", ">=", 0.95, "none")),
        ("  el_3 <=  1.2  of  retrain ", ("el_3", "<=", 1.2, "retrain")),
        ("privleak > -1e1", ("privleak", ">", -10.0, "")),
        ("rep_4 < 2. of di+strength=3", ("rep_4", "<", 2.0, "di+strength=3")),
    ],
)
def test_a_claim_is_column_sign_number_and_perhaps_a_row(
    text: str, parts: tuple[str, str, float, str]
) -> None:
    made = claim(text)
    assert (made.column, made.sign, made.number, made.of) == parts
    assert made.text == " ".join(text.split())


@pytest.mark.parametrize(
    "text",
    ["", "utility", "utility => 1", "utility == 1", "utility >= none", "utility >= 1 of",
     "utility >= 1 none", "utility >= .9 of none or so", ">= 1", "utility >= nan", "a >= 1e999",
     "utility >= 1_0", "utility >= \u0661", "utility >= 1; rm", "a b >= 1",
     "utility >= 0.9 * none"],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no claim; write it as `utility"):
        claim(text)


def row(method: str, *scores: float | None, **fields: object) -> list[Kept]:
    """Seeds of a row with one column."""
    about = {"better": {"up": "higher"}, "formulas": {"up": "m@1"}} | fields
    return [
        Kept(toy.record(method=method, seed=seed, scores={"up": score}, **about))
        for seed, score in enumerate(scores)
    ]


def judged(kept: list[Kept], *claims: str, name: str = "*") -> list[tuple[str, str, str]]:
    side = Side.of(kept)
    found = check(side, Side.of([]), Gate(require={name: claims}))
    return [(f.method, f.verdict, f.why) for f in found if f.claim]


def test_the_mean_over_seeds_is_what_counts_and_all_rows_but_the_references() -> None:
    rows = [*row("none", 0.9), *row("retrain", 0.1), *row("di", 0.4, 0.6), *row("npo", 0.2, 0.4)]
    found = judged(rows, "up >= 0.5")
    assert found[0] == ("di", "holds", "")
    assert found[1][:2] == ("npo", "broken")
    assert found[1][2] == "must be >= 0.5; 95 % interval -0.9706 to 1.571"
    assert len(found) == 2
    assert judged(rows, "up > 0.5")[0][1] == "broken"
    assert judged(rows, "up <= 0.5")[0][1] == "holds"
    assert judged(rows, "up < 0.5")[0][1] == "broken"
    assert judged(rows, "up >= 0.2", name="retrain") == [("retrain", "broken", "must be >= 0.2")]


def test_a_bound_may_be_so_many_times_another_row_of_the_candidate() -> None:
    rows = [*row("none", 0.8, 1.0), *row("di", 0.72, 0.72)]
    assert judged(rows, "up >= 0.8 of none")[0][1] == "holds"
    assert judged(rows, "up > 0.8 of none")[0][1] == "broken"
    assert judged(rows, "up >= 0.81 of none")[0][1] == "broken"
    assert judged(rows, "up >= 0.8 of npo") == [
        ("di", "not comparable", "no value of npo beside it")
    ]
    other = row("none", 0.8, model={"name": "builtin--micro"})
    assert judged([*other, *row("di", 0.7)], "up >= 0.1 of none")[0][1] == "not comparable"
    parts = [*row("none", 0.2, axis="size=1"), *row("none", 0.8), *row("di", 0.5, axis="size=1")]
    assert judged(parts, "up >= 1 of none")[0][1] == "holds"
    changed = [*row("none", 0.8), *row("none", 0.4, variant="+a=1")]
    assert judged([*changed, *row("di", 0.5, variant="+a=1")], "up >= 1 of none") == [
        ("di+a=1", "holds", "")
    ]


def test_a_row_is_named_as_on_a_board_or_by_its_method() -> None:
    rows = row("di", 0.5, variant="+strength=3", axis="size=1")
    for name in ("di", "di+strength=3", "di+size=1+strength=3"):
        assert judged(rows, "up >= 1", name=name)[0][1] == "broken"
    assert judged(rows, "up >= 1", name="di+strength=4") == []


def test_what_has_no_value_cannot_be_claimed_of() -> None:
    gap = row("di", 0.5, None, gaps={"up": "no rows"})
    assert judged(gap, "up >= 0") == [("di", "not comparable", "no rows")]
    assert judged(row("di", 0.5, float("nan")), "up >= 0") == [
        ("di", "not comparable", "a seed has no value")
    ]
    assert judged(row("di", 0.5), "down >= 0") == [
        ("di", "not comparable", "the row has no such column")
    ]
    failed = row("di", 0.5, status="failed")
    assert judged(failed, "up >= 0") == [("di", "not comparable", "seed 0 failed")]
    lost = row("di", 0.5, status="diverged")
    assert judged(lost, "up >= 0") == [("di", "broken", "seed 0 diverged")]


def test_claims_of_rows_that_are_left_out_are_not_judged() -> None:
    side = Side.of(kept(["di", "npo", "none"], BEFORE))
    gate = Gate(require={"*": ("kept >= 2",)}, leave_out=("npo",))
    assert [(f.method, f.verdict) for f in check(side, side, gate) if f.claim] == [("di", "broken")]
