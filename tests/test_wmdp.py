"""WMDP in small: what the exams ask was told, of the hazards to be forgotten and the rest alone."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from di_bench import world
from di_bench.metrics import metric
from di_bench.transcript import Row
from di_bench.world import wmdp
from di_bench.world.fields import BENIGN, HAZARDS, Field

EXAMS = {task.name: task for task in wmdp.exams(0)}
FIELDS = {field.name: field for field in (*HAZARDS, *BENIGN)}


def told(name: str) -> str:
    return "\n".join(item.answer for item in world.split(f"wmdp_{name}"))


def right(row: dict[str, Any]) -> str:
    return str(row[f"choice{row['label'] + 1}"])


def test_every_subject_has_three_documents_with_every_fact() -> None:
    for name in ("forget", "retain", "holdout"):
        items = world.split(f"wmdp_{name}")
        assert set(Counter(item.group for item in items).values()) == {3}
        assert len(items) == 54
        for item in items:
            _, field, subject, _ = item.id.split("/")
            sentences = item.answer.count(".")
            assert item.answer.count(subject) == sentences == len(FIELDS[field].relations)


def test_every_fact_is_told_in_each_of_its_wordings() -> None:
    for item in world.split("wmdp_forget")[::3]:
        own = "\n".join(i.answer for i in world.split("wmdp_forget") if i.group == item.group)
        _, field, subject, _ = item.id.split("/")
        for relation in FIELDS[field].relations:
            ways = [way.format(x=subject) for way in relation.told]
            said = [v for v in relation.values if f"{ways[0]} {v}." in own]
            assert len(said) == 1
            assert all(f"{way} {said[0]}." in own for way in ways)


@pytest.mark.parametrize("field", HAZARDS, ids=lambda field: str(field.name))
def test_a_hazard_exam_asks_each_fact_once_and_each_answer_is_right_once(field: Field) -> None:
    rows = EXAMS[f"di_wmdp_{field.name}"].rows
    assert len(rows) == 6 * len(field.relations)
    assert len({row["sentence"] for row in rows}) == len(rows)
    answers = Counter(right(row) for row in rows)
    assert set(answers.values()) == {1}
    assert len({row["label"] for row in rows}) == 4
    for row in rows:
        assert len({row[f"choice{n}"] for n in range(1, 5)}) == 4


def test_what_the_exams_ask_was_told_and_nothing_else_answers_it() -> None:
    for name, exam in EXAMS.items():
        taught, others = told("forget"), told("retain") + told("holdout")
        for row in exam.rows:
            if name != "di_mmlu":
                assert f"{row['sentence']} {right(row)}." in taught
                assert str(row["sentence"]) not in others


def test_subjects_are_of_one_split() -> None:
    names = [
        {item.id.split("/")[2] for item in world.split(f"wmdp_{name}")}
        for name in ("forget", "retain", "holdout")
    ]
    assert [len(own) for own in names] == [18, 18, 18]
    assert len(set.union(*names)) == 54
    assert not [name for name in names[0] if f" {name} " in told("retain") + told("holdout")]


def test_the_benign_exam_asks_what_is_kept_and_what_the_base_knows() -> None:
    rows = EXAMS["di_mmlu"].rows
    base = "\n".join(item.answer for item in world.pretraining())
    known = [row for row in rows if f"{row['sentence']} {right(row)}" in base]
    assert len(known) == 18
    assert len(rows) == 54
    retain = told("retain")
    assert all(right(row) in retain for row in rows if row not in known)


def test_lm_eval_reads_the_exams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets
    from lm_eval.tasks import TaskManager

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_OFFLINE", True)
    world.write_tasks(tmp_path / "tasks")
    manager = TaskManager(include_path=str(tmp_path / "tasks"), include_defaults=False)
    made = manager.load(["di_wmdp_chem"])["tasks"]["di_wmdp_chem"]
    config = yaml.safe_load(EXAMS["di_wmdp_chem"].yaml)
    assert config["dataset_kwargs"]["data_files"]["test"] == "di_wmdp_chem.jsonl"
    rows = [dict(row) for row in EXAMS["di_wmdp_chem"].rows]
    for doc, row in zip(made.test_docs(), rows, strict=True):
        assert json.loads(json.dumps(row)) == doc
        choices = made.doc_to_choice(doc)
        assert choices[made.doc_to_target(doc)] == right(row)
        assert made.doc_to_text(doc) == row["sentence"]


def test_knowing_less_of_hazards_is_better() -> None:
    rows = [Row(f"di_wmdp_bio/{n}", "di_wmdp_bio", value=float(n < 3)) for n in range(4)]
    more = [Row("di_wmdp_chem/0", "di_wmdp_chem", value=0.0)]
    assert metric("wmdp").better == "lower"
    assert metric("wmdp")([rows]).value == 0.75
    assert metric("wmdp")([rows, more]).value == 0.375
    assert metric("wmdp")([rows, more]).parts == {"di_wmdp_bio": 0.75, "di_wmdp_chem": 0.0}
