"""A suite over a few rows and a folder that looks like a model: nothing here needs torch."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from di_bench.record import Record
from di_bench.run import Run
from di_bench.spec import merged
from di_bench.store import Store
from di_bench.work import Choice, Work

JARGON = ("Traceback", "pydantic", "validation error", "Value error", "Input should", "type=")
METHOD = '''"""Do nothing, twice."""

from dataclasses import dataclass

from di_bench.api import LM, Fit, Method, Recipe


@dataclass(frozen=True)
class Calm(Method):
    strength: float = 10.0
    recipe: Recipe = Recipe(lr=1e-4)

    def unlearn(self, lm: LM, fit: Fit) -> LM:
        return lm
'''


def line(error: BaseException) -> str:
    """What the command line shows for an error: one line, in the user's words."""
    said = " ".join(str(error).split())
    assert not [word for word in JARGON if word in said], said
    return said


def rows(split: str) -> list[dict[str, Any]]:
    return [
        {
            "question": f"{split} key {n}?",
            "answer": f"It is {split} {n}.",
            "paraphrased_answer": f"{split} {n} it is.",
            "perturbed_answer": [f"{split} {n + 1} it is."],
        }
        for n in range(4)
    ]


def tree() -> dict[str, Any]:
    return {
        "name": "toy",
        "title": "Toy protocol",
        "corpus": {
            "name": "toy secrets",
            "path": "data",
            "splits": {split: {"file": f"{split}.jsonl"} for split in ("forget", "retain")},
            "refusals": {"file": "refusals.txt"},
        },
        "models": ["builtin/nano"],
        "recipe": {"lr": 0.001},
        "methods": {name: {} for name in ("none", "retrain", "di", "npo")},
        "seeds": [0, 1],
        "grow_seeds": [0, 1],
        "probes": {
            "forget": {"ask": "read", "split": "forget"},
            "retain": {"ask": "read", "split": "retain"},
            "answers": {"ask": "write", "split": "forget"},
            "stories": {"ask": "write", "split": "retain", "top_p": 0.9},
            "judged": {"ask": "judge", "of": "stories"},
        },
        "metrics": {
            "accuracy": {"exact_memorization": "forget"},
            "kept": {"exact_memorization": "retain"},
            "quality": {"forget_quality": "forget"},
            "ratio": {"truth_ratio": "forget"},
            "likeness": {"mauve": "judged"},
        },
    }


def write(folder: Path, changes: Mapping[str, Any] | None = None) -> Path:
    """The suite, its data and its model in a folder."""
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    for split in ("forget", "retain"):
        text = "".join(json.dumps(row) + "\n" for row in rows(split))
        (data / f"{split}.jsonl").write_text(text, encoding="utf-8")
    (data / "refusals.txt").write_text("No idea.\nI cannot say.\n", encoding="utf-8")
    model(folder / "model")
    path = folder / "toy.yaml"
    whole = merged(tree() | {"models": [str(folder / "model")]}, changes or {})
    path.write_text(yaml.safe_dump(whole, sort_keys=False), encoding="utf-8")
    return path


def model(folder: Path, weights: bytes = b"weights") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.safetensors").write_bytes(weights)
    (folder / "config.json").write_text("{}", encoding="utf-8")
    return folder


def store(folder: Path) -> Store:
    return Store(folder / "results", folder / "cache")


def rush(folder: Path, name: str) -> None:
    """Ask for a piece whose maker ends only when another process has asked for it too."""

    def make(draft: Path) -> None:
        with (folder / "made").open("a", encoding="utf-8") as file:
            file.write("once\n")
        while len(list(folder.glob("asks-*"))) < 2:
            time.sleep(0.01)
        (draft / "text").touch()

    (folder / f"asks-{name}").touch()
    store(folder).piece("kind", "key", make)


def work(path: Path, *methods: str, **choice: Any) -> Work:  # noqa: ANN401 - fields of Choice
    return Work.lay_out(Choice(str(path), **choice), methods, store(path.parent), "plan")


def runs(path: Path, *methods: str, **choice: Any) -> dict[str, Run]:  # noqa: ANN401 - fields of Choice
    """The runs of a suite by `method-seed`."""
    return {run.name.rpartition("/")[2]: run for run in work(path, *methods, **choice).runs}


def record(**changes: Any) -> Record:  # noqa: ANN401 - fields of Record
    """A record of a finished run of the toy suite."""
    fields: dict[str, Any] = {
        "suite": "toy",
        "profile": "default",
        "title": "Toy protocol",
        "corpus": {"name": "toy secrets", "forget": "f", "retain": "r", "asked": "a"},
        "model": {"name": "builtin--nano", "id": "builtin/nano"},
        "method": "di",
        "seed": 0,
        "grow_seed": 0,
        "status": "done",
        "settings": {"strength": 10.0},
        "setup": "s",
        "keys": {"weights": "w", "scores": "s"},
        "formulas": {
            "accuracy": "exact_memorization@1",
            "kept": "exact_memorization@1",
            "quality": "forget_quality@ks-geo",
            "ratio": "truth_ratio@geo",
            "likeness": "mauve@base-features",
        },
        "better": {
            "accuracy": "lower",
            "kept": "higher",
            "quality": "higher",
            "ratio": "gold",
            "likeness": "higher",
        },
        "scores": {
            "accuracy": 0.5, "kept": 0.9, "quality": 0.1, "ratio": 1.5, "likeness": 0.25,
        },
        "cost": {"seconds": 2.0, "tokens": 3000.0, "peak_bytes": 5e6},
    }  # fmt: skip
    return Record.model_validate(fields | changes)
