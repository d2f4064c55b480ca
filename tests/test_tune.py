"""Tuning through the command line: equal budgets, kept trials, settings that a run then gets."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import Result

from di_bench import tune
from di_bench.errors import MethodError
from di_bench.method import MethodFile
from di_bench.spec import read_yaml
from di_bench.suite import Tune
from di_bench.tune import STARTUP, Study, Trial
from tests.conftest import BASELINES, HOLDOUT, tofu_rows, write_jsonl
from tests.test_cli import change, cli, records, times

SPACE = {
    "recipe.lr": {"low": 1.0e-4, "high": 1.0e-2, "log": True},
    "strength": [3.0, 10.0],
}


@pytest.fixture
def methods(tmp_path: Path) -> list[str]:
    """Two methods outside of the package, with a search space each."""
    folder = tmp_path / "methods"
    folder.mkdir()
    for name, space in (("di", SPACE), ("ga", {"recipe.lr": SPACE["recipe.lr"]})):
        shutil.copy(BASELINES / f"{name}.py", folder / f"my_{name}.py")
        (folder / f"my_{name}.yaml").write_text(
            "# Mine.\n" + yaml.safe_dump({"search": space}), encoding="utf-8"
        )
    return [str(folder / "my_di.py"), str(folder / "my_ga.py")]


@pytest.fixture
def suite(suite_file: Path, methods: list[str]) -> Path:
    """The toy suite, which tunes on what it holds out."""
    write_jsonl(suite_file.parent / "data" / "other.jsonl", tofu_rows(HOLDOUT[:4]))
    overlay = {
        "corpus": {
            "name": "other secrets",
            "path": "data",
            "splits": {
                "forget": {"file": "other.jsonl"},
                "retain": {"file": "retain.jsonl"},
                "holdout": {"file": "unheard.jsonl"},
            },
            "refusals": {"file": "refusals.txt"},
        },
        "seeds": [0],
        "grow_seeds": [0],
        "probes": {"kept": {"ask": "read", "split": "retain"}},
    }
    rows = [row | {"question": row["question"] + "!"} for row in tofu_rows(HOLDOUT)]
    write_jsonl(suite_file.parent / "data" / "unheard.jsonl", rows)
    write_jsonl(suite_file.parent / "data" / "holdout.jsonl", tofu_rows(HOLDOUT[4:]))
    tree = yaml.safe_load(suite_file.read_text(encoding="utf-8"))
    tree["probes"] |= {"kept": {"ask": "read", "split": "holdout"}}
    tree["metrics"] |= {"kept": {"probability": "kept"}}
    tree["methods"] = dict.fromkeys(["none", "retrain", *methods])
    tree["tune"] = {"lower": "accuracy", "keep": {"kept": 0.5}, "suite": overlay}
    suite_file.write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")
    return suite_file


def tuned(suite: Path, folders: list[str], *more: str) -> Result:
    return cli("tune", suite, "--trials", "3", "--workers", "1", *folders, *more)


def kept(folders: list[str]) -> dict[str, dict[str, Any]]:
    files = sorted(Path(folders[1]).glob("toy/default/trials/*/*.json"))
    return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in files}


def test_every_method_gets_the_same_trials_and_a_run_then_uses_what_was_found(
    suite: Path, folders: list[str], methods: list[str]
) -> None:
    result = tuned(suite, folders, "--write")
    assert result.exit_code == 0, result.output
    found = kept(folders)
    assert {name: len(study["trials"]) for name, study in found.items()} == {
        "my_di": 3,
        "my_ga": 3,
    }
    assert str(suite.parent) not in json.dumps(found)
    for study in found.values():
        first, *rest = study["trials"]
        assert first["settings"] == {}
        assert all(1e-4 <= trial["settings"]["recipe.lr"] <= 1e-2 for trial in rest)
        fit = [t for t in study["trials"] if t["feasible"]]
        for trial in fit:
            assert trial["values"]["kept"] >= 0.5 * study["none"]["kept"]
        if fit:
            lowest = min(trial["values"]["accuracy"] for trial in fit)
            assert study["trials"][study["chosen"]]["values"]["accuracy"] == lowest
    assert not list(Path(folders[1]).glob("toy/default/*/*.json"))  # trials are no records

    beside = MethodFile(Path(methods[0])).beside
    assert beside.read_text(encoding="utf-8").startswith("# Mine.\n")
    written = read_yaml(beside, MethodError)
    (model,) = written.keys() - {"search"}
    assert model.startswith("tiny-")
    assert written["search"] == SPACE
    best = found["my_di"]["trials"][found["my_di"]["chosen"]]["settings"]
    assert written[model].get("strength") == best.get("strength")

    assert cli("run", suite, "--workers", "1", *folders).exit_code == 0
    record = records(folders)["my_di-0"]
    assert record["trials"] == 3
    assert record["settings"]["strength"] == best.get("strength", 10.0)
    assert record["settings"]["recipe"]["lr"] == best.get("recipe.lr", 3e-3)
    for form in ("text", "md", "latex", "csv", "json"):
        assert "trials" in cli("board", suite, "--format", form, *folders[:2]).output
    assert records(folders)["none-0"]["trials"] == 0

    said = cli("run", suite, methods[0], "--set", "recipe.lr=0.002", "--workers", "1", *folders)
    assert said.exit_code == 0, said.output
    assert records(folders)["my_di+recipe.lr=0.002-0"]["settings"]["recipe"]["lr"] == 0.002
    change(suite, tuned=False)
    assert cli("run", suite, methods[0], "--workers", "1", *folders).exit_code == 0
    plain = records(folders)["my_di-0"]
    assert (plain["trials"], plain["settings"]["recipe"]["lr"]) == (0, 3e-3)


def test_an_interrupted_study_goes_on_and_ends_with_the_same_trials(
    suite: Path, folders: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = ["--results", str(tmp_path / "again"), "--cache", str(tmp_path / "other")]
    assert tuned(suite, other).exit_code == 0
    real = tune._round
    rounds: list[int] = []

    def stop(*given: Any) -> None:  # noqa: ANN401 - whatever a round is given
        if rounds:
            raise KeyboardInterrupt
        rounds.append(1)
        real(*given)

    monkeypatch.setattr(tune, "_round", stop)
    assert tuned(suite, folders).exit_code == 130
    assert [len(study["trials"]) for study in kept(folders).values()] == [1, 1]
    trained = times(folders[3], "*.safetensors")
    monkeypatch.setattr(tune, "_round", real)
    assert tuned(suite, folders).exit_code == 0
    assert kept(folders) == kept(other)
    now = times(folders[3], "*.safetensors")
    assert {path: now[path] for path in trained} == trained
    before = times(folders[1], "*.json")
    assert tuned(suite, folders).exit_code == 0  # nothing is left to try
    assert times(folders[1], "*.json") == before


def test_trials_of_other_code_or_space_are_made_again(
    suite: Path, folders: list[str], methods: list[str]
) -> None:
    assert tuned(suite, folders).exit_code == 0
    beside = MethodFile(Path(methods[1])).beside
    beside.write_text("search: {recipe.lr: [0.001, 0.002]}\n", encoding="utf-8")
    result = tuned(suite, folders)
    assert "my_ga.json: was of other code, data or search space" in result.output
    assert "my_di.json" not in result.output
    rates = [trial["settings"].get("recipe.lr") for trial in kept(folders)["my_ga"]["trials"]]
    assert set(rates) <= {None, 0.001, 0.002}


def test_selecting_on_what_the_board_tests_is_refused(suite: Path, folders: list[str]) -> None:
    tree = yaml.safe_load(suite.read_text(encoding="utf-8"))
    tree["tune"]["suite"]["corpus"]["splits"]["forget"]["file"] = "forget.jsonl"
    suite.write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")
    result = tuned(suite, folders)
    assert result.exit_code == 2
    assert "item 'forget/1' of 'forget' is also asked about" in " ".join(result.output.split())
    assert not kept(folders)


def test_nothing_kept_enough_is_said_and_the_nearest_chosen(
    suite: Path, folders: list[str], methods: list[str]
) -> None:
    MethodFile(Path(methods[1])).beside.write_text(
        "search: {recipe.lr: [0.03, 0.1]}\n", encoding="utf-8"
    )
    result = tuned(suite, folders, "--set", "tune.keep.kept=1.0", "--set", "recipe.lr=0.05")
    assert result.exit_code == 0, result.output
    study = kept(folders)["my_ga"]
    assert not study["feasible"]
    nearest = min(study["trials"], key=lambda trial: trial["violation"])
    assert study["chosen"] == nearest["number"]
    assert "keeps too little" in result.output


def test_a_trial_that_breaks_is_kept_and_the_others_go_on(
    suite: Path, folders: list[str], methods: list[str]
) -> None:
    path = Path(methods[1])
    code = path.read_text(encoding="utf-8").replace("return -nll", "return float('nan') * nll")
    path.write_text(code, encoding="utf-8")
    result = tuned(suite, folders)
    assert result.exit_code == 0, result.output
    broken, whole = kept(folders)["my_ga"], kept(folders)["my_di"]
    assert [trial["status"] for trial in broken["trials"]] == ["diverged"] * 3
    assert broken["chosen"] is None
    assert len(whole["trials"]) == 3
    assert "no trial came to an end" in result.output


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("search: {strenght: [1.0]}", "unknown setting strenght; did you mean 'strength'"),
        ("search: {recipe.rate: [1.0]}", "unknown setting of a recipe"),
        ("search: {strength: []}", "search: strength: must be a list of values"),
        ("search: {strength: {low: 3, high: 2}}", "low must be below high"),
        ("search: {strength: {low: 0, high: 2, log: true}}", "starts above zero"),
        ("search: {strength: {low: 1, top: 2}}", "search: strength"),
        ("search: 3", "search: map settings to a list"),
        ("default: {strength: 3.0}", "has no search space; add such as"),
    ],
)
def test_a_search_space_that_cannot_be_meant_is_refused_in_one_line(
    suite: Path, folders: list[str], methods: list[str], text: str, said: str
) -> None:
    MethodFile(Path(methods[0])).beside.write_text(text + "\n", encoding="utf-8")
    result = tuned(suite, folders)
    assert result.exit_code == 2, result.output
    assert said in " ".join(result.output.split())
    assert "my_di.yaml" in result.output or "my_di.py" in result.output


def test_a_suite_without_an_objective_is_refused(suite_file: Path, folders: list[str]) -> None:
    result = tuned(suite_file, folders, "ga")
    assert result.exit_code == 2
    assert "names no objective" in result.output


def test_the_best_is_feasible_first_and_then_lowest() -> None:
    study: Any = object.__new__(Study)
    study.tune = Tune(lower="a", keep={"b": 0.9})
    study.trials = [
        Trial(0, {}, "done", {"a": 0.1}, violation=0.2),
        Trial(1, {}, "done", {"a": 0.6}, violation=-0.1),
        Trial(2, {}, "done", {"a": 0.5}, violation=0.0),
        Trial(3, {}, "failed", violation=1.0),
    ]
    assert study.best.number == 2
    study.trials = study.trials[:1] + study.trials[3:]
    assert study.best.number == 0
    assert not study.best.feasible
    assert STARTUP < 8  # a default budget leaves the sampler something to learn from
