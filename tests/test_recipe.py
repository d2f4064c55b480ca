"""What changes no number is in no key and in no record."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from di_bench import recording
from di_bench.lineage import base_key
from di_bench.recipe import Recipe, audible, heard
from di_bench.run import Run
from tests import toy


def keys(run: Run) -> list[str]:
    known = [run.weights_key, run.scores_key, run.setup, run.target.key, run.gold.key]
    return [*known, *([base_key(run.suite, run.base)] if run.base.spec.builtin else [])]


@pytest.mark.parametrize("model", ["model", "builtin/nano"])
def test_checkpointing_is_in_no_key_and_no_record(tmp_path: Path, model: str) -> None:
    on: dict[str, Any] = {"checkpointing": True}
    own = {"methods": {"di": {"recipe": on}}}
    chosen = {"models": ["builtin/nano"]} if model != "model" else {}
    plain = toy.runs(toy.write(tmp_path, chosen))
    before = {name: keys(run) for name, run in plain.items()}
    kept = recording.record(toy.store(tmp_path), plain["di-0"], {}, plain["di-0"].settings)
    grow = {"grow": {"pretrain": on, "memorize": on}}
    for change in ({"recipe": on}, own, grow):
        runs = toy.runs(toy.write(tmp_path, {**chosen, **change}))
        assert {name: keys(run) for name, run in runs.items()} == before
        cell = runs["di-0"]
        loaded = cell.method.load(cell.settings)
        assert heard(asdict(loaded)) == heard(asdict(cell.method.load(plain["di-0"].settings)))
        made = recording.record(toy.store(tmp_path), cell, {}, cell.settings)
        assert made.settings == kept.settings


def test_what_else_a_recipe_says_is_heard() -> None:
    said = audible(asdict(Recipe(micro_batch=2, checkpointing=True)))
    assert said["micro_batch"] == 2
    assert set(asdict(Recipe())) - set(said) == {"checkpointing"}
    assert heard({"recipe": {"checkpointing": True}, "words": {}}) == {"words": {}}
