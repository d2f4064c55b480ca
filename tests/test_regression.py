"""What the gate makes of rows whose truth is known, and how often it is wrong."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from di_bench.finding import Finding
from di_bench.gate import check
from di_bench.gatefile import Gate
from di_bench.side import Kept, Side
from tests import toy
from tests.planted import AFTER, BEFORE, Plan, kept


def found(mine: list[Kept], theirs: list[Kept], **gate: Any) -> list[Finding]:  # noqa: ANN401 - fields of Gate
    return check(Side.of(mine), Side.of(theirs), Gate(**gate))


def told(findings: list[Finding]) -> dict[str, str]:
    """The verdicts of what is not the same, by method and column."""
    return {f"{f.method} {f.column}".strip(): f.verdict for f in findings if f.verdict != "same"}


def steady(better: str, *scores: float, method: str = "di") -> list[Kept]:
    """Seeds of one column without items; `retrain` is at .5."""
    fields = {"better": {"c": better}, "formulas": {"c": "m@1"}}
    return [
        Kept(toy.record(method=name, seed=seed, grow_seed=seed, scores={"c": score}, **fields))
        for name, values in ((method, scores), ("retrain", [0.5] * len(scores)))
        for seed, score in enumerate(values)
    ]


@pytest.mark.parametrize(
    ("better", "reference", "candidate", "verdict"),
    [
        ("lower", 0.5, 0.5, "same"),
        ("lower", 0.5, 0.54, "same"),
        ("lower", 0.5, 0.56, "worse"),
        ("lower", 0.5, 0.44, "better"),
        ("higher", 0.5, 0.56, "better"),
        ("higher", 0.5, 0.44, "worse"),
        ("higher", 0.5, 0.46, "same"),
        # nearer to the gold of the same side, on either side of it
        ("gold", 0.8, 0.7, "better"),
        ("gold", 0.8, 0.9, "worse"),
        ("gold", 0.2, 0.1, "worse"),
        ("gold", 0.2, 0.3, "better"),
        ("gold", 0.8, 0.2, "same"),
        # absolute up to 1, relative above it
        ("lower", 0.01, 0.055, "same"),
        ("lower", 100.0, 104.0, "same"),
        ("lower", 100.0, 106.0, "worse"),
        ("higher", -100.0, -106.0, "worse"),
        ("higher", -100.0, -104.0, "same"),
        ("gold", -100.0, -104.0, "same"),
        ("gold", -100.0, -106.0, "worse"),
    ],
)
def test_a_move_is_judged_by_its_direction_beyond_the_tolerance(
    better: str, reference: float, candidate: float, verdict: str
) -> None:
    theirs, mine = (steady(better, at, at + 1e-6, at - 1e-6) for at in (reference, candidate))
    one = found(mine, theirs)[0]
    assert (one.model, one.method, one.column) == ("builtin--nano", "di", "c")
    assert one.verdict == verdict
    assert (one.difference is None) == (verdict == "same")


def test_a_move_that_seeds_may_make_is_unclear_and_passes() -> None:
    theirs, mine = steady("lower", 0.3, 0.5, 0.7), steady("lower", 0.9, 0.4, 0.6)
    one = found(mine, theirs)[0]
    assert one.verdict == "unclear"
    assert one.candidate == pytest.approx(0.6333, abs=1e-4)
    assert one.p is not None
    assert one.p > 0.05
    assert found(mine, theirs, tolerance=0.2)[0].verdict == "same"
    assert found(mine, theirs, alpha=0.999)[0].verdict == "worse"


def test_all_comparisons_of_a_check_share_its_alpha() -> None:
    theirs, mine = steady("lower", 0.50, 0.51, 0.52), steady("lower", 0.60, 0.62, 0.61)
    alone = found(mine, theirs, methods=("di",))[0]
    crowd = [row for n in range(40) for row in steady("lower", 0.5, 0.5, 0.5, method=f"m{n}")[:3]]
    among = found([*mine, *crowd], [*theirs, *crowd])[0]
    assert alone.p is not None
    assert (alone.verdict, among.verdict) == ("worse", "unclear")
    assert among.p == pytest.approx(42 * alone.p)
    assert alone.difference is not None
    assert alone.p == pytest.approx(alone.difference.p / 2)
    changed = [*change(mine[:3], keys={"weights": "v", "scores": "t"}), *mine[3:]]
    apart = found([*changed, *crowd], [*theirs, *crowd])[0]  # rows that stand still do not dull it
    assert (apart.verdict, apart.again, among.again) == ("worse", False, True)
    assert apart.p == pytest.approx(2 * alone.p)


def test_a_column_may_have_a_tolerance_of_its_own_or_be_left_out() -> None:
    theirs, mine = (
        kept(["retrain", "di"], BEFORE, plan) for plan in (Plan(), Plan({"kept": -0.3}))
    )
    assert told(found(mine, theirs))["di kept"] == "worse"
    wide = found(mine, theirs, columns={"kept": {"tolerance": 0.35}})
    assert told(wide) == {}
    left = found(mine, theirs, columns={"kept": {"tolerance": float("inf")}})
    assert {f.column for f in wide} - {f.column for f in left} == {"kept"}


def test_with_a_single_seed_the_items_speak_and_the_row_says_so() -> None:
    theirs = kept(["retrain", "di"], [0])
    mine = kept(["retrain", "di"], [0], Plan({"accuracy": 0.3, "quality": -0.3}))
    by = {(f.method, f.column): f for f in found(mine, theirs, methods=("di",))}
    assert by["di", "accuracy"].verdict == "worse"
    assert by["di", "accuracy"].why == "a single seed: its items alone"
    assert by["di", "quality"].verdict == "unclear"
    assert by["di", "quality"].why == "a single seed: nothing tells what another would give"
    assert by["di", "quality"].p is None
    assert all(f.lone for f in by.values())
    other = kept(["retrain", "di"], [1], Plan({"accuracy": 0.3}))
    assert told(found(other, theirs))["di accuracy"] == "unclear"
    assert "worse" not in told(found(other, theirs)).values()
    assert not any(f.lone for f in found(kept(["di"], [0, 1]), kept(["di"], [0, 1])))


def change(rows: list[Kept], **fields: Any) -> list[Kept]:  # noqa: ANN401 - fields of Record
    return [replace(one, record=one.record.model_copy(update=fields)) for one in rows]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        (
            {"corpus": {"name": "toy secrets", "forget": "F"}},
            "another corpus (asked, forget, retain)",
        ),
        ({"model": {"name": "builtin--nano", "dtype": "bfloat16"}}, "another model (dtype, id)"),
        ({"setup": "t"}, "another setup (how models are grown or asked)"),
        ({"status": "failed"}, "seed 0 failed in the candidate; seed 1 failed in the candidate"),
        ({"method": "idk"}, "missing in the candidate"),
        ({"model": {"name": "builtin--micro"}}, "missing in the candidate"),
    ],
)
def test_rows_that_do_not_compare_are_said_and_not_judged(fields: dict[str, Any], why: str) -> None:
    theirs = kept(["di"], [0, 1])
    one, *_ = found(change(theirs, **fields), theirs)
    assert (one.column, one.verdict, one.why) == ("", "not comparable", why)


def test_columns_that_do_not_compare_are_said_and_the_others_judged() -> None:
    theirs = kept(["di", "retrain"], [0, 1])
    record = theirs[0].record
    formulas = {"formulas": record.formulas | {"quality": "forget_quality@2"}}
    better: dict[str, Any] = {"better": dict(record.better) | {"likeness": "lower"}}
    gone = {"scores": record.scores | {"kept": None}, "gaps": {"kept": "no rows"}}
    items = dict(theirs[0].items)
    fewer = replace(theirs[0], items=items | {"accuracy": items["accuracy"][:9]})
    mine = [*change([fewer], **formulas, **better, **gone), *theirs[1:]]
    by = {f.column: f.why for f in found(mine, theirs) if f.verdict == "not comparable"}
    assert by == {
        "accuracy": "of 9 items and of 40",
        "kept": "no value in the candidate with seed 0: no rows",
        "quality": "formula forget_quality@2, not forget_quality@ks-geo",
        "likeness": "lower is better, not higher",
    }
    explained = change([fewer], parts={"accuracy": {"left_out": 31.0}})
    assert "di accuracy" not in told(found([*explained, *theirs[1:]], theirs))
    odd = change([fewer], parts={"accuracy": {"left_out": float("nan")}})
    assert told(found([*odd, *theirs[1:]], theirs))["di accuracy"] == "not comparable"
    lacking: dict[str, Any] = {"better": {k: v for k, v in record.better.items() if k != "kept"}}
    less = [f.why for f in found(change(theirs, **lacking), theirs) if f.column == "kept"]
    assert set(less) == {"not scored with every seed of both sides"}


@pytest.mark.parametrize("score", [None, float("nan"), float("inf")])
def test_a_seed_without_a_finite_score_makes_a_column_incomparable(score: float | None) -> None:
    theirs = kept(["di"], [0, 1])
    mine = change(theirs[:1], scores=theirs[0].record.scores | {"quality": score}) + theirs[1:]
    for one, other, side in ((mine, theirs, "candidate"), (theirs, mine, "reference")):
        (said,) = (f for f in found(one, other) if f.column == "quality")
        assert said.verdict == "not comparable"
        assert said.why == f"no value in the {side} with seed 0"
    none = {"scores": theirs[0].record.scores | {"kept": None}}
    itemless = [*change([replace(theirs[0], items={})], **none), *theirs[1:]]
    assert "di kept" not in told(found(itemless, itemless))
    (same,) = (f for f in found(mine, mine) if f.column == "quality")
    assert (same.verdict, same.candidate) == ("same", theirs[1].record.scores["quality"])
    both = change(theirs, scores=theirs[0].record.scores | {"quality": score})
    assert "quality" not in {f.column for f in found(both, both)}


def test_scores_too_large_to_square_are_unclear() -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        one = found(steady("lower", 1e300, 3e300), steady("lower", 1e299, 2e299))[0]
    assert one.verdict == "unclear"


def test_a_missing_seed_does_not_compare_and_more_or_other_seeds_do() -> None:
    theirs = kept(["di", "retrain"], BEFORE)
    one, *_ = found(kept(["di", "retrain"], [0, 1]), theirs)
    assert one.why == "seed 2 is missing in the candidate (--seed compares some)"
    assert told(found(kept(["di", "retrain"], range(5)), theirs)) == {}
    assert told(found(kept(["di", "retrain"], AFTER), theirs)) == {}


def test_a_gold_column_needs_the_gold_of_its_own_side() -> None:
    theirs, alone = kept(["di", "retrain"], BEFORE), kept(["di"], BEFORE)
    by = {f.column: f for f in found(alone, theirs) if f.method == "di"}
    assert by["ratio"].why == "no value of retrain in the candidate"
    assert by["kept"].verdict == "same"
    (neither,) = (f for f in found(alone, alone) if f.column == "ratio")
    assert (neither.verdict, neither.why) == ("same", "no value of retrain")
    (astray,) = (
        f
        for f in found(kept(["di"], AFTER, Plan({"ratio": 0.3})), alone)
        if f.p is None and f.verdict == "unclear"
    )
    assert (astray.column, astray.why) == ("ratio", "no value of retrain")
    moved = kept(["di", "retrain"], BEFORE, Plan({"ratio": 0.3}))  # the gold moved as far
    assert told(found(moved, theirs)) == {}
    grown = [*kept(["di"], BEFORE), *change(kept(["retrain"], [1]), seed=7, grow_seed=0)]
    mine = change(grown[:3], grow_seed=0) + grown[3:]
    assert all(f.why != "no value of retrain in the candidate" for f in found(mine, theirs[:3]))


def diverged(rows: list[Kept], *seeds: int) -> list[Kept]:
    """The same where the loss of some seeds left the finite numbers."""
    fields: Mapping[str, Any] = {"status": "diverged", "error": "step 3: nan", "scores": {}}
    return [change([one], **fields)[0] if one.record.seed in seeds else one for one in rows]


def test_a_cell_that_diverges_where_the_reference_did_not_is_worse() -> None:
    di = kept(["di"], BEFORE)
    (one,) = found(diverged(di, 1), di)
    assert (one.verdict, one.why) == ("worse", "diverged with seed 1; the reference did not")
    (other,) = found(diverged(kept(["di"], AFTER), 4), di)
    assert other.verdict == "worse"
    both = found(diverged(di, 1), diverged(di, 1))
    assert both[0].why == "1 of its seeds diverged, 1 before"
    assert {f.verdict for f in both if f.column != "ratio"} == {"same"}
    assert found(di, diverged(di, 1))[0].verdict == "better"
    assert found(diverged(di, 1, 2), diverged(di, 0, 1))[0].verdict == "worse"
    assert [f.verdict for f in found(diverged(di, *BEFORE), diverged(di, *BEFORE))] == ["same"]


def test_a_new_row_is_listed_and_rows_left_out_are_not() -> None:
    theirs = kept(["di", "retrain"], BEFORE)
    mine = theirs + kept(["npo"], BEFORE, Plan({"kept": -0.5}))
    assert told(found(mine, theirs)) == {"npo": "new"}
    assert told(found(diverged(mine, 2), theirs, leave_out=("di", "retrain"))) == {"npo": "new"}
    assert found(diverged(mine, 2), theirs, methods=("npo",))[0].why == "seed 2 diverged"
    assert found(mine, theirs, methods=("di",), leave_out=("di",)) == []


@pytest.mark.parametrize(
    ("seeds", "plan"),
    [(AFTER, Plan()), (BEFORE, Plan(draw=1))],
    ids=["other seeds", "the same seeds, drawn again"],
)
def test_the_same_method_is_called_worse_in_five_of_a_hundred_checks_at_most(
    seeds: tuple[int, ...], plan: Plan
) -> None:
    """Of the whole gate, and at no tolerance: seeds and items alone make the difference."""
    worlds, methods = 160, ("retrain", "di")
    alarms = sum(
        any(
            finding.verdict == "worse"
            for finding in found(
                kept(methods, seeds, plan, world), kept(methods, BEFORE, world=world), tolerance=0
            )
        )
        for world in range(worlds)
    )
    assert 0 < alarms <= 0.05 * worlds
