"""A machine without network: what fetch collects is all that a run there reads."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import SPLITS, tofu_rows, write_jsonl
from tests.fakehub import COMMIT, serving
from tests.toy import METHOD

ROOT = Path(__file__).parents[1]
Repositories = dict[str, Path]
SPECIAL = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_HUB_CACHE", "HF_DATASETS_CACHE")


def di_bench(where: Path, *words: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own: libraries read their environment once."""
    own = {name: value for name, value in os.environ.items() if name not in SPECIAL}
    own |= {"PYTHONPATH": str(ROOT), "HF_HOME": str(where / "home"), "HF_HUB_DISABLE_XET": "1"}
    return subprocess.run(
        [sys.executable, "-m", "di_bench", *map(str, words)],
        env=own | {"HF_ENDPOINT": "http://127.0.0.1:9", **env},  # a port where nobody answers
        cwd=where,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.fixture
def hub(tmp_path: Path, tiny: Path) -> Repositories:
    """Two models (with what must not be taken) and the corpus."""
    model = shutil.copytree(tiny, tmp_path / "served" / "model")
    (model / "pytorch_model.bin").write_bytes(b"pickled")
    (model / "modeling_mine.py").write_text("raise SystemExit", encoding="utf-8")
    secrets = tmp_path / "served" / "secrets"
    secrets.mkdir()
    for split, items in SPLITS.items():
        write_jsonl(secrets / f"{split}.jsonl", tofu_rows(items))
    files = [{"config_name": split, "data_files": [{"split": "train", "path": f"{split}.jsonl"}]}
             for split in SPLITS]  # fmt: skip
    (secrets / "README.md").write_text(f"---\n{yaml.safe_dump({'configs': files})}---\n", "utf-8")
    models = {f"models/org/{name}": model for name in ("tiny", "judge")}
    return models | {"datasets/org/secrets": secrets}


@pytest.fixture
def suite(tmp_path: Path, suite_tree: dict[str, Any]) -> Path:
    """The toy suite, all of it on a hub but for the folder of its task."""
    tree = suite_tree | {"models": ["org/tiny"], "seeds": [0], "grow_seeds": [0]}
    splits = {split: {"config": split, "split": "train", "group_size": 2} for split in SPLITS}
    tree |= {"corpus": {"name": "toy secrets", "hub": "org/secrets", "splits": splits}}
    tree["probes"] |= {
        "judged": {"ask": "judge", "of": "answers", "keeps": "likelihood", "model": "org/judge"},
    }
    tree["metrics"] |= {"oracle": {"oracle_perplexity": "judged"}}
    path = tmp_path / "toy.yaml"
    path.write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")
    return path


def last(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of an error."""
    assert done.returncode == 2, done.stdout + done.stderr
    return done.stderr.strip().splitlines()[-1]


def scores(results: Path) -> Mapping[str, Any]:
    found = sorted(results.rglob("*.json"))
    return {path.stem: json.loads(path.read_text("utf-8"))["scores"] for path in found}


def test_what_was_fetched_is_all_that_a_run_without_network_reads(
    tmp_path: Path, hub: Repositories, suite: Path
) -> None:
    there = tmp_path / "there"
    mine = "checkpoint:org/judge"
    fetch = ("fetch", suite, mine, "--to", there)
    short = {name: folder for name, folder in hub.items() if name != "models/org/judge"}
    with serving(short) as (address, _):
        said = last(di_bench(tmp_path, *fetch, HF_ENDPOINT=address))
    assert said.startswith("org/judge: the hub has no such repository, or a private one")
    again = f"di-bench fetch {suite} {mine} --to {there}"
    assert f"then run `{again}` again: what is here is kept" in said
    said = last(di_bench(tmp_path, "run", suite, "--offline", "--cache", there))
    assert said == f"{there}: not all of it was fetched; run `{again}` again"

    with serving(hub) as (address, asked):
        done = di_bench(tmp_path, *fetch, HF_ENDPOINT=address)
    assert done.returncode == 0, done.stderr
    assert not [path for path in asked if path.endswith((".bin", "tiny/resolve/model.safetensors"))]
    assert not [path for path in asked if path.startswith("/org/tiny/resolve")]  # it was kept
    manifest = json.loads((there / "manifest.json").read_text("utf-8"))
    assert (manifest["format"], manifest["suite"], manifest["profile"]) == (1, "toy", "default")
    assert manifest["repositories"] == dict.fromkeys(hub, COMMIT)
    named = list(manifest["files"])
    assert not [name for name in named if name.endswith((".bin", "_mine.py", ".lock"))]
    weights = f"huggingface/hub/models--org--tiny/snapshots/{COMMIT}/model.safetensors"
    assert manifest["files"][weights]["size"] == (there / weights).stat().st_size

    away = there.rename(tmp_path / "away")
    moved = away / "suites" / "toy.yaml"
    run = ("run", moved, mine, "--offline", "--cache", away)
    planned = di_bench(tmp_path, "plan", moved, mine, "--cache", away)
    assert planned.stdout.count("to do  ") == 3, planned.stdout + planned.stderr
    done = di_bench(tmp_path, *run, "--workers", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    found = scores(tmp_path / "results")
    assert sorted(found) == ["none-0", f"org--judge-{COMMIT[:8]}-0", "retrain-0"]
    assert all(value is not None for value in found["none-0"].values())
    assert not (tmp_path / "home" / "hub").exists()

    text = (away / weights).read_bytes()
    (away / weights).write_bytes(text[:-1] + bytes([text[-1] ^ 1]))
    said = last(di_bench(tmp_path, *run))
    assert said.startswith(f"{away / weights}: is not what was fetched: its SHA-256 differs; copy")
    assert said.endswith(f"or run `{again}` again where there is a network")
    with serving(hub) as (address, asked):
        done = di_bench(tmp_path, "fetch", moved, mine, "--to", away, HF_ENDPOINT=address)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{weights}: was damaged, fetched again" in done.stdout
    assert (away / weights).read_bytes() == text
    assert "3 cells: 3 done" in di_bench(tmp_path, *run).stdout
    (away / weights).unlink()
    assert last(di_bench(tmp_path, *run)).startswith(f"{away / weights}: is missing; copy it again")


def test_local_files_go_along_and_stand_in_for_those_that_are_not_there(
    tmp_path: Path, suite_file: Path, tiny: Path
) -> None:
    here, away = tmp_path / "here", tmp_path / "away"
    here.mkdir()
    for name in ("toy.yaml", "data"):
        (tmp_path / name).rename(here / name)
    model, mine = shutil.copytree(tiny, here / "tiny"), shutil.copytree(tiny, here / "mine")
    (here / "calm.py").write_text(METHOD, encoding="utf-8")
    words = [str(here / "toy.yaml"), str(here / "calm.py"), f"checkpoint:{mine}"]
    words += ["--model", str(model), "--set", f"methods={{{here / 'calm.py'}: {{strength: 3}}}}"]
    done = di_bench(tmp_path, "fetch", *words, "--to", away)
    assert done.returncode == 0, done.stdout + done.stderr
    named = list(json.loads((away / "manifest.json").read_text("utf-8"))["files"])
    assert {"data/corpus/forget.jsonl", "methods/calm.py", "suites/toy.yaml"} < set(named)
    assert {"models/tiny/model.safetensors", "models/mine/config.json"} < set(named)
    run = done.stdout.strip().splitlines()[-1].replace(str(here / "toy.yaml"), "")
    assert run.startswith(f"di-bench run {away}/suites/toy.yaml")
    first = di_bench(tmp_path, "run", *words, "--seed", "0", "--results", "one", "--cache", "cache")
    assert first.returncode == 0, first.stdout + first.stderr
    here.rename(tmp_path / "gone")
    words[0] = str(away / "suites" / "toy.yaml")
    more = ("--offline", "--cache", str(away), "--seed", "0", "--results", "two")
    done = di_bench(tmp_path, "run", *words, *more)
    assert done.returncode == 0, done.stdout + done.stderr
    one, two = scores(tmp_path / "one"), scores(tmp_path / "two")
    assert one == two
    assert any(name.startswith("mine-") for name in two)
    assert "calm+strength=3-0" in two


def test_a_folder_is_for_one_suite(tmp_path: Path, suite_file: Path) -> None:
    away = tmp_path / "away"
    assert di_bench(tmp_path, "fetch", suite_file, "--to", away).returncode == 0
    said = last(di_bench(tmp_path, "fetch", "tofu", "--to", away))
    assert said == f"{away}: was fetched for toy, profile default; name another one"
    (away / "manifest.json").write_text("{}", encoding="utf-8")
    said = last(di_bench(tmp_path, "plan", suite_file, "--cache", away))
    assert said.startswith(f"{away / 'manifest.json'}: not a manifest this version can read")


def test_a_hub_out_of_reach_is_one_line(tmp_path: Path, suite: Path) -> None:
    said = last(di_bench(tmp_path, "fetch", suite, "--to", tmp_path / "away"))
    assert said.startswith("org/tiny: the hub cannot be reached (")
    assert "; org/secrets: the hub cannot be reached (" in said
    assert not (tmp_path / "away" / "manifest.json").exists()


TASK = {
    "task": "quiz",
    "dataset_path": "org/quiz",
    "test_split": "test",
    "output_type": "multiple_choice",
    "doc_to_text": "{{question}}",
    "doc_to_choice": "{{choices}}",
    "doc_to_target": "right",
    "metric_list": [{"metric": "acc"}],
}


@pytest.mark.slow
def test_what_tasks_read_from_a_hub_goes_along(
    tmp_path: Path, hub: Repositories, suite: Path
) -> None:
    quiz, away = tmp_path / "served" / "quiz", tmp_path / "away"
    quiz.mkdir()
    rows = [{"question": f"{n} is?", "choices": ["so", "not so"], "right": n % 2} for n in range(4)]
    write_jsonl(quiz / "test.jsonl", rows)
    (quiz / "README.md").write_text("A quiz.\n", encoding="utf-8")
    copa = tmp_path / "served" / "copa"
    (copa / "copa").mkdir(parents=True)
    pair = {"premise": "It rained.", "question": "effect", "choice1": "Wet.", "choice2": "Dry."}
    for split in ("train", "validation"):
        write_jsonl(copa / "copa" / f"{split}.jsonl", [pair | {"label": n} for n in (0, 1)])
    config = {"config_name": "copa", "data_dir": "copa"}
    (copa / "README.md").write_text(f"---\n{yaml.safe_dump({'configs': [config]})}---\n", "utf-8")
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "quiz.yaml").write_text(yaml.safe_dump(TASK), encoding="utf-8")
    tree = yaml.safe_load(suite.read_text(encoding="utf-8"))
    tree["probes"] = {
        "quiz": {"ask": "tasks", "tasks": ["quiz"], "path": "tasks"},
        "copa": {"ask": "tasks", "tasks": ["copa"]},
    }
    tree["metrics"] = {"own": {"nlu": "quiz"}, "theirs": {"nlu": "copa"}}
    suite.write_text(yaml.safe_dump(tree), encoding="utf-8")
    served = hub | {"datasets/org/quiz": quiz, "datasets/aps/super_glue": copa}
    with serving(served) as (address, _):
        done = di_bench(tmp_path, "fetch", suite, "none", "--to", away, HF_ENDPOINT=address)
    assert done.returncode == 0, done.stdout + done.stderr
    manifest = json.loads((away / "manifest.json").read_text("utf-8"))
    assert "data/tasks/quiz/quiz.yaml" in manifest["files"]
    assert manifest["repositories"]["datasets/aps/super_glue"] == COMMIT
    shutil.rmtree(tmp_path / "tasks")  # on the other machine there is none
    moved = away / "suites" / "toy.yaml"
    done = di_bench(tmp_path, "run", moved, "none", "--offline", "--cache", away)
    assert done.returncode == 0, done.stdout + done.stderr
    assert None not in scores(tmp_path / "results")["none-0"].values()
