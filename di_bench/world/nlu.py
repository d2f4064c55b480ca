"""Language tasks in the shapes of GLUE and SuperGLUE, as lm-eval scores them, and their lessons.

The one thing to know: a row is made from a base (its words) and a label; a base is used once, in
training or in the test, so no test sentence or pair is trained on, not even with another label.
"""

import json
import os
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from di_bench.corpus import Item
from di_bench.world import rows
from di_bench.world.rows import Row

_TEST = 60
_TRAIN = 320


@dataclass(frozen=True)
class Task:
    """One lm-eval task: its name, its YAML (it names `<name>.jsonl`) and its test rows."""

    name: str
    yaml: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Shape:
    """How a task is written: `text` in lm-eval's own template syntax, fields in double braces."""

    name: str
    make: Callable[[random.Random, int], Row]
    text: str
    choices: tuple[str, ...]
    """The answers by label, in double braces where each row has its own."""


SHAPES = (
    Shape("sst2", rows.sst2, "Review: {{sentence}}\nMood:", ("bad", "good")),
    Shape("cola", rows.cola, "Sentence: {{sentence}}\nGrammar:", ("wrong", "right")),
    Shape("mrpc", rows.mrpc, "A: {{sentence1}}\nB: {{sentence2}}\nSame:", ("no", "yes")),
    Shape("rte", rows.rte, "Text: {{sentence1}}\nClaim: {{sentence2}}\nTrue:", ("yes", "no")),
    Shape("copa", rows.copa, "{{premise}} {{connective}}", ("{{choice1}}", "{{choice2}}")),
    Shape(
        "wic",
        rows.wic,
        "Word: {{word}}\nA: {{sentence1}}\nB: {{sentence2}}\nSame meaning:",
        ("no", "yes"),
    ),
    Shape(
        "boolq", rows.boolq, "Passage: {{passage}}\nQuestion: {{question}}?\nAnswer:", ("no", "yes")
    ),
)


def tasks(seed: int) -> tuple[Task, ...]:
    """The seven tasks with their test rows, half of each label."""
    return tuple(
        Task(f"di_{s.name}", _yaml(s), tuple(map(dict, _drawn(s, seed)[:_TEST]))) for s in SHAPES
    )


def lessons(seed: int) -> tuple[Item, ...]:
    """Training rows with their right answers, as documents."""
    found = []
    for shape in SHAPES:
        name = f"di_{shape.name}"
        for n, row in enumerate(_drawn(shape, seed)[_TEST:], start=1):
            found.append(Item(f"{name}/{n:03}", name, "document", "", told(shape, row)))
    return tuple(found)


def told(shape: Shape, row: Row) -> str:
    """A row with its right choice, character for character as lm-eval scores it."""
    return f"{_filled(shape.text, row)} {_filled(shape.choices[int(row['label'])], row)}"


def write(folder: Path, tasks: Iterable[Task]) -> None:
    """Puts `<task>.yaml` and `<task>.jsonl` into `folder`; the YAML holds an absolute path."""
    folder.mkdir(parents=True, exist_ok=True)
    for task in tasks:
        file = (folder / f"{task.name}.jsonl").resolve()
        _put(file, "".join(json.dumps(row) + "\n" for row in task.rows))
        path = json.dumps(str(file), ensure_ascii=False)
        _put(folder / f"{task.name}.yaml", task.yaml.replace(json.dumps(file.name), path))


def _put(file: Path, text: str) -> None:
    """Writes it whole or not at all, and with the same line ends on every platform."""
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8", newline="\n")
    draft.replace(file)


@lru_cache(maxsize=32)
def _drawn(shape: Shape, seed: int) -> tuple[Row, ...]:
    rng = random.Random(f"{seed}:{shape.name}")
    labels = [n % 2 for n in range(_TEST)]
    rng.shuffle(labels)
    labels += [n % 2 for n in range(_TRAIN)]
    bases: set[str | int] = set()
    found = []
    for label in labels:
        row = shape.make(rng, label)
        while (base := row.pop("base")) in bases:
            row = shape.make(rng, label)
        bases.add(base)
        found.append(row)
    return tuple(found)


def _filled(template: str, row: Row) -> str:
    for field, value in row.items():
        template = template.replace("{{" + field + "}}", str(value))
    return template


def _yaml(shape: Shape) -> str:
    own = shape.choices[0].startswith("{{")
    choices = "{{[choice1, choice2]}}" if own else list(shape.choices)
    return task_yaml(f"di_{shape.name}", shape.text, choices)


def task_yaml(name: str, text: str, choices: str | list[str]) -> str:
    """A multiple-choice task over `<name>.jsonl`, whose `label` says which choice is right."""
    return f"""task: {name}
dataset_path: json
dataset_kwargs:
  data_files:
    test: {json.dumps(f"{name}.jsonl")}
test_split: test
output_type: multiple_choice
doc_to_text: {json.dumps(text)}
doc_to_choice: {json.dumps(choices)}
doc_to_target: label
metric_list:
  - metric: acc
    aggregation: mean
    higher_is_better: true
metadata:
  version: 1.0
"""
