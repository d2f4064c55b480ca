"""A suite made ready: what is laid out, refused, found done, and what it takes to load."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from di_bench.errors import DiBenchError, MethodError, ModelError, StoreError, SuiteError
from di_bench.hub import Reach, resolved
from di_bench.leaderboard import checked
from di_bench.model import ModelSpec
from di_bench.render import render
from di_bench.store import Store
from di_bench.work import Choice, Work, cache_folder
from tests import toy
from tests.toy import line


def test_a_cell_is_the_same_alone_and_among_others(tmp_path: Path) -> None:
    path = toy.write(tmp_path, {"seeds": [4, 5], "models": ["builtin/nano", "builtin/micro"]})
    whole = {run.name: run for run in toy.work(path).runs}
    part = toy.work(path, "di", seeds=[5], models=["builtin/micro"]).runs
    assert [run.name for run in part] == [
        f"builtin--micro/{method}-5" for method in ("none", "retrain", "di")
    ]
    for run in part:
        assert run.scores_key == whole[run.name].scores_key
        assert run.grow_seed == 1


def test_a_seed_the_suite_has_not_joins_it_at_the_end(tmp_path: Path) -> None:
    path = toy.write(tmp_path)
    cells = toy.runs(path, "di", seeds=[0, 9])
    assert sorted(cells) == ["di-0", "di-9", "none-0", "none-9", "retrain-0", "retrain-9"]
    assert (cells["di-9"].grow_seed, cells["di-0"].scores_key) == (
        0,
        toy.runs(path)["di-0"].scores_key,
    )


def test_a_model_of_the_suite_keeps_its_prompt_format(tmp_path: Path) -> None:
    known = {"id": str(tmp_path / "model"), "template": "chat", "system": "Hi."}
    path = toy.write(tmp_path, {"models": [known, "builtin/nano"]})
    (mine,) = Choice(str(path), models=[known["id"]]).loaded.models
    (other,) = Choice(str(path), models=["org/other"]).loaded.models
    assert (mine.template, mine.system) == ("chat", "Hi.")
    assert (other.id, other.template) == ("org/other", "plain")


@pytest.mark.parametrize(
    ("choice", "kind", "said"),
    [
        ({"seeds": [1, 1]}, SuiteError, "--seed: a seed is given twice"),
        ({"models": ["builtin/nono"]}, SuiteError, "unknown built-in model 'builtin/nono'; did"),
        ({"models": ["builtin/nano"] * 2}, SuiteError, "models: builtin--nano is given twice"),
        ({"models": ["./gone"]}, ModelError, "gone: not a model: no such folder"),
        ({"changes": ["seeds"]}, SuiteError, "--set seeds: write it as key=value"),
        ({"changes": ["seds=[0]"]}, SuiteError, "seds: unknown key; did you mean 'seeds'?"),
        ({"changes": ["seeds=[0, 0]"]}, SuiteError, "seeds: seed 0 is given twice"),
        ({"changes": ["recipe.lr=high"]}, SuiteError, "recipe.lr: must be a number, not 'high'"),
        ({"changes": ["methods.di.strenght=3"]}, MethodError, "unknown setting strenght; did you"),
        ({"changes": ["methods.dii.x=3"]}, MethodError, "no packaged method 'dii'; did you mean"),
        ({"profile": "fast"}, SuiteError, "no profile 'fast'; There are: default"),
        ({"changes": ["corpus.path=gone"]}, DiBenchError, "gone/forget.jsonl: cannot be read"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_is_done(
    tmp_path: Path, choice: dict[str, Any], kind: type[DiBenchError], said: str
) -> None:
    path = toy.write(tmp_path)
    with pytest.raises(kind) as error:
        toy.work(path, **choice)
    assert said in line(error.value)
    assert not (tmp_path / "results").exists()


def test_an_unknown_method_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(MethodError, match="no packaged method 'nop'; did you mean 'npo'"):
        toy.work(toy.write(tmp_path), "nop")


@pytest.mark.parametrize("part", ["results", "cache"])
def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path, part: str) -> None:
    (tmp_path / "file").touch()
    folders = {"results": tmp_path / "results", "cache": tmp_path / "cache"}
    folders[part] = tmp_path / "file" / part
    path = toy.write(tmp_path, {"models": ["builtin/nano"]})
    work = Work.lay_out(Choice(str(path)), (), Store(**folders), "plan")
    with pytest.raises(StoreError) as error:
        work.check_writable()
    assert line(error.value).startswith(f"{tmp_path / 'file' / part}: cannot be written to (")
    assert line(error.value).endswith("; choose another folder")


def test_writable_folders_are_left_as_they_were(tmp_path: Path) -> None:
    work = toy.work(toy.write(tmp_path))
    work.check_writable()
    assert list((tmp_path / "results").iterdir()) == []


def keep(work: Work, cell: str, **changes: Any) -> None:  # noqa: ANN401 - fields of Record
    run = next(run for run in work.runs if run.name.endswith(cell))
    keys = {"weights": run.weights_key, "scores": run.scores_key}
    model = {"name": run.base.name}
    work.store.keep(run, toy.record(keys=keys, model=model, seed=run.seed, **changes), {})


def test_each_cell_says_how_far_it_is(tmp_path: Path) -> None:
    work = toy.work(toy.write(tmp_path, {"seeds": [0]}), "di", "npo")
    runs = {run.method.name: run for run in work.runs}
    keep(work, "none-0", method="none")
    work.store.piece("cost", runs["npo"].weights_key, lambda draft: None)
    for key in (*runs["di"].transcript_keys.values(), *runs["retrain"].transcript_keys.values()):
        work.store.piece("transcripts", key, lambda draft: None)
    states = {name.rpartition("/")[2]: state for name, state in work.states()}
    assert states == {
        "none-0": "done",
        "retrain-0": "answered",
        "di-0": "answered",
        "npo-0": "trained",
    }
    assert [run.method.name for run in work.left()] == ["retrain", "di", "npo"]
    assert toy.work(toy.write(tmp_path, {"seeds": [0]}), "ga").states()[2][1] == "to do"


def test_the_outlook_multiplies_what_cells_have_cost(tmp_path: Path) -> None:
    work = toy.work(toy.write(tmp_path, {"seeds": [0]}), "di")
    assert (
        work.outlook() == "3 cells, 3 to do; the cost is known once each model has a finished cell"
    )
    keep(work, "none-0", method="none", cost={"seconds": 2.0, "asking_seconds": 8.0})
    said = "about 20 processor seconds of unlearning and asking"
    assert work.outlook() == f"3 cells, 2 to do; {said}"
    for method in ("retrain", "di"):
        keep(work, f"{method}-0", method=method)
    assert work.outlook() == "3 cells, 0 to do"


def test_a_damaged_record_of_a_cell_to_do_again_does_not_stop_the_board(tmp_path: Path) -> None:
    work = toy.work(toy.write(tmp_path, {"seeds": [0]}), "di")
    for method in ("none", "di"):
        keep(work, f"{method}-0", method=method)
    work.store.record_path(work.runs[0]).write_text("{", encoding="utf-8")
    assert [record.method for record in work.records()] == ["di"]
    stranger = work.store.record_path(work.runs[0]).with_name("stranger-0.json")
    stranger.write_text("{", encoding="utf-8")
    with pytest.raises(StoreError, match=r"stranger-0\.json: not a record"):
        work.records()


def test_forgetting_drops_every_piece_of_the_cells_and_no_other(tmp_path: Path) -> None:
    work = toy.work(toy.write(tmp_path), "di", seeds=[0])
    di = work.runs[2]
    mine = [
        ("grown", di.target.key), ("grown", di.gold.key), ("weights", f"{di.weights_key}-fit"),
        ("cost", di.weights_key), ("transcripts", di.transcript_keys["forget"]),
    ]  # fmt: skip
    for kind, key in (*mine, ("weights", "other"), ("base", "other")):
        work.store.piece(kind, key, lambda draft: None)
    work.forget()
    assert [work.store.has(kind, key) for kind, key in mine] == [False] * 5
    assert work.store.has("weights", "other")
    assert work.store.has("base", "other")


def test_built_in_sizes_get_a_process_for_each_core_and_others_one(tmp_path: Path) -> None:
    built = toy.work(toy.write(tmp_path, {"models": ["builtin/nano"]}))
    assert built.workers() == os.cpu_count()
    assert toy.work(toy.write(tmp_path)).workers() == 1


def test_a_hub_model_takes_the_cached_commit_and_no_network_when_planning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    spec = ModelSpec(id="org/name")
    assert resolved(spec, "plan").revision is None
    ref = tmp_path / "hub" / "models--org--name" / "refs" / "main"
    ref.parent.mkdir(parents=True)
    ref.write_text("abc\n", encoding="utf-8")
    assert resolved(spec, "plan").revision == "abc"
    assert resolved(ModelSpec(id="org/name", revision="pinned"), "plan").revision == "pinned"
    assert resolved(ModelSpec(id="builtin/nano"), "network").revision is None


@pytest.mark.parametrize("reach", ["cache", "network"])
def test_a_hub_out_of_reach_is_one_line_with_a_way_out(
    tmp_path: Path, reach: Reach, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))  # nothing is cached there
    with pytest.raises(ModelError) as error:
        resolved(ModelSpec(id="org/name"), reach)
    assert line(error.value).startswith("org/name: ")
    assert "hf download org/name" in line(error.value)
    splits = {name: {"split": name} for name in ("forget", "retain")}
    corpus = {"name": "far", "hub": "org/data", "splits": splits}
    path = toy.write(
        tmp_path, {"models": ["builtin/nano"], "profiles": {"hub": {"corpus": corpus}}}
    )
    with pytest.raises(ModelError, match=r"org/data: .*hf download --repo-type dataset org/data"):
        Work.lay_out(Choice(str(path), "hub"), ("di",), toy.store(tmp_path), reach)
    planned = toy.work(path, "di", profile="hub")
    assert planned.outlook() == "6 cells; data not on this machine: org/data"
    assert {state for _, state in planned.states()} == {"not fetched"}


def test_the_cache_folder_may_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DI_BENCH_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("DI_BENCH_CACHE")
    assert cache_folder().name == "di-bench"


@pytest.mark.parametrize("named", [True, False])
def test_a_board_is_checked_against_its_records(tmp_path: Path, *, named: bool) -> None:
    suite = str(toy.write(tmp_path)) if named else None  # else every suite with records
    folder = tmp_path / "results" / ("toy" if named else "tofu") / "default"
    with pytest.raises(StoreError, match="results: holds no records to check a board against"):
        list(checked(tmp_path / "results", suite, "default"))
    (folder / "m").mkdir(parents=True)
    (folder / "m" / "di-0.json").write_text(toy.record().model_dump_json(), encoding="utf-8")
    page = folder / "LEADERBOARD.md"
    with pytest.raises(StoreError) as error:
        list(checked(tmp_path / "results", suite, "default"))
    said = f"{page}: is not what its records make; run `di-bench board {suite or 'tofu'} --profile"
    assert line(error.value).startswith(said)
    loaded = Choice(suite or "tofu").loaded
    page.write_text(render([toy.record()], loaded, "md"), encoding="utf-8")
    assert list(checked(tmp_path / "results", suite, "default")) == [page]


BOARD = ["board", "{suite}", "--results", "{results}"]
LIGHT = {
    "help": (["--help"], "torch transformers pandas scipy pyarrow"),
    "plan": (["plan", "tofu"], "torch transformers peft pandas scipy datasets"),
    "board": (BOARD, "torch transformers peft pandas"),
    "csv": ([*BOARD, "--format", "csv"], "torch transformers peft"),
    "list": (["list", "methods"], "torch transformers pandas"),
}
PROGRAM = """
import sys
from di_bench.cli import app
heavy = sys.argv.pop(1).split()
try:
    app()
except SystemExit as end:
    assert not end.code, end.code
print("loaded", *(name for name in heavy if name in sys.modules))
"""


@pytest.mark.parametrize("command", LIGHT)
def test_looking_loads_nothing_heavy(tmp_path: Path, command: str) -> None:
    path = toy.write(tmp_path, {"models": ["builtin/nano"]})
    keep(toy.work(path), "di-0")
    words, heavy = LIGHT[command]
    filled = [word.format(suite=path, results=tmp_path / "results") for word in words]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, heavy, *filled],
        env=os.environ | {"DI_BENCH_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "loaded"
    assert len(done.stdout.splitlines()) > 5
