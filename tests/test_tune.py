"""Tuning, through the command line: the same budget for all, resumable, on items of its own."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from di_bench.cli import app
from di_bench.errors import MethodError
from di_bench.methodfile import PACKAGED, MethodFile
from di_bench.objective import Objective
from di_bench.search import Choice, Range, Space
from di_bench.spec import read_yaml
from di_bench.trials import Trial, Trials, proposed
from tests.conftest import item, tofu_rows, write_jsonl
from tests.toy import line

runner = CliRunner()
CALM = '''"""Learn the forget set a little more, or less."""
from dataclasses import dataclass
from torch import Tensor
from di_bench.api import LM, Fit, Method, Pair, Recipe, nll

@dataclass(frozen=True)
class Calm(Method):
    strength: float = 1.0
    recipe: Recipe = Recipe()

    def unlearn(self, lm: LM, fit: Fit) -> LM:
        def loss(lm: LM, batch: Pair) -> Tensor:
            return -self.strength * nll(lm, batch.forget)

        return fit(lm, loss, self.recipe)
'''
SPACE = """# Written by hand.
search:
  recipe.lr: {low: 1.0e-5, high: 1.0e-2, log: true}
  strength: [0.5, 1.0]
# Somebody's own.
other/model: {strength: 2.0}
"""
TUNE = {
    "lower": "accuracy",
    "keep": {"kept": 0.9},
    "suite": {
        "corpus": {
            "name": "other secrets",
            "path": "data",
            "splits": {
                split: {"file": f"{split}_tuning.jsonl"}
                for split in ("forget", "retain", "holdout")
            },
        },
        "seeds": [0],
        "grow_seeds": [0],
    },
}


def cli(*arguments: str | Path) -> Result:
    return runner.invoke(app, [str(argument) for argument in arguments])


def change(suite: Path, **keys: object) -> None:
    tree = yaml.safe_load(suite.read_text(encoding="utf-8")) | keys
    suite.write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")


@pytest.fixture
def suite(suite_file: Path) -> Path:
    """The toy suite with an objective, two methods with a search space, and items to tune on."""
    for split in ("forget", "retain", "holdout"):
        rows = tofu_rows([item(split, number) for number in range(20, 28)])
        write_jsonl(suite_file.parent / "data" / f"{split}_tuning.jsonl", rows)
    for name in ("calm", "calmer"):
        (suite_file.parent / f"{name}.py").write_text(CALM, encoding="utf-8")
        (suite_file.parent / f"{name}.yaml").write_text(SPACE, encoding="utf-8")
    tree = yaml.safe_load(suite_file.read_text(encoding="utf-8"))
    change(
        suite_file,
        tune=TUNE,
        seeds=[0],
        grow_seeds=[0],
        probes=tree["probes"] | {"retain": {"ask": "read", "split": "retain"}},
        metrics=tree["metrics"] | {"kept": {"exact_memorization": "retain"}},
    )
    return suite_file


def tune(suite: Path, folders: list[str], *more: str) -> Result:
    names = [suite.parent / "calm.py", suite.parent / "calmer.py"]
    return cli("tune", suite, *names, "--trials", "3", "--workers", "1", *folders, *more)


def kept(folders: list[str]) -> dict[str, Any]:
    return {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in Path(folders[1]).glob("*/*/trials/*/*.json")
    }


def trained(folders: list[str]) -> Mapping[Path, int]:
    return {path: path.stat().st_mtime_ns for path in Path(folders[3]).glob("cost/*/cost.json")}


def test_every_method_gets_the_same_trials_and_resuming_changes_nothing(
    suite: Path, folders: list[str], tmp_path: Path
) -> None:
    result = tune(suite, folders)
    assert result.exit_code == 0, result.output
    whole = kept(folders)
    assert {name: len(found["trials"]) for name, found in whole.items()} == {"calm": 3, "calmer": 3}
    assert whole["calm"]["trials"] == whole["calmer"]["trials"]  # the same code and space
    assert whole["calm"]["trials"][0]["settings"] == {}
    assert set(whole["calm"]["trials"][1]["settings"]) == {"recipe.lr", "strength"}
    assert not list(Path(folders[1]).glob("*/*/tiny*/*.json"))  # no records among the board's
    assert (suite.parent / "calm.yaml").read_text(encoding="utf-8") == SPACE

    before = trained(folders)
    for path in Path(folders[1]).glob("*/*/trials/*/calm.json"):  # killed after its second trial
        tree = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps(tree | {"trials": tree["trials"][:2]}), encoding="utf-8")
    assert tune(suite, folders).exit_code == 0
    assert kept(folders) == whole
    assert trained(folders) == before

    other = ["--results", str(tmp_path / "r2"), "--cache", str(tmp_path / "c2")]
    assert tune(suite, other).exit_code == 0
    assert kept(other) == whole


def test_what_was_found_is_written_used_and_shown(suite: Path, folders: list[str]) -> None:
    result = tune(suite, folders, "--write", "--set", "tune.keep={}")
    assert result.exit_code == 0, result.output
    path = suite.parent / "calm.yaml"
    text = path.read_text(encoding="utf-8")
    assert text.startswith(SPACE)
    chosen = kept(folders)["calm"]
    settings = chosen["trials"][chosen["chosen"]]["settings"]
    (model,) = [name for name in read_yaml(path, MethodError) if name.startswith("tiny-")]
    entry = read_yaml(path, MethodError)[model]
    assert entry["trials"] == 3
    assert "/" not in model
    assert entry["recipe"]["lr"] == settings["recipe.lr"]
    assert tune(suite, folders, "--write", "--set", "tune.keep={}").exit_code == 0
    assert path.read_text(encoding="utf-8") == text

    calm = suite.parent / "calm.py"
    run: list[str | Path] = ["run", suite, calm, "--workers", "1", *folders]
    assert cli(*run).exit_code == 0
    record = next(Path(folders[1]).glob("toy/default/tiny*/calm-0.json"))
    tree = json.loads(record.read_text(encoding="utf-8"))
    assert tree["trials"] == 3
    assert tree["settings"]["recipe"]["lr"] == settings["recipe.lr"]
    for form in ("text", "md", "latex", "csv", "json"):
        assert "trials" in cli("board", suite, "--format", form, *folders[:2]).output

    assert cli(*run, "--set", "recipe.lr=0.002").exit_code == 0
    assert cli(*run, "--set", "tuned=false").exit_code == 0
    found = {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in Path(folders[1]).glob("toy/default/tiny*/calm+*.json")
    }
    assert found["calm+recipe.lr=0.002-0"]["settings"]["recipe"]["lr"] == 0.002
    assert found["calm+tuned=False-0"]["settings"]["recipe"]["lr"] == 3.0e-3
    assert found["calm+tuned=False-0"]["trials"] == 0
    assert json.loads(record.read_text(encoding="utf-8")) == tree


def test_what_keeps_too_little_is_said(suite: Path, folders: list[str]) -> None:
    change(suite, recipe={"lr": 0.1, "epochs": 4, "batch_size": 4})
    (suite.parent / "calm.yaml").write_text("search: {recipe.lr: [0.1, 0.2]}", encoding="utf-8")
    result = tune(suite, folders)
    assert result.exit_code == 0, result.output
    found = kept(folders)["calm"]
    assert not found["feasible"]
    assert found["chosen"] is None or found["trials"][found["chosen"]]["violation"] > 0
    assert "0 of 3" in result.output


def test_choosing_by_what_the_board_asks_is_refused(suite: Path, folders: list[str]) -> None:
    change(suite, tune=TUNE | {"suite": {"seeds": [0]}})
    result = tune(suite, folders)
    assert result.exit_code == 2
    assert "item 'forget/1' of split 'forget' is in 'forget' of the board too" in result.output


SPACES = {
    "strenght: [1]": "search: strenght: unknown setting; did you mean 'strength'?",
    "strength: []": "search: strength: is empty; list what to try",
    "strength: {low: 2, high: 1}": "search: strength: low must be below high, not 2 and 1",
    "strength: {low: 0, high: 1, log: true}": "with `log: true` low must be above 0, not 0",
    "strength: {low: a, high: 1}": "search: strength: low must be a number, not 'a'",
    "strength: 3": "search: strength: must be a list or {low: , high: }, not 3",
    "strength: [1, 1]": "search: strength: 1 is given twice",
    "recipe.schedule: [wavy]": "search: recipe.schedule: setting recipe.schedule: must be",
    "recipe.epochs: {low: 1.0, high: 3.0}": "search: recipe.epochs: setting recipe.epochs: must be",
}


@pytest.mark.parametrize("space", SPACES)
def test_a_space_that_cannot_be_meant_is_one_line(
    suite: Path, folders: list[str], space: str
) -> None:
    (suite.parent / "calm.yaml").write_text(f"search:\n  {space}\n", encoding="utf-8")
    result = tune(suite, folders)
    assert result.exit_code == 2
    assert result.output.startswith(str(suite.parent / "calm.yaml"))
    assert SPACES[space] in result.output
    assert len(result.output.strip().splitlines()) == 1


def test_a_method_that_nobody_wrote_a_space_for_is_refused(suite: Path, folders: list[str]) -> None:
    (suite.parent / "calm.yaml").unlink()
    result = tune(suite, folders)
    assert result.exit_code == 2
    assert "calm.yaml: no `search`; add what to try, such as `search: {recipe.lr" in result.output


def test_a_setting_of_the_suite_is_not_searched(suite: Path, folders: list[str]) -> None:
    change(suite, methods={str(suite.parent / "calm.py"): {"strength": 3.0}})
    result = tune(suite, folders)
    assert result.exit_code == 2
    assert "toy: methods.calm.strength is set there and searched in" in result.output


def test_the_next_trial_follows_from_those_before_and_fits_the_space() -> None:
    objective = Objective(lower="a")
    axes: Space = {"lr": Range(1e-5, 1e-1, log=True), "n": Range(2, 6), "by": Choice(("x", "y"))}
    start: dict[str, Any] = {"lr": 1e-3, "n": 5, "by": "x"}
    trials = [Trial(number=0, status="done", values={"a": 0.5}, violation=0.0)]
    for number in range(1, 12):
        settings = proposed(axes, start, trials, objective)
        assert settings == proposed(axes, start, trials, objective)
        assert isinstance(settings["n"], int)
        assert float(f"{settings['lr']:.3g}") == settings["lr"]
        high = isinstance(settings["lr"], float) and settings["lr"] > 1e-3
        trials.append(
            Trial(number=number, settings=settings, status="diverged" if high else "done",
                  values={} if high else {"a": 0.4}, violation=None if high else 0.0)
        )  # fmt: skip
    assert all(axes[name].holds(value) for name, value in settings.items())


@pytest.mark.parametrize(
    ("outcomes", "chosen"),
    [
        ([(0.5, 0.0), (0.3, 0.0), (0.1, 0.2)], 1),  # the lowest is not feasible
        ([(0.5, 0.3), (0.3, 0.1)], 1),  # none is: the least violation
        ([(0.5, None), (0.3, None)], None),
    ],
)
def test_the_chosen_one_is_feasible_then_best(
    outcomes: list[tuple[float, float | None]], chosen: int | None
) -> None:
    objective = Objective(lower="a")
    trials = Trials(key="k", method="m", model="b", objective={}, search={}, none={})
    for number, (value, violation) in enumerate(outcomes):
        trial = Trial(number=number, status="done", values={"a": value}, violation=violation)
        trials = trials.told(objective, trial)
    assert trials.chosen == chosen


def test_a_share_is_kept_in_the_direction_of_the_column() -> None:
    objective = Objective(lower="a", keep={"up": 0.5, "down": 0.5})
    none, better = {"a": 1.0, "up": 0.8, "down": 2.0}, {"up": "higher", "down": "lower"}
    assert objective.violation({"a": 0, "up": 0.4, "down": 4.0}, none, better) == 0
    assert objective.violation({"a": 0, "up": 0.2, "down": 5.0}, none, better) == 0.75
    assert objective.violation({"a": 0, "up": None, "down": 5.0}, none, better) is None


def test_trials_must_be_a_number(tmp_path: Path) -> None:
    (tmp_path / "calm.py").write_text(CALM, encoding="utf-8")
    (tmp_path / "calm.yaml").write_text("m: {trials: many}\n", encoding="utf-8")
    with pytest.raises(MethodError) as error:
        MethodFile(tmp_path / "calm.py").settings("m", {}, {})
    assert "calm.yaml: m: trials: must be the number of trials, not 'many'" in line(error.value)


@pytest.mark.parametrize("path", sorted(PACKAGED.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_packaged_space_is_of_settings_there_are(path: Path) -> None:
    assert MethodFile(path.with_suffix(".py")).search
