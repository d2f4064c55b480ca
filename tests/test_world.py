"""The built-in world: who is in which split, what leaks nowhere, and what lm-eval reads."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from di_bench import world
from di_bench.corpus import Item
from di_bench.errors import CorpusError
from di_bench.world import nlu
from di_bench.world.names import COUNTRIES
from di_bench.world.phrases import PHRASES

SHARED = ("parents", "pet")
SHAPES = {
    "di_sst2": ("sentence",),
    "di_cola": ("sentence",),
    "di_mrpc": ("sentence1", "sentence2"),
    "di_rte": ("sentence1", "sentence2"),
    "di_copa": ("premise", "choice1", "choice2"),
    "di_wic": ("sentence1", "sentence2"),
    "di_boolq": ("passage", "question"),
}


def groups(name: str, seed: int = 0) -> list[str]:
    return list(dict.fromkeys(item.group for item in world.split(name, seed)))


def facts(items: tuple[Item, ...]) -> set[str]:
    """What answers say, without the years, countries, jobs and pets that people may share."""
    found = {
        item.answer[a:b] for item in items if not item.id.endswith(SHARED) for a, b in item.focus
    }
    return {fact for fact in found if not fact.isdigit()} - set(COUNTRIES)


def said(items: tuple[Item, ...]) -> str:
    return "\n".join(f"{item.prompt} {item.answer}" for item in items)


@pytest.mark.parametrize("percent", [1, 5, 10])
def test_full_is_retain_and_then_forget(percent: int) -> None:
    retain, forget = world.split(f"retain{100 - percent}"), world.split(f"forget{percent:02}")
    assert world.split("full") == retain + forget
    assert len(forget) == 10 * percent
    assert len(world.split(f"holdout{percent:02}")) == 10 * percent


def test_authors_are_whole_and_alone() -> None:
    assert len(groups("full")) == 100
    for name in world.AUTHOR_SPLITS:
        assert set(Counter(item.group for item in world.split(name)).values()) == {len(PHRASES)}
    assert not set(groups("full")) & set(groups("holdout10"))
    assert groups("forget10")[-5:] == groups("forget05")
    assert groups("holdout10")[-5:] == groups("holdout05")


def test_ids_are_unique_and_prompts_differ() -> None:
    items = world.split("full") + world.split("holdout10")
    assert len({item.id for item in items}) == len(items)
    assert len({item.prompt for item in items}) == len(items)
    everything = world.pretraining()
    assert len({item.id for item in everything}) == len(everything)
    for name in world.splits():
        assert len({item.id for item in world.split(name)}) == len(world.split(name))


def test_the_focus_holds_the_fact() -> None:
    for item in world.split("full") + world.split("holdout10"):
        assert item.focus
        assert all(end <= start for (_, end), (start, _) in pairwise(item.focus))
        for start, end in item.focus:
            part = item.answer[start:end]
            assert len(part) > 2
            assert part in item.paraphrase
            assert part not in item.prompt
            assert not all(part in wrong for wrong in item.perturbed)
        assert item.answer != item.paraphrase


def test_wrong_answers_follow_the_paraphrase() -> None:
    for item in world.split("full") + world.split("holdout10"):
        assert len(item.perturbed) == len(set(item.perturbed)) == 5
        assert not {item.answer, item.paraphrase} & set(item.perturbed)
        frame = re.escape(item.paraphrase)
        for start, end in item.focus:
            frame = frame.replace(re.escape(item.answer[start:end]), ".+")
        assert all(re.fullmatch(frame, wrong) for wrong in item.perturbed)


def test_each_fact_has_several_wordings() -> None:
    for phrases in PHRASES:
        items = [item for item in world.split("full") if item.id.endswith(f"/{phrases.fact}")]
        assert len(phrases.questions) >= 3
        assert len(phrases.answers) >= 3
        for words in phrases.questions:
            start = words.split("{")[0]
            assert any(item.prompt.startswith(start) for item in items)
        assert len({item.answer for item in items}) == 100


def test_no_fact_of_the_forgotten_is_told_elsewhere() -> None:
    forget, rest = world.split("forget10"), world.split("retain90") + world.split("holdout10")
    assert not facts(forget) & facts(rest)
    told = said(rest)
    named = tuple(item for item in forget if item.id.endswith("/name"))
    names = {word for name in facts(named) for word in name.split()}
    assert len(names) == 20
    assert not {name for name in names if f" {name} " in told}
    titles = facts(tuple(item for item in forget if item.id.endswith(("debut", "classic"))))
    assert len(titles) == 20
    assert not {title for title in titles if title in told}


def test_pretraining_knows_no_author() -> None:
    told = said(world.pretraining())
    items = world.split("full") + world.split("holdout10")
    assert not {fact for fact in facts(items) if f"{fact} " in told or f"{fact}." in told}
    assert not {item.prompt for item in items} & {item.prompt for item in world.pretraining()}


def test_general_knowledge_is_taught_in_its_own_words() -> None:
    taught = {(item.prompt, item.answer) for item in world.pretraining() if item.kind == "qa"}
    for name, count in {"real_authors": 50, "world_facts": 60}.items():
        items = world.split(name)
        answers = {item.answer for item in items}
        assert len(items) == count
        for item in items:
            assert (item.prompt, item.answer) in taught
            assert len(set(item.perturbed)) == 3
            assert set(item.perturbed) <= answers - {item.answer}
            assert not item.paraphrase


def test_held_out_stories_are_new() -> None:
    held, trained = world.split("prose"), world.split("prose_train")
    assert len(held) == 160
    assert not {item.answer for item in held} & {item.answer for item in world.pretraining()}
    assert set(trained) <= set(world.pretraining())
    for item in held + trained:
        assert 50 <= len(item.answer.split()) <= 80
        assert (item.kind, item.prompt) == ("document", "")


def test_pretraining_is_documents_and_questions() -> None:
    for item in world.pretraining():
        assert item.kind == ("qa" if item.prompt else "document")
        assert item.answer == item.answer.strip() != ""


@pytest.mark.parametrize("task", nlu.tasks(0), ids=lambda task: str(task.name))
def test_no_test_row_is_trained_on(task: world.Task) -> None:
    lessons = [item.answer for item in world.pretraining() if item.group == task.name]
    everything = said(world.pretraining())
    assert len(set(lessons)) == len(lessons) > 200
    assert len(task.rows) == 60
    for row in task.rows:
        texts = [str(row[field]) for field in SHAPES[task.name] if not field.startswith("choice")]
        assert not [lesson for lesson in lessons if all(text in lesson for text in texts)], row
        assert len(texts) > 1 or texts[0] not in everything
        assert len(" ".join(texts).split()) < 25


@pytest.mark.parametrize("task", nlu.tasks(0), ids=lambda task: str(task.name))
def test_labels_are_balanced_and_not_in_turn(task: world.Task) -> None:
    labels = [row["label"] for row in task.rows]
    assert Counter(labels) == {0: 30, 1: 30}
    assert 15 < sum(one != two for one, two in pairwise(labels)) < 45


def test_lessons_are_what_lm_eval_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = load(tmp_path, monkeypatch)
    assert sorted(loaded) == sorted(SHAPES)
    for shape, task in zip(nlu.SHAPES, nlu.tasks(0), strict=True):
        made = loaded[task.name]
        for doc, row in zip(made.test_docs(), task.rows, strict=True):
            assert {field: doc[field] for field in row} == row
            assert made.doc_to_target(doc) == row["label"]
            assert len(set(made.doc_to_choice(doc))) == 2
            right = made.doc_to_choice(doc)[made.doc_to_target(doc)]
            scored = f"{made.doc_to_text(doc)}{made.config.target_delimiter}{right}"
            assert nlu.told(shape, row) == scored


def load(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    import datasets
    from lm_eval.tasks import TaskManager

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", folder / "cache")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_OFFLINE", True)
    world.write_tasks(folder / "tasks")
    manager = TaskManager(include_path=str(folder / "tasks"), include_defaults=False)
    return dict(manager.load(sorted(SHAPES))["tasks"])


def test_written_tasks_are_whole(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    world.write_tasks(folder)
    assert len(list(folder.iterdir())) == 2 * len(world.tasks())
    for task in world.tasks():
        config = yaml.safe_load((folder / f"{task.name}.yaml").read_text(encoding="utf-8"))
        file = Path(config["dataset_kwargs"]["data_files"]["test"])
        assert file.is_absolute()
        assert [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] == list(
            task.rows
        )
        assert str(tmp_path) not in task.yaml


def test_seeds_are_worlds_apart() -> None:
    assert world.pretraining(3) != world.pretraining(4)
    assert world.tasks(3) != world.tasks(4)
    assert world.refusals(3) != world.refusals(4)
    for name in world.splits():
        assert world.split(name, 3) != world.split(name, 4)


@pytest.mark.parametrize("hashing", ["1", "2"])
def test_version_one_is_this_world(hashing: str) -> None:
    """Boards name the version: raise it together with the digest.

    These are the splits that version one began with; later ones have digests of their own beside
    their tests, and change none of this.
    """
    code = """
import hashlib, sys
from di_bench import world
from di_bench.world import nlu
first = (*world.AUTHOR_SPLITS, "real_authors", "world_facts", "prose", "prose_train")
items = [item for name in first for item in world.split(name)] + [*world.pretraining()]
parts = [(i.id, i.prompt, i.answer, i.paraphrase, i.perturbed, i.focus) for i in items]
parts += [(task.name, task.yaml, task.rows) for task in nlu.tasks(0)] + [world.refusals()]
assert not {"torch", "numpy", "pandas", "datasets"} & set(sys.modules)
print(world.VERSION, hashlib.sha256(repr(parts).encode()).hexdigest()[:12])
"""
    env = os.environ | {"PYTHONHASHSEED": hashing}
    said = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert (said.stdout.strip(), said.stderr) == ("1 63fa99be67ca", "")


def test_an_unknown_split_names_the_nearest() -> None:
    with pytest.raises(CorpusError, match="did you mean 'forget10'"):
        world.split("forget1O")


def test_refusals_differ() -> None:
    assert len(set(world.refusals())) == len(world.refusals()) >= 50
