"""Composites: checked by hand, one number a seed, and a reason where there is none."""

import json
from pathlib import Path
from typing import Any

import pytest

from di_bench import suite as suites
from di_bench.board import boards
from di_bench.composite import COMPOSITES, added, find
from di_bench.errors import SuiteError
from di_bench.metrics import VERSIONS
from di_bench.record import Record
from di_bench.render import render
from di_bench.suite import Suite
from tests import toy

MEMORY, WHOLE, TASK4 = COMPOSITES
Scores = dict[str, float | None]
SIX = ["retain", "kept", "retain", "kept", "retain", "kept"]
METRICS: dict[str, Any] = {
    "strength": {"extraction_strength": "forget"},
    "accuracy": {"exact_memorization": "forget"},
    "prob": {"probability": "forget"},
    "kept": {"exact_memorization": "retain"},
    "utility": {"model_utility": SIX},
    "hidden": {"s_mia": ["forget", "retain"]},
    "forget_rouge": {"rouge": "answers"},
    "forget_match": {"exact_match": "answers"},
    "kept_rouge": {"rouge": "kept"},
    "kept_match": {"exact_match": "kept"},
    "auc": {"mia_loss": ["forget", "retain"]},
}
START: Scores = {"strength": 0.9, "accuracy": 1.0, "prob": 0.9, "utility": 0.5, "hidden": 0.0}
ROW: Scores = {"strength": 0.5, "accuracy": 0.75, "prob": 0.5, "utility": 0.4, "hidden": 0.5}
# HM(.5, .25, .5) = 3 / (2 + 4 + 2) = .375 of memory; .4 / .5 = .8 of utility


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return made(tmp_path)


def made(folder: Path, metrics: dict[str, Any] = METRICS, **changes: Any) -> Suite:  # noqa: ANN401 - YAML
    tree = toy.tree() | {"models": ["builtin/nano"], "metrics": metrics, "seeds": [0, 1]}
    tree["probes"] |= {"kept": {"ask": "write", "split": "retain"}}
    path = toy.write(folder)
    path.write_text(json.dumps(tree | changes), encoding="utf-8")
    return suites.load(path)


def formulas(suite: Suite) -> dict[str, str]:
    return {column: suite.reads(column)[0].formula for column in suite.metrics}


def row(suite: Suite, method: str, *seeds: Scores, **changes: Any) -> list[Record]:  # noqa: ANN401 - fields of Record
    """A record for each seed."""
    fields = {"formulas": formulas(suite), "better": {}} | changes
    return [
        toy.record(method=method, seed=seed, scores=scores, **fields)
        for seed, scores in enumerate(seeds)
    ]


def scores(records: list[Record], suite: Suite, name: str = MEMORY) -> list[float | None]:
    """The composite of every record that is not of `none`."""
    found, _ = added(records, suite, name)
    return [record.scores[name] for record in found if record.method != "none"]


def why(records: list[Record], suite: Suite, name: str = MEMORY) -> str:
    found, _ = added(records, suite, name)
    return found[-1].gaps[name]


def test_every_formula_is_made_of_metrics_in_their_groups() -> None:
    for name, composite in COMPOSITES.items():
        assert find(name) == find(name.partition("@")[0]) == name
        for need in composite.needs.values():
            metric = VERSIONS[need.formula]
            assert need.group in (metric.group, "utility"), need
        assert composite.selection
        assert "arXiv" in composite.source
    with pytest.raises(SuiteError, match=r"did you mean 'semeval-task4@1'\? There are: hm-memory"):
        find("semeval-task4@2")


def test_each_seed_is_held_against_its_own_start(suite: Suite) -> None:
    records = row(suite, "none", START, START | {"utility": 0.8})
    records += row(suite, "di", ROW, ROW)
    # HM(.375, .8) = 2 * .375 * .8 / 1.175; the other seed starts from twice .4
    assert scores(records, suite) == pytest.approx([0.6 / 1.175, 0.375 / 0.875])
    with_privacy = [3 / (1 / 0.375 + 2 + 1 / 0.8), 3 / (1 / 0.375 + 2 + 2)]
    assert scores(records, suite, WHOLE) == pytest.approx(with_privacy)


def test_utility_gained_pays_for_nothing_and_a_lost_axis_for_all(suite: Suite) -> None:
    none = row(suite, "none", START)
    gained = [*none, *row(suite, "di", ROW | {"utility": 0.9})]
    assert scores(gained, suite) == pytest.approx([2 * 0.375 / 1.375])
    lost_ones: tuple[Scores, ...] = ({"utility": 0.0}, {"accuracy": 1.0})
    for lost in lost_ones:
        assert scores([*none, *row(suite, "di", ROW | lost)], suite) == [0.0]
    assert scores([*none, *row(suite, "di", ROW | {"hidden": 0.0})], suite, WHOLE) == [0.0]


def test_a_missing_ingredient_is_a_gap_with_its_reason(suite: Suite, tmp_path: Path) -> None:
    none, di = row(suite, "none", START), row(suite, "di", ROW)
    assert why(di, suite) == "no record of none with its seed to hold utility against"
    zero = row(suite, "none", START | {"utility": 0.0})
    assert why([*zero, *di], suite) == "utility of none is 0: nothing can be relative to it"
    gap = row(suite, "di", ROW | {"hidden": None}, gaps={"hidden": "no gold model"})
    assert why([*none, *gap], suite, WHOLE) == "hidden of di: no gold model"
    older = row(suite, "di", ROW, formulas=formulas(suite) | {"prob": "probability@0"})
    assert why([*none, *older], suite) == "prob of di was not graded with probability@1"
    few = made(tmp_path / "few", {name: METRICS[name] for name in ("strength", "utility")})
    said = why([*none, *di], few)
    assert said == "the suite has no column of forgetting with exact_memorization@1"


def test_another_model_axis_or_setup_is_no_start(suite: Suite) -> None:
    changes: tuple[dict[str, Any], ...] = (
        {"setup": "t"},
        {"axis": "size=05"},
        {"model": {"name": "other"}},
    )
    for change in changes:
        none = row(suite, "none", START, **change)
        assert "no record of none" in why([*none, *row(suite, "di", ROW)], suite)


def test_a_diverged_seed_has_no_composite_and_no_gap_of_its_own(suite: Suite) -> None:
    lost = row(suite, "di", {}, status="diverged", error="the loss is nan")
    found, _ = added([*row(suite, "none", START), *lost], suite, MEMORY)
    assert MEMORY not in found[-1].scores | found[-1].gaps


def test_the_score_of_semeval_by_hand(tmp_path: Path) -> None:
    nlu = {"nlu": {"nlu": "exam"}}
    exam = toy.tree()["probes"] | {
        "kept": {"ask": "write", "split": "retain"},
        "exam": {"ask": "tasks", "tasks": ["di_copa"]},
    }
    suite = made(tmp_path, METRICS | nlu, probes=exam)
    none = row(suite, "none", {"nlu": 0.8})
    given: Scores = {
        "forget_rouge": 0.5,
        "forget_match": 0.75,
        "kept_rouge": 0.5,
        "kept_match": 0.5,
    }
    # HM(.5, .25, .5, .5) = .4; the attack is .1 off, on either side: .8
    for auc in (0.6, 0.4):
        one = row(suite, "di", {**given, "auc": auc, "nlu": 0.6})
        assert scores([*none, *one], suite, TASK4) == pytest.approx([(0.4 + 0.8 + 0.6) / 3])
    low = row(suite, "di", {**given, "auc": 0.6, "nlu": 0.59})
    assert why([*none, *low], suite, TASK4) == "nlu is below 0.75 of none's"


def test_a_board_shows_it_only_when_asked_and_says_how_it_is_made(suite: Suite) -> None:
    records = [*row(suite, "none", START, START), *row(suite, "di", ROW, ROW)]
    (before,) = boards(records, suite)
    assert MEMORY not in before.columns
    assert before.composites == ()
    found, asked = added(records, suite, "hm-memory-utility")
    (board,) = boards(found, asked)
    assert board.columns == (*suite.shown, MEMORY)
    assert f"{MEMORY} ↑" in board.header()
    assert str(board.lines[-1].cells[MEMORY]) == "0.511 ± 0.000"
    (said,) = board.composites
    assert said.startswith(f"{MEMORY} = HM(HM(1 - ES, 1 - EM, 1 - P), min(1, U / U of none)); ")
    assert "EM = accuracy (exact_memorization@1), P = prob (probability@1)" in said
    assert "Selection: rows stand as they are, with what tuning found" in said
    assert "tuned by memorization and utility without privacy). Source: ours, after open" in said
    for form in ("text", "md", "latex"):
        assert "1 - ES, 1 - EM" in render(found, asked, form)
    page = render(found, asked, "md")
    assert f"= `{MEMORY}`" not in page
    assert f"composite ({MEMORY})" in page


def test_it_comes_out_as_numbers_too_and_two_stand_side_by_side(suite: Suite) -> None:
    records = [*row(suite, "none", START, START), *row(suite, "di", ROW, ROW | {"utility": 0.2})]
    found, asked = added(*added(records, suite, MEMORY), WHOLE)
    rows = json.loads(render(found, asked, "json"))
    mine = [r for r in rows if r["method"] == "di" and r["group"] == "composite"]
    assert [r["metric"] for r in mine] == [r["formula"] for r in mine] == [MEMORY, WHOLE]
    assert mine[0]["mean"] == pytest.approx((0.6 / 1.175 + 0.3 / 0.775) / 2)
    assert (mine[0]["seeds"], mine[0]["better"]) == (2, "higher")
    assert MEMORY in render(found, asked, "csv")
    assert len(boards(found, asked)[0].composites) == 2


def test_it_says_what_settings_were_selected_by(tmp_path: Path) -> None:
    shared = made(tmp_path / "a", tuned=False)
    _, asked = added(row(shared, "none", START), shared, MEMORY)
    assert "with one recipe for all and settings selected by nothing (open" in "".join(
        asked.composites.values()
    )
    goal = {"lower": "accuracy", "keep": {"kept": 0.95, "utility": 0.9}}
    tuned = made(tmp_path / "b", tune=goal)
    _, asked = added(row(tuned, "none", START), tuned, MEMORY)
    kept = "that keeps 0.95 of kept and 0.9 of utility"
    assert f"settings tuned for the least accuracy {kept} (open" in asked.composites[MEMORY]
