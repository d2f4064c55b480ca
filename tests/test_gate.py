"""The gate lets through what is no worse, fails what is, and refuses what does not compare."""

import shutil
from pathlib import Path

import pytest
from pyarrow import parquet, table
from typer.testing import CliRunner

from di_bench.cli import app
from di_bench.store import Store
from tests import toy
from tests.planted import AFTER, ALL, BEFORE, Desk, Plan, planted


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_equal_methods_pass_with_other_seeds_and_replayed_on_another_machine(desk: Desk) -> None:
    other = desk.check(desk.side("other", AFTER))
    assert (other.exit_code, "0 worse, 0 not comparable" in other.output) == (0, True)
    replayed = desk.side("replayed", BEFORE, dict.fromkeys(ALL, Plan(jitter=1e-3)))
    same = desk.check(replayed)
    assert (same.exit_code, same.output) == (
        0,
        "19 same, 0 better, 0 unclear, 0 worse, 0 not comparable (tolerance 0.05, alpha 0.05)\n",
    )


def test_a_worse_method_fails_and_a_better_one_passes(desk: Desk) -> None:
    worse = desk.check(desk.side("worse", AFTER, {"di": Plan({"accuracy": 0.35})}))
    assert worse.exit_code == 1
    table = worse.output.splitlines()
    assert table[0].split()[:4] == ["verdict", "model", "method", "column"]
    assert table[1].split()[:4] == ["worse", "builtin/nano", "di", "accuracy"]
    assert " 1 worse, 0 not comparable" in table[-1]
    paired = desk.check(desk.side("paired", BEFORE, {"di": Plan({"quality": -0.35})}))
    assert (paired.exit_code, "worse    builtin/nano  di" in paired.output) == (1, True)
    better = desk.check(desk.side("better", AFTER, {"di": Plan({"accuracy": -0.35})}))
    assert (better.exit_code, "better   builtin/nano  di" in better.output) == (0, True)


def test_a_missing_record_and_a_missing_row_do_not_compare(desk: Desk) -> None:
    side = desk.side("less", BEFORE)
    path = desk.record(side, "di-1")
    path.unlink()
    path.with_suffix(".parquet").unlink()
    less = desk.check(side)
    assert (less.exit_code, less.output.count("not comparable")) == (2, 2)
    assert "seed 1 is missing in the candidate" in less.output
    some = desk.check(side, "--seed", "0", "--seed", "2")
    assert some.exit_code == 0
    assert desk.check(side, "--leave-out", "di").exit_code == 0
    assert desk.check(side, "--method", "npo", "--method", "none").exit_code == 0
    gone = desk.check(desk.side("gone", BEFORE, methods=("none", "retrain", "di")))
    assert (gone.exit_code, "npo" in gone.output) == (2, True)
    never = desk.check(side, "--seed", "9")
    assert (never.exit_code, "no record of seed 9; make it" in never.output) == (2, True)


def test_a_diverged_cell_is_worse(desk: Desk) -> None:
    side = desk.side("diverged", BEFORE)
    record, _ = planted("di", 2)
    lost = record.model_copy(update={"status": "diverged", "scores": {}, "error": "nan"})
    Store(side.parents[1], desk.folder / "cache").keep(desk.cells["di-2"], lost, {})
    result = desk.check(side)
    assert result.exit_code == 1
    assert "diverged with seed 2; the reference did not" in result.output


@pytest.mark.parametrize("which", ["candidate", "reference"])
@pytest.mark.parametrize(
    "damage", ["no JSON", "no record", "cut scores", "other scores", "no scores"]
)
def test_a_corrupted_record_is_one_line_that_names_the_file(
    desk: Desk, which: str, damage: str
) -> None:
    side = desk.side("other", AFTER)
    path = desk.record(*{"candidate": (side, "di-5"), "reference": (desk.reference, "di-0")}[which])
    scores = path.with_suffix(".parquet")
    wrong = path if damage in ("no JSON", "no record") else scores
    if damage == "no scores":
        scores.unlink()
    elif damage == "other scores":
        parquet.write_table(table({"metric": ["a"], "item": ["b"]}), scores)
    else:
        text = {"no JSON": b"{", "no record": b"{}"}.get(damage) or scores.read_bytes()[:-9]
        wrong.write_bytes(text)
    result = desk.check(side)
    assert (result.exit_code, result.output.count("\n")) == (2, 1)
    assert wrong.name in result.output
    assert not [word for word in toy.JARGON if word in result.output]


def test_two_records_of_one_cell_and_an_empty_folder_are_said(desk: Desk) -> None:
    side = desk.side("twice", BEFORE)
    path = desk.record(side, "di-1")
    for file in (path, path.with_suffix(".parquet")):
        shutil.copy(file, file.with_name(f"x{file.name}"))
    twice = desk.check(side)
    assert (twice.exit_code, "xdi-1.json: the same cell as" in twice.output) == (2, True)
    empty = desk.check(desk.folder / "nothing")
    assert (empty.exit_code, "holds no records; name a folder such as" in empty.output) == (2, True)


def test_a_single_record_is_judged_beside_its_golds(desk: Desk) -> None:
    side = desk.side("one", BEFORE, {"di": Plan({"accuracy": 0.4}), "npo": Plan({"kept": -0.4})})
    mine, theirs = desk.record(side, "di-0"), desk.record(desk.reference, "di-0")
    result = CliRunner().invoke(app, ["check", str(mine), "--against", str(theirs)])
    assert result.exit_code == 1
    assert "a single seed: its items alone" in result.output
    assert "one seed, so only items can tell: di on builtin/nano" in result.output
    assert "npo" not in result.output
    assert "no value of retrain" not in result.output


def test_a_gate_file_says_what_to_tolerate_and_the_command_line_overrules_it(desk: Desk) -> None:
    side = desk.side("worse", AFTER, {"di": Plan({"accuracy": 0.3, "kept": -0.3})})
    file = desk.gate("tolerance: 0.4\nalpha: 0.04\n")
    tolerant = desk.check(side, "--gate", file)
    assert (tolerant.exit_code, "(tolerance 0.4, alpha 0.04)" in tolerant.output) == (0, True)
    assert desk.check(side, "--gate", file, "--tolerance", "0.1").exit_code == 1
    one = desk.gate("columns:\n  accuracy: {tolerance: 0.5}\n  kept: {tolerance: .inf}\n")
    assert desk.check(side, "--gate", one).exit_code == 0
    left = desk.check(side, "--gate", desk.gate("leave_out: [di]\n"), "--leave-out", "npo")
    assert (left.exit_code, "; left out: di, npo" in left.output) == (0, True)
    only = desk.check(side, "--gate", desk.gate("methods: [di, npo]\n"), "--method", "npo")
    assert (only.exit_code, "; only npo" in only.output) == (0, True)


def test_claims_are_judged_and_a_new_method_meets_them_alone(desk: Desk) -> None:
    two = ("none", "retrain", "di")
    desk.reference = desk.side("old", BEFORE, methods=two)
    side = desk.side("new", BEFORE)
    assert desk.check(side).exit_code == 0
    met = desk.check(
        side,
        "--gate",
        desk.gate(
            'require:\n  "*": ["kept >= 0.8 of none", quality >= .1]\n'
            "  npo: [accuracy <= 1.5 of retrain, ratio < 1]\n"
        ),
    )
    assert (met.exit_code, "1 new, 6 holds" in met.output) == (0, True)
    unmet = desk.check(side, "--gate", desk.gate("require:\n  npo: [kept >= 0.99 of none]\n"))
    assert (unmet.exit_code, "1 broken" in unmet.output) == (1, True)
    assert "kept >= 0.99 of none" in unmet.output
    alone = desk.side("alone", BEFORE, methods=("none", "retrain", "npo"))
    assert desk.check(alone).exit_code == 2  # di is missing
    new = desk.check(alone, "--method", "npo", "--gate", desk.gate("require: {npo: [kept > 0.1]}"))
    assert (new.exit_code, "1 new, 1 holds" in new.output) == (0, True)
