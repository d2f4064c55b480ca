"""End to end, through the command line: run, resume, ask again, grade again, go wrong."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from di_bench.cli import app
from di_bench.leaderboard import publish
from tests import toy

runner = CliRunner()
NAN = '''"""A loss that is no number."""
from dataclasses import dataclass
from torch import Tensor
from di_bench.api import LM, Fit, Method, Pair, Recipe, nll

@dataclass(frozen=True)
class Broken(Method):
    recipe: Recipe = Recipe()

    def unlearn(self, lm: LM, fit: Fit) -> LM:
        def loss(lm: LM, batch: Pair) -> Tensor:
            return float("nan") * nll(lm, batch.forget)

        return fit(lm, loss, self.recipe)
'''


def cli(*arguments: str | Path) -> Result:
    return runner.invoke(app, [str(argument) for argument in arguments])


def run(suite: Path, folders: list[str], *more: str | Path) -> Result:
    return cli("run", suite, *more, "--workers", "1", *folders)


def change(suite: Path, **keys: Any) -> None:  # noqa: ANN401 - YAML
    tree = yaml.safe_load(suite.read_text(encoding="utf-8"))
    for key, value in keys.items():
        tree[key] = {**tree[key], **value} if isinstance(value, dict) else value
    suite.write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")


def records(folders: list[str]) -> dict[str, dict[str, Any]]:
    """Records without what may differ between two runs of the same work."""
    found = {}
    for path in sorted(Path(folders[1]).rglob("*.json")):
        tree = json.loads(path.read_text(encoding="utf-8"))
        found[path.stem] = {k: v for k, v in tree.items() if k not in ("cost", "environment")}
    return found


def times(folder: str, pattern: str) -> Mapping[Path, int]:
    return {path: path.stat().st_mtime_ns for path in Path(folder).rglob(pattern)}


@pytest.fixture
def done(suite_file: Path, folders: list[str]) -> Path:
    """The suite, run."""
    result = run(suite_file, folders)
    assert result.exit_code == 0, result.output
    return suite_file


def test_a_run_makes_records_and_a_board(done: Path, folders: list[str]) -> None:
    found = records(folders)
    assert list(found) == ["di-0", "di-1", "none-0", "none-1", "retrain-0", "retrain-1"]
    assert all(record["status"] == "done" for record in found.values())
    page = next(Path(folders[1]).rglob("LEADERBOARD.md")).read_text(encoding="utf-8")
    assert page.startswith("# Toy protocol, toy secrets: tiny-")
    assert str(Path(folders[1]).parent) not in page + json.dumps(found)
    none = found["none-0"]["scores"]
    assert found["di-0"]["scores"]["accuracy"] < none["accuracy"]
    assert found["retrain-0"]["parts"]["quality"]["n"] == 8


def test_a_second_run_does_nothing_and_says_so(done: Path, folders: list[str]) -> None:
    before = times(folders[1], "*.json")
    again = run(done, folders)
    assert again.exit_code == 0
    assert "6 cells: 6 done in" in again.output
    assert times(folders[1], "*.json") == before


def test_plan_and_board_and_show_read_what_run_left(done: Path, folders: list[str]) -> None:
    plan = cli("plan", done, *folders)
    assert plan.exit_code == 0
    assert plan.output.count("done") == 6
    for form in ("text", "md", "latex", "csv", "json"):
        shown = cli("board", done, "--format", form, *folders[:2])
        assert shown.exit_code == 0, form
        assert "retrain" in shown.output
    record = next(Path(folders[1]).rglob("di-0.json"))
    assert '"strength": 10.0' in cli("show", record).output
    assert "accuracy\tforget/1\tforget/1\t" in cli("show", record, "--items").output


def test_a_board_begins_with_its_front_and_has_a_composite_when_asked(
    tmp_path: Path, folders: list[str]
) -> None:
    path = toy.write(tmp_path, {"models": ["builtin/nano"], "front": ["accuracy", "kept"]})
    work = toy.work(path)
    for cell in work.runs:
        work.store.keep(cell, toy.record(method=cell.method.name, seed=cell.seed), {})
    plain = cli("board", path, *folders[:2]).output
    assert plain.splitlines()[2].startswith("Front of accuracy ↓ against kept ↑, by means over")
    assert "hm-" not in plain
    shown = cli("board", path, "--composite", "hm-memory-utility", "--column", "kept", *folders[:2])
    assert (shown.exit_code, shown.output.count("hm-memory-utility@1 ↑")) == (0, 1)
    said = "the suite has no column of forgetting with extraction_strength@1"
    assert f"* di, hm-memory-utility@1: {said}" in shown.output
    assert "* hm-memory-utility@1 = HM(HM(1 - ES" in shown.output
    none = cli("board", path, "--column", "kpet", *folders[:2])
    said = f"--column 'kpet': {path} has none of that name; did you mean 'kept'? There are: "
    assert (none.exit_code, none.output.startswith(said)) == (2, True), none.output
    wrong = cli("board", path, "--composite", "mean", *folders[:2])
    assert (wrong.exit_code, wrong.output.count("\n")) == (2, 1)
    assert "--composite mean: there is none; There are: hm-memory-privacy" in wrong.output
    assert "hm-memory-utility@1\n    HM(HM(" in cli("list", "composites").output


def test_a_new_probe_asks_without_training(done: Path, folders: list[str]) -> None:
    weights, asked = times(folders[3], "*.safetensors"), times(folders[3], "rows.parquet")
    change(done, probes={"retain": {"ask": "read", "split": "retain"}})
    change(done, metrics={"kept": {"probability": "retain"}})
    assert run(done, folders).exit_code == 0
    assert times(folders[3], "*.safetensors") == weights
    now = times(folders[3], "rows.parquet")
    assert {path: now[path] for path in asked} == asked
    assert len(now) == len(asked) + 6
    assert all("kept" in record["scores"] for record in records(folders).values())


def test_a_new_metric_grades_without_asking(done: Path, folders: list[str]) -> None:
    before = times(folders[3], "*")
    change(done, metrics={"prob": {"probability": "forget"}})
    assert "answered" in cli("plan", done, *folders).output
    assert cli("grade", done, *folders).output.endswith("6 of 6 cells graded\n")
    assert {k: v for k, v in times(folders[3], "*").items() if "locks" not in k.parts} == {
        k: v for k, v in before.items() if "locks" not in k.parts
    }
    assert all("prob" in record["scores"] for record in records(folders).values())


def test_a_diverged_loss_is_recorded_and_the_rest_goes_on(
    done: Path, folders: list[str], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text(NAN, encoding="utf-8")
    result = run(done, folders, broken, "ga")
    assert result.exit_code == 0, result.output  # a finding, not a failure
    found = records(folders)
    assert found["broken-0"]["status"] == "diverged"
    assert found["broken-0"]["error"] == "loss is nan at step 0 (epoch 1)"
    assert found["ga-0"]["status"] == "done"
    assert "broken on tiny" in result.output
    assert "0 to do" in run(done, folders, broken, "ga").output


def test_a_method_file_that_breaks_costs_one_line_and_no_work(
    suite_file: Path, folders: list[str], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text(NAN.replace("@dataclass", "1 / 0\n\n@dataclass"), encoding="utf-8")
    result = run(suite_file, folders, broken)
    assert result.exit_code == 2
    assert "broken.py: cannot be imported: ZeroDivisionError" in result.output
    assert not list(Path(folders[3]).rglob("*.safetensors"))


def test_a_method_that_fails_is_recorded_without_paths_and_the_rest_goes_on(
    suite_file: Path, folders: list[str], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.py"
    code = NAN.replace(
        "        def loss", "        open('/gone/away/file.txt')\n\n        def loss"
    )
    broken.write_text(code, encoding="utf-8")
    result = run(suite_file, folders, broken, "di")
    assert result.exit_code == 1
    found = records(folders)
    assert found["broken-0"]["status"] == "failed"
    assert "FileNotFoundError" in found["broken-0"]["error"]
    assert "/gone" not in found["broken-0"]["error"]
    assert found["di-0"]["status"] == "done"


def test_a_changed_setting_has_a_row_and_a_record_of_its_own(
    done: Path, folders: list[str]
) -> None:
    before = records(folders)
    assert run(done, folders, "di", "--set", "recipe.lr=1e-4").exit_code == 0
    found = records(folders)
    assert {name: found[name] for name in before} == before
    assert set(found) - set(before) == {"di+recipe.lr=0.0001-0", "di+recipe.lr=0.0001-1"}
    assert "di+recipe.lr=0.0001" in cli("board", done, *folders[:2]).output


def test_a_hand_edited_board_is_caught(done: Path, folders: list[str]) -> None:
    page = next(Path(folders[1]).rglob("LEADERBOARD.md"))
    assert cli("board", done, "--check", *folders[:2]).exit_code == 0
    page.write_text(page.read_text("utf-8").replace("0.", "1.", 1), encoding="utf-8")
    caught = cli("board", done, "--check", *folders[:2])
    assert caught.exit_code == 2
    assert "is not what its records make" in caught.output


def test_a_ladder_is_drawn_beside_its_board_and_a_stale_figure_is_caught(
    tmp_path: Path, folders: list[str]
) -> None:
    models = ["builtin/nano", "builtin/micro", "builtin/mini"]
    path = toy.write(tmp_path, {"models": models, "seeds": [0], "grow_seeds": [0]})
    work = toy.work(path)
    for cell in work.runs:
        keys = {"weights": cell.weights_key, "scores": cell.scores_key}
        model = {"name": cell.base.name, "id": cell.base.id}
        kept = toy.record(keys=keys, model=model, method=cell.method.name, trials=cell.trials)
        work.store.keep(cell, kept, {})
    assert "12 cells: 12 done" in run(path, folders).output
    folder = tmp_path / "results" / "toy" / "default"
    page, figure = folder / "LEADERBOARD.md", folder / "SCALING.svg"
    drawn = figure.read_text(encoding="utf-8")
    assert drawn == cli("board", path, "--format", "svg", *folders[:2]).output
    checked = cli("board", path, "--check", *folders[:2])
    assert checked.output.splitlines() == [f"{it}: made from its records" for it in (page, figure)]
    for lost in (lambda: figure.write_text(drawn.replace("di", "id", 1)), figure.unlink):
        lost()
        caught = cli("board", path, "--check", *folders[:2])
        assert caught.exit_code == 2
        again = f"di-bench board {path} --profile default --format svg --out {figure}"
        assert f"{figure}: is not what its records make; run `{again}`" in caught.output
    assert cli(*again.split()[1:], *folders[:2]).exit_code == 0
    assert figure.read_text(encoding="utf-8") == drawn
    few = cli("board", path, "--method", "di", "--column", "kept", "--format", "text", *folders[:2])
    assert "npo" not in few.output
    assert [line.split()[1] for line in few.output.splitlines() if "builtin/mini  " in line] == [
        "none",
        "retrain",
        "di",
    ]
    for cell in work.runs:
        if cell.base.name != "builtin--nano":
            work.store.record_path(cell).unlink()
    one = cli("board", path, "--format", "svg", *folders[:2])
    assert (one.exit_code, one.output.count("\n")) == (2, 1)
    assert "needs models of two sizes, and has builtin/nano of 0.26M; add another" in one.output
    cli("board", path, "--format", "md", "--out", page, *folders[:2])
    caught = cli("board", path, "--check", *folders[:2])
    assert f"{figure}: its records are of too few sizes for it; delete it" in caught.output
    publish(toy.work(path))
    assert not figure.exists()


def test_a_damaged_piece_is_said_and_made_again(done: Path, folders: list[str]) -> None:
    before = records(folders)
    for path in Path(folders[3]).rglob("rows.parquet"):
        path.write_bytes(path.read_bytes()[:-1])
    for path in Path(folders[1]).rglob("*-0.json"):
        path.unlink()
    result = run(done, folders)
    assert result.exit_code == 0
    assert records(folders) == before


def test_check_is_a_gate(done: Path, folders: list[str], tmp_path: Path) -> None:
    reference = Path(folders[1]) / "toy" / "default"
    assert cli("check", reference, "--against", reference).exit_code == 0
    worse = tmp_path / "worse"
    shutil.copytree(reference, worse)
    for path in worse.rglob("*-[01].json"):
        tree = json.loads(path.read_text(encoding="utf-8"))
        tree["scores"]["rouge"] = tree["scores"]["rouge"] + 0.5
        path.write_text(json.dumps(tree), encoding="utf-8")
    gate = cli("check", worse, "--against", reference)
    assert gate.exit_code == 1
    assert "worse" in gate.output
    assert cli("check", tmp_path / "nowhere", "--against", reference).exit_code == 2


def test_fresh_ignores_records_and_cache(done: Path, folders: list[str]) -> None:
    before, old = records(folders), times(folders[3], "rows.parquet")
    assert run(done, folders, "--fresh").exit_code == 0
    assert records(folders) == before
    assert not set(times(folders[3], "rows.parquet").items()) & set(old.items())


def spawned(suite: Path, folders: list[str]) -> "subprocess.Popen[str]":
    """A run as a terminal starts it: a shell in the background would have it ignore Ctrl-C."""
    hear = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{hear}; from di_bench.cli import app; app()"
    arguments = ["run", str(suite), "--workers", "2", *folders]
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )


def wait_for_pieces(folders: list[str], number: int, process: "subprocess.Popen[str]") -> None:
    while process.poll() is None and len(list(Path(folders[3]).rglob("sha256.json"))) < number:
        time.sleep(0.05)


def test_a_killed_run_goes_on_and_ends_with_the_same_records(
    suite_file: Path, folders: list[str], tmp_path: Path
) -> None:
    for pieces in (2, 6, 12):
        process = spawned(suite_file, folders)
        wait_for_pieces(folders, pieces, process)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert run(suite_file, folders).exit_code == 0
    other = ["--results", str(tmp_path / "r2"), "--cache", str(tmp_path / "c2")]
    assert run(suite_file, other).exit_code == 0
    assert records(folders) == records(other)


def test_an_interrupted_run_says_how_to_go_on(suite_file: Path, folders: list[str]) -> None:
    process = spawned(suite_file, folders)
    wait_for_pieces(folders, 2, process)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate()
    assert process.returncode == 130, said
    assert "the same command goes on from there" in said
    assert "Traceback" not in said


def test_two_runs_on_one_cache_do_each_piece_once(suite_file: Path, folders: list[str]) -> None:
    pair = [spawned(suite_file, folders) for _ in range(2)]
    outputs = [process.communicate()[0] for process in pair]
    assert [process.returncode for process in pair] == [0, 0], outputs
    assert not list(Path(folders[3]).rglob("*.draft"))
    assert len(records(folders)) == 6


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["plan", "nowhere.yaml"], "nowhere.yaml"),
        (["plan", "tofuu"], "did you mean 'tofu'?"),
        (["plan", "tofu", "gaa"], "did you mean 'ga'?"),
        (["plan", "tofu", "--profile", "txt"], "did you mean 'text'?"),
        (["plan", "tofu", "--model", "builtin/nan"], "did you mean 'builtin/nano'?"),
        (["plan", "tofu", "--set", "recipe.lr"], "write it as key=value"),
        (["plan", "tofu", "--profile", "text"], "--set corpus.path=DIR"),
        (["board", "tofu", "--results", "nowhere"], "no records"),
        (["show", "tofu/default/none/none-0"], "no such record"),
        (["board", "smoke", "--out", "results"], "Is a directory; name a file"),
        (
            [
                "check",
                "results/smoke/default",
                "--against",
                "results/smoke/default",
                "--method",
                "x",
            ],
            "--method: no record has a row 'x'",
        ),
    ],
)
def test_what_a_user_gets_wrong_costs_one_line(arguments: list[str], said: str) -> None:
    result = cli(*arguments)
    assert result.exit_code == 2
    assert said in result.output
    assert len(result.output.strip().splitlines()) == 1
