"""Finished cells in a tracker too, and nothing else changed by it."""

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from accelerate.tracking import (
    LOGGER_TYPE_TO_CLASS,
    GeneralTracker,
    get_available_trackers,
    register_tracker_class,
)

from di_bench.tracking import Tracking
from tests import toy
from tests.test_cli import change, cli, records, run

ROOT = Path(__file__).parents[1]


class Notes(GeneralTracker):  # type: ignore[misc]  # accelerate has no types
    """A tracker of our own: lines in a file for each run."""

    name = "notes"
    requires_logging_directory = True

    def __init__(self, run_name: str, logging_dir: Path) -> None:
        super().__init__()
        self.title, self.folder = run_name, logging_dir

    def start(self) -> None:
        self.file = (self.folder / f"{self.title.replace('/', ':')}.jsonl").open(
            "a", encoding="utf-8"
        )

    @property
    def tracker(self) -> object:
        return self.file

    def store_init_configuration(self, values: dict[str, Any]) -> None:
        assert all(type(value) in (str, int, float, bool) for value in values.values())
        print(json.dumps(values), file=self.file)

    def log(self, values: dict[str, Any], step: int | None = None, **_: object) -> None:
        print(json.dumps({"step": step} | values), file=self.file)

    def finish(self) -> None:
        self.file.close()


class Broken(Notes):
    """Fails in the middle of the second cell it is told of."""

    name = "broken"
    told = 0

    def log(self, values: dict[str, Any], step: int | None = None, **_: object) -> None:
        type(self).told += 1
        if type(self).told > 1:
            raise ConnectionError("no\nroute to /home/someone/host")


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    for kind in (Notes, Broken):
        register_tracker_class(kind)
    Broken.told = 0
    yield
    for kind in (Notes, Broken):
        del LOGGER_TYPE_TO_CLASS[kind.name]


def notes(folder: Path) -> dict[str, list[dict[str, Any]]]:
    return {
        path.stem: [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for path in sorted(folder.glob("trackers/notes/*.jsonl"))
    }


def test_a_cell_made_now_is_logged_and_one_found_done_is_not(
    suite_file: Path, folders: list[str], tmp_path: Path
) -> None:
    change(suite_file, seeds=[0], grow_seeds=[0])
    assert run(suite_file, folders, "none").exit_code == 0
    done = run(suite_file, folders, "--tracker", "notes", "--tracker", "notes")
    assert done.exit_code == 0, done.output
    found = {title.rpartition(":")[2]: told for title, told in notes(tmp_path).items()}
    assert set(found) == {"di-0"}  # the first run made `none` and, as always, `retrain`
    settings, *epochs, last = found["di-0"]
    assert settings["settings.strength"] == 10.0
    assert (settings["settings.recipe.lr"], settings["settings.recipe.micro_batch"]) == (
        3e-3,
        "None",
    )
    assert (settings["method"], settings["seed"], settings["status"]) == ("di", 0, "done")
    record = json.loads(next(Path(folders[1]).rglob("di-0.json")).read_text("utf-8"))
    assert epochs == [{"step": n, "loss": x} for n, x in enumerate(record["curve"], start=1)]
    assert last["step"] == len(record["curve"]) == 2
    assert last["scores/accuracy"] == record["scores"]["accuracy"]
    assert last["cost/tokens"] == record["cost"]["tokens"]
    assert run(suite_file, folders, "--tracker", "notes").exit_code == 0
    assert {title.rpartition(":")[2]: told for title, told in notes(tmp_path).items()} == found


def test_a_tracker_that_fails_is_said_once_and_changes_nothing(
    suite_file: Path, folders: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    change(suite_file, seeds=[0], grow_seeds=[0])
    with caplog.at_level(logging.WARNING):
        done = run(suite_file, folders, "--tracker", "broken", "--tracker", "notes")
    assert done.exit_code == 0, done.output
    (said,) = [r.getMessage() for r in caplog.records if r.name == "di_bench.tracking"]
    assert said == (
        "tracker broken: ConnectionError: no route to host; it is left out from here on"
    )
    assert len(notes(tmp_path)) == 3
    other = ["--results", str(tmp_path / "r2"), "--cache", str(tmp_path / "c2")]
    assert run(suite_file, other).exit_code == 0
    assert records(folders) == records(other)


def test_a_tracker_is_refused_before_any_work(suite_file: Path, folders: list[str]) -> None:
    wrong = cli("run", suite_file, "--tracker", "tensorbord", *folders)
    assert (wrong.exit_code, wrong.output.count("\n")) == (2, 1)
    assert "no tracker 'tensorbord'; did you mean 'tensorboard'?" in wrong.output
    away = [name for name in ("wandb", "mlflow", "trackio") if name not in get_available_trackers()]
    for name in away:
        missing = cli("run", suite_file, "--tracker", name, *folders)
        assert (missing.exit_code, missing.output.count("\n")) == (2, 1)
        assert f"--tracker {name}: is not installed; run `pip install {name}`" in missing.output
    assert not Path(folders[3]).exists()


def test_nothing_is_imported_unless_a_tracker_is_asked_for() -> None:
    code = (
        "import sys; from pathlib import Path; from di_bench.tracking import tracked; "
        "mine = object(); assert tracked((), Path('results'))(mine) is mine; "
        "sys.exit('accelerate' in sys.modules or 'torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_each_gets_the_name_of_the_run_where_it_shows_names(tmp_path: Path) -> None:
    class Silent:
        def stage(self, *_: object) -> None: ...

        def finished(self, *_: object) -> None: ...

    title = "toy/default/tiny/di-0"
    tracking = Tracking(Silent(), [], tmp_path, offline=True)
    wandb, mlflow, trackio, tensorboard = (
        vars(tracking.open(name, title)) for name in ("wandb", "mlflow", "trackio", "tensorboard")
    )
    assert (wandb["run_name"], mlflow["experiment_name"], trackio["run_name"]) == ("di-bench",) * 3
    place = str(tmp_path / "wandb")
    assert wandb["init_kwargs"] == {"name": title, "dir": place, "mode": "offline"}
    assert (mlflow["run_name"], trackio["init_kwargs"]) == (title, {"name": title})
    folder = tmp_path / "tensorboard"
    assert (tensorboard["run_name"], tensorboard["logging_dir_param"]) == (title, folder)


def test_no_key_knows_of_a_tracker(tmp_path: Path) -> None:
    fields = type(toy.work(toy.write(tmp_path)).suite).model_fields
    assert not [name for name in fields if "track" in name]


@pytest.mark.skipif(not find_spec("tensorboard"), reason="tensorboard is not installed")
def test_tensorboard_gets_the_curve(suite_file: Path, folders: list[str], tmp_path: Path) -> None:
    from tensorboard.backend.event_processing import event_accumulator

    change(suite_file, seeds=[0], grow_seeds=[0])
    assert run(suite_file, folders, "di", "--tracker", "tensorboard").exit_code == 0
    (place,) = (tmp_path / "trackers" / "tensorboard" / "toy" / "default").glob("*/di-0")
    found = event_accumulator.EventAccumulator(str(place))
    found.Reload()
    assert [event.step for event in found.Scalars("loss")] == [1, 2]
