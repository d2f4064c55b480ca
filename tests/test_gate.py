"""The gate lets through what is no worse, and refuses to compare what does not compare."""

from pathlib import Path
from typing import Any

import pytest

from di_bench import gate
from di_bench.errors import StoreError
from di_bench.record import Record
from tests import toy
from tests.toy import line

BETTER = {"down": "lower", "up": "higher", "near": "gold"}


def row(seeds: int = 2, *, scores: dict[str, float | None], **changes: Any) -> list[Record]:  # noqa: ANN401 - fields of Record
    better = {column: BETTER[column] for column in scores}
    fields = {"scores": scores, "better": better, "formulas": dict.fromkeys(scores, "m@1")}
    return [toy.record(seed=seed, **(fields | changes)) for seed in range(seeds)]


def verdicts(mine: list[Record], theirs: list[Record], tolerance: float = 0.05) -> list[str]:
    return [finding.verdict for finding in gate.check(mine, theirs, tolerance)]


@pytest.mark.parametrize(
    ("column", "reference", "candidate", "verdict"),
    [
        ("down", 0.5, 0.5, "same"),
        ("down", 0.5, 0.54, "same"),
        ("down", 0.5, 0.56, "worse"),
        ("down", 0.5, 0.44, "better"),
        ("up", 0.5, 0.56, "better"),
        ("up", 0.5, 0.44, "worse"),
        ("up", 0.5, 0.46, "same"),
        ("near", 0.5, 0.56, "worse"),
        ("near", 0.5, 0.44, "worse"),
        ("near", 0.5, 0.54, "same"),
        # absolute up to 1, relative above it
        ("down", 0.01, 0.055, "same"),
        ("down", 100.0, 104.0, "same"),
        ("down", 100.0, 106.0, "worse"),
        ("up", -100.0, -106.0, "worse"),
        ("up", -100.0, -104.0, "same"),
    ],
)
def test_a_move_is_judged_by_its_direction_beyond_the_tolerance(
    column: str, reference: float, candidate: float, verdict: str
) -> None:
    (found,) = gate.check(
        row(scores={column: candidate}), row(scores={column: reference}), tolerance=0.05
    )
    assert (found.verdict, found.reference, found.candidate) == (verdict, reference, candidate)
    assert (found.model, found.method, found.column) == ("builtin--nano", "di", column)


@pytest.mark.parametrize(("candidate", "verdict"), [(0.5, "same"), (0.2, "same"), (0.1, "worse")])
def test_a_move_within_the_references_own_spread_is_none(candidate: float, verdict: str) -> None:
    theirs = [*row(1, scores={"up": 0.4}), *row(2, scores={"up": 0.6})[1:]]  # sd 0.141
    assert verdicts(row(scores={"up": candidate}), theirs, tolerance=0.05) == [verdict]


def test_means_over_seeds_are_compared_in_any_order() -> None:
    theirs = [*row(1, scores={"up": 0.2}), *row(2, scores={"up": 0.4})[1:]]
    mine = row(2, scores={"up": 0.3})
    assert verdicts(list(reversed(mine)), theirs, tolerance=1e-9) == ["same"]


@pytest.mark.parametrize(
    ("candidate", "verdict"), [(0.2, "same"), (0.15, "worse"), (0.8, "same"), (0.85, "better")]
)
def test_a_move_within_twice_the_spread_of_the_reference_is_none(
    candidate: float, verdict: str
) -> None:
    theirs = [*row(1, scores={"up": 0.4}), *row(2, scores={"up": 0.6})[1:]]  # sd .141
    assert verdicts(row(scores={"up": candidate}), theirs) == [verdict]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"corpus": {"name": "toy secrets", "forget": "F"}}, "another corpus"),
        ({"formulas": {"up": "m@2"}}, "another formulas"),
        ({"status": "diverged"}, "another status"),
        ({"seeds": 1}, "seeds [0], not [0, 1]"),
        ({"scores": {"up": None}}, "no value in the candidate"),
        ({"method": "npo"}, "missing in the candidate"),
        ({"model": {"name": "builtin--micro"}}, "missing in the candidate"),
    ],
)
def test_what_does_not_compare_is_said_and_not_judged(change: dict[str, Any], why: str) -> None:
    mine = row(**({"scores": {"up": 0.5}} | change))
    (found,) = gate.check(mine, row(scores={"up": 0.5}), 0.05)
    assert (found.verdict, found.why) == ("not comparable", why)


def test_a_value_the_reference_lacks_does_not_compare_and_one_that_both_lack_is_left_out() -> None:
    theirs = row(scores={"up": None, "down": None})
    (found,) = gate.check(row(scores={"up": 0.5, "down": None}), theirs, 0.05)
    assert (found.column, found.verdict) == ("up", "not comparable")
    assert found.why == "no value in the reference"


def test_a_seed_without_a_value_makes_a_column_incomparable() -> None:
    mine = [*row(1, scores={"up": 0.5}), *row(2, scores={"up": None})[1:]]
    assert verdicts(mine, row(scores={"up": 0.5})) == ["not comparable"]


def test_rows_the_reference_has_not_are_no_matter_and_the_order_of_keys_neither() -> None:
    theirs = row(scores={"up": 0.5, "down": 0.5})
    mine = row(scores={"down": 0.5, "up": 0.5}) + row(scores={"up": 0.0}, method="npo")
    assert verdicts(mine, theirs) == ["same", "same"]


def test_records_come_from_a_folder_or_a_file(tmp_path: Path) -> None:
    folder = tmp_path / "toy" / "default"
    path = folder / "builtin--nano" / "di-0.json"
    with pytest.raises(StoreError) as error:
        gate.load(folder)
    assert line(error.value).startswith(f"{folder}: holds no records; name a folder such as")
    path.parent.mkdir(parents=True)
    path.write_text(toy.record().model_dump_json(), encoding="utf-8")
    assert gate.load(folder) == gate.load(path) == [toy.record()]
    path.write_text("{", encoding="utf-8")
    with pytest.raises(StoreError, match=r"di-0\.json: not a record"):
        gate.load(folder)


def test_a_method_that_is_left_out_is_not_judged_and_the_others_are() -> None:
    theirs = row(scores={"up": 0.5}) + row(scores={"up": 0.5}, method="ga")
    mine = row(scores={"up": 0.2}) + row(scores={"up": 0.0}, method="ga")
    (found,) = gate.check(mine, theirs, 0.05, ["ga"])
    assert (found.method, found.verdict) == ("di", "worse")
    assert [f.verdict for f in gate.check(row(scores={"up": 0.5}), theirs, 0.05, ["ga"])] == [
        "same"
    ]
    with pytest.raises(StoreError) as error:
        gate.check(mine, theirs, 0.05, ["gaa"])
    assert line(error.value).startswith(
        "the reference has no 'gaa' to leave out; did you mean 'ga'"
    )
