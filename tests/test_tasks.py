"""lm-eval's tasks: its verdicts row by row, what stands for a task, and what is refused early."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from di_bench import adapt, suite, tasks
from di_bench.asks import Tasks
from di_bench.cli import app
from di_bench.errors import SuiteError
from di_bench.lm import LM
from di_bench.losses import sequence_logprob
from di_bench.metrics import metric
from di_bench.model import Peft
from di_bench.template import Encoded
from tests import toy
from tests.conftest import FORGET, HOLDOUT, write_jsonl

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")

TASK = """
task: tiny_choice
dataset_path: json
dataset_kwargs: {data_files: {validation: %s}}
output_type: multiple_choice
validation_split: validation
doc_to_text: "{{prompt}}"
doc_to_choice: "{{choices}}"
doc_to_target: correct
target_delimiter: " "
metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]
"""


def asked(*names: str, limit: int | None = None) -> Tasks:
    return Tasks(ask="tasks", tasks=names, limit=limit)


@pytest.fixture
def task(tmp_path: Path) -> Path:
    """A folder with one lm-eval task whose rows ask for secrets."""
    folder = tmp_path / "tasks"
    folder.mkdir()
    rows = [
        {
            "prompt": f"Question: {item.prompt}\nAnswer:",
            "choices": [item.answer, wrong],
            "correct": 0,
        }
        for item in (*FORGET[:4], *HOLDOUT[:4])
        for wrong in ("No.", "It is 3.")
    ]
    write_jsonl(folder / "rows.jsonl", rows)
    (folder / "tiny_choice.yaml").write_text(TASK % (folder / "rows.jsonl"), encoding="utf-8")
    return folder


Add = Callable[[str, dict[str, Any]], None]


@pytest.fixture
def add(task: Path) -> Add:
    """Put another task over the same rows, or a group, into the folder."""

    def put(name: str, changes: dict[str, Any]) -> None:
        tree = yaml.safe_load(TASK % (task / "rows.jsonl")) | {"task": name}
        tree = changes if "group" in changes else tree | changes
        (task / f"{name}.yaml").write_text(yaml.safe_dump(tree), encoding="utf-8")

    return put


@pytest.mark.parametrize("peft", [None, Peft()], ids=["full", "lora"])
def test_tasks_give_the_accuracy_of_every_row(lm: LM, task: Path, peft: Peft | None) -> None:
    rows = tasks.tasks(adapt.trainable(lm, peft, 0), asked("tiny_choice"), task)
    wanted = []
    for line in (task / "rows.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        said = []
        for choice in row["choices"]:
            ids = lm.tokenizer(f"{row['prompt']} {choice}").input_ids
            start = len(lm.tokenizer(row["prompt"]).input_ids)
            batch = lm.batch([Encoded(tuple(ids), start)])
            said.append(float(sequence_logprob(lm, batch).detach()))
        wanted.append(float(np.argmax(said) == row["correct"]))
    assert [row.value for row in rows] == wanted
    assert 0 < sum(wanted) < len(wanted)
    assert [row.item for row in rows] == [f"tiny_choice/{n}" for n in range(len(wanted))]
    assert {(row.group, row.prompt, row.truth, row.answer) for row in rows} == {
        ("tiny_choice", "", "", "")
    }


def test_a_task_without_accuracy_keeps_the_classes_of_its_correlation(
    lm: LM, task: Path, add: Add
) -> None:
    add("tiny_mcc", {"metric_list": [{"metric": "mcc"}]})
    rows = tasks.tasks(lm, asked("tiny_mcc", "tiny_choice"), task)
    own, plain = rows[:16], rows[16:]
    assert [row.value for row in own] == [row.value for row in plain]
    assert {(row.prompt, row.truth) for row in own} == {("mcc", "0")}
    assert [row.answer == "0" for row in own] == [row.value == 1 for row in own]
    assert metric("nlu")([rows]).parts["tiny_mcc"] == 0.0  # one class alone correlates with nothing


@pytest.mark.parametrize("parts", [["all"], ["tiny_choice", "tiny_few"]])
def test_a_group_is_one_task_where_lm_eval_pools_its_rows(
    lm: LM, task: Path, add: Add, parts: list[str]
) -> None:
    from lm_eval.evaluator import evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    few = task / "few.jsonl"
    few.write_text("\n".join((task / "rows.jsonl").read_text("utf-8").split("\n")[-4:]), "utf-8")
    add("tiny_few", {"dataset_kwargs": {"data_files": {"validation": str(few)}}})
    rule = {"metric": "acc", "weight_by_size": parts == ["all"]}
    add(
        "all",
        {"group": "all", "task": ["tiny_choice", "tiny_few"], "aggregate_metric_list": [rule]},
    )
    score = metric("nlu")([tasks.tasks(lm, asked("all"), task)])
    loaded = TaskManager(include_path=str(task), include_defaults=False).load(["all"])
    reader = HFLM(pretrained=lm.inner, tokenizer=lm.tokenizer, max_length=lm.context)
    theirs = evaluate(reader, loaded, bootstrap_iters=0)
    assert score.value == pytest.approx(theirs["groups"]["all"]["acc,none"])
    assert list(score.parts) == parts
    assert [item.item for item in score.items][-1] == "tiny_few/2"


def test_a_limit_holds_for_each_task(lm: LM, task: Path, add: Add) -> None:
    add("tiny_twin", {})
    rows = tasks.tasks(lm, asked("tiny_choice", "tiny_twin", limit=2), task)
    assert [row.item for row in rows] == [
        f"tiny_{t}/{n}" for t in ("choice", "twin") for n in (0, 1)
    ]


def test_an_answer_longer_than_the_context_is_named(lm: LM, task: Path) -> None:
    lines = (task / "rows.jsonl").read_text("utf-8").splitlines()
    lines[2] = lines[2].replace("No.", "No. " * 50)
    (task / "rows.jsonl").write_text("\n".join(lines), encoding="utf-8")
    said = "tiny_choice/2: an answer of 201 tokens, and the model reads 128 .* a limit of 2 rows"
    with pytest.raises(SuiteError, match=said):
        tasks.tasks(lm, asked("tiny_choice"), task)
    assert len(tasks.tasks(lm, asked("tiny_choice", limit=2), task)) == 2


def test_an_unknown_task_is_named_with_the_nearest(lm: LM, task: Path) -> None:
    said = "no task 'hellaswagg'; did you mean 'hellaswag'"
    with pytest.raises(SuiteError, match=said):
        tasks.tasks(lm, asked("hellaswagg"), task)


def test_a_task_whose_data_is_out_of_reach_names_the_mend(lm: LM, task: Path) -> None:
    with pytest.raises(SuiteError) as error:
        tasks.tasks(lm, asked("tiny_choice", "piqa"), task)
    said = toy.line(error.value)
    assert said.startswith("lm-eval's task 'piqa': its data cannot be had (")
    assert "--set nlu.path=FOLDER" in said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"metric_list": [{"metric": "f1"}]}, "'odd' has no accuracy .acc.; leave it out"),
        ({"validation_split": "test"}, "cannot build the task 'odd' .KeyError.*mend its YAML"),
    ],
)
def test_a_task_that_cannot_be_asked_is_refused(
    lm: LM, task: Path, add: Add, changes: dict[str, Any], said: str
) -> None:
    add("odd", changes)
    with pytest.raises(SuiteError, match=said):
        tasks.tasks(lm, asked("odd"), task)


def test_a_task_asked_twice_is_refused(lm: LM, task: Path, add: Add) -> None:
    add("all", {"group": "all", "task": ["tiny_choice"]})
    with pytest.raises(SuiteError, match="'tiny_choice' is asked twice"):
        tasks.tasks(lm, asked("all", "tiny_choice"), task)


def test_tasks_are_refused_before_anything_is_trained(
    suite_file: Path, folders: list[str], task: Path, add: Add
) -> None:
    add("odd", {"metric_list": [{"metric": "f1"}]})
    probe = f"probes.nlu={{ask: tasks, tasks: [odd], path: {task}}}"
    command = ["run", str(suite_file), "di", "--set", probe, "--workers", "1", *folders]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 2, done.output
    assert "'odd' has no accuracy" in " ".join(done.output.split())
    assert not (Path(folders[3]) / "grown").exists()


def test_built_in_tasks_are_checked_without_loading_anything(tmp_path: Path) -> None:
    store = toy.store(tmp_path)
    tasks.check(suite.load("tofu"), store)
    assert not store.cache.exists()
