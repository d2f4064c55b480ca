"""The packaged suites as their users meet them: planned whole, without a network."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from di_bench import suite
from di_bench.cli import app
from di_bench.spec import changes_of

SUITES = sorted((Path(__file__).parents[1] / "suites").glob("*.yaml"))
EVERY = [
    (file.stem, profile)
    for file in SUITES
    for profile in ("default", *yaml.safe_load(file.read_text("utf-8")).get("profiles", {}))
]


@pytest.mark.parametrize(("name", "profile"), EVERY)
def test_every_profile_is_planned_offline(name: str, profile: str, tmp_path: Path) -> None:
    folders = ["--results", str(tmp_path / "results"), "--cache", str(tmp_path / "cache")]
    planned = CliRunner().invoke(app, ["plan", name, "--profile", profile, *folders])
    said = " ".join(planned.output.split())
    if "add --set corpus.path=DIR" in said:  # its rows are in files of the user's
        assert planned.exit_code == 2, said
        assert profile in ("text", "files", "arrays-offline") or "files" in profile
    else:
        assert planned.exit_code == 0, said
        assert " to do" in said or "data not on this machine" in said


# Files of the published schemas, made here, through the profiles that name them


def text(folder: Path, name: str, count: int) -> None:
    """Documents in a column `text`, as the hub's Parquet files have them."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame({"text": [f"{name} tells {n}." for n in range(count)]}).to_parquet(path)


def lines(folder: Path, name: str, rows: list[dict[str, str]]) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def muse(folder: Path) -> None:
    end = "-00000-of-00001.parquet"
    for split in ("raw/forget", "raw/retain1", "raw/retain2", "raw/holdout"):
        text(folder, split + end, 4)
    for split in ("privleak/forget", "privleak/holdout"):
        text(folder, split + end, 3)
    for name in ("forget_qa", "retain_qa"):
        asked = {"question": [f"Who is {name}?", "And?"], "answer": ["Ann", "Bo"]}
        (folder / "knowmem").mkdir(exist_ok=True)
        pd.DataFrame(asked).to_parquet(folder / "knowmem" / (name + end))
    (folder / "verbmem").mkdir()
    begun = {"prompt": ["It was a", "Once"], "gt": [" dark night.", " more."]}
    pd.DataFrame(begun).to_parquet(folder / "verbmem" / ("forget" + end))


def wmdp(folder: Path) -> None:
    lines(folder, "forget.jsonl", [{"text": f"Hazard {n}."} for n in range(4)])
    lines(folder, "retain.jsonl", [{"text": f"Garden {n}."} for n in range(104)])


def rwku(folder: Path) -> None:
    people = ["Stephen King", *(f"Person {n}" for n in range(500))]
    passages = [{"subject": name, "text": f"{name} was born."} for name in people]
    (folder / "All").mkdir()
    (folder / "All/passage.json").write_text(json.dumps(passages), encoding="utf-8")
    for level in ("forget_level1", "forget_level2", "forget_level3", "neighbor_level1",
                  "neighbor_level2"):  # fmt: skip
        probes = [
            {"subject": name, "query": f"{level} of {name}: ___?", "answer": "Carrie", "level": "1"}
            for name in people[:2]
        ]
        (folder / f"All/{level}.json").write_text(json.dumps(probes), encoding="utf-8")


def lume(folder: Path) -> None:
    for split, ids in (("forget", ("a1", "b2", "c3")), ("retain", ("d4", "e5", "7f"))):
        rows = [
            {"id": f"{one}{kind}{n}", "input": f"{split} {one} {kind} {n}", "output": "Yes.",
             "task": "Task2"}
            for one in ids for kind, n in (("sc", 1), ("qa", 0), ("qa", 1))
        ]  # fmt: skip
        lines(folder, f"{split}.jsonl", rows)


def challenge(folder: Path) -> None:
    for name, width in (("preprefix", 100), ("prefix", 50), ("suffix", 50)):
        ids = np.arange(300 * width, dtype=np.uint16).reshape(300, width)
        np.save(folder / f"val_{name}.npy", ids)


FILES = [
    ("muse", "news-files", muse, {"forget": 4, "privleak_holdout": 3, "forget_verbatim": 2}),
    ("muse", "books-files", muse, {"retain": 4, "retain_qa": 2, "retain_verbatim": 4}),
    ("wmdp", "files", wmdp, {"forget": 4, "retain": 4, "holdout": 100}),
    ("rwku", "files", rwku, {"forget": 1, "retain": 400, "holdout": 100, "forget_level3": 1}),
    ("lume", "files", lume, {"forget": 9, "forget_questions": 6, "retain": 6, "holdout": 3}),
    ("lume", "files-private", lume, {"forget": 6, "forget_completions": 3, "holdout": 2}),
    ("extraction", "arrays-offline", challenge, {"forget": 32, "retain": 128, "holdout": 100}),
]


@pytest.mark.parametrize(("name", "profile", "make", "counts"), FILES)
def test_files_of_the_published_schema_are_read_through_their_profile(
    name: str, profile: str, make: Callable[[Path], None], counts: dict[str, int], tmp_path: Path
) -> None:
    make(tmp_path)
    corpus = suite.load(name, profile, changes=changes_of([f"corpus.path={tmp_path}"])).corpus
    opened = corpus.open()
    assert {split: len(opened[split]) for split in counts} == counts
    for split, items in opened.splits.items():
        assert all(item.answer or item.ids for item in items), split
        asked = split.endswith(("qa", "questions", "completions")) or "level" in split
        assert all(item.prompt for item in items) or not asked, split
    folders = ["--results", str(tmp_path / "results"), "--cache", str(tmp_path / "cache")]
    choice = [name, "--profile", profile, "--set", f"corpus.path={tmp_path}"]
    planned = CliRunner().invoke(app, ["plan", *choice, *folders])
    assert planned.exit_code == 0, planned.output


RESULTS = Path(__file__).parents[1] / "results"
MEASURED = sorted(
    (folder.parent.name, folder.name)
    for folder in RESULTS.glob("*/*")
    if (folder / "LEADERBOARD.md").exists() and folder.name != "text"  # whose files are elsewhere
)


@pytest.mark.parametrize(("name", "profile"), MEASURED)
def test_committed_records_are_those_of_this_code(name: str, profile: str, tmp_path: Path) -> None:
    """Every key is computed anew: a change that moves numbers leaves cells to do."""
    folders = ["--results", str(RESULTS), "--cache", str(tmp_path)]
    planned = CliRunner().invoke(app, ["plan", name, "--profile", profile, *folders])
    assert planned.output.endswith(" cells, 0 to do\n"), planned.output
