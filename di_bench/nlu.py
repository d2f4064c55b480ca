"""The field's understanding tasks from local files, for a machine that no hub is reached from.

The one thing to know: only the rows come from here. Wording, choices and metrics stay lm-eval's own
definition, which a written task includes. Files lie below the folder that `nlu: {path: FOLDER}` of
a suite (or `--set nlu.path=FOLDER`) names, as `TASKS` lists them: JSON Lines with these columns,
but for CoLA's and GLUE's tab-separated files, PubMedQA's CSV and PIQA's labels, one on each line
of a file of their own. A class is its number or its name; columns that no task reads may stand
beside these. MMLU is `mmlu/<subject>.jsonl`, as `mmlu/college_biology.jsonl`.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from di_bench import world
from di_bench.corpus import digest
from di_bench.datafile import file_rows, file_text
from di_bench.errors import CorpusError, nearest
from di_bench.hubrows import (
    Row,
    arc,
    classes,
    exam,
    hellaswag,
    lambada,
    pubmedqa,
    wic,
    winogrande,
    wsc,
)


@dataclass(frozen=True)
class Local:
    """Where the rows of one task are, and how they become rows of the hub's data set."""

    yaml: str
    """lm-eval's definition, below its folder of tasks."""
    files: tuple[str, ...]
    """Read one after the other."""
    columns: tuple[str, ...]
    """What a row must have; the columns by place in a `.tsv` without a header."""
    convert: Callable[[Row], Row]
    """Raises ValueError for a value that is not understood."""
    labels: str = ""
    """A file with the `label` of each row, one on each line."""
    split: str = "validation"
    """The split that lm-eval asks."""


_PAIR = ("sentence1", "sentence2", "label")
_ARC = ("question", "choices", "answerKey")
_EXAM = ("question", "choices", "answer")
_COPA = ("premise", "question", "choice1", "choice2", "label")
_WIC = ("word", "sentence1", "sentence2", "start1", "end1", "start2", "end2", "label")
_ENTAILS = classes("entailment", "not_entailment")
_TRUE = classes("false", "true")
_COLA = ("glue/CoLA/in_domain_dev.tsv", "glue/CoLA/out_of_domain_dev.tsv")

# fmt: off
TASKS: dict[str, Local] = {
    "cola": Local("glue/cola/default.yaml", _COLA, ("source", "label", "mark", "sentence"),
                  classes("unacceptable", "acceptable")),
    "sst2": Local("glue/sst2/default.yaml", ("glue/SST-2/validation.jsonl",),
                  ("sentence", "label"), classes("negative", "positive")),
    "mrpc": Local("glue/mrpc/default.yaml", ("glue/MRPC/validation.jsonl",), _PAIR,
                  classes("not_equivalent", "equivalent")),
    "rte": Local("glue/rte/default.yaml", ("glue/RTE/validation.jsonl",), _PAIR, _ENTAILS),
    "qnli": Local("glue/qnli/default.yaml", ("glue/QNLI/dev.tsv",),
                  ("question", "sentence", "label"), _ENTAILS),
    "wnli": Local("glue/wnli/default.yaml", ("glue/WNLI/dev.tsv",), _PAIR,
                  classes("not_entailment", "entailment")),
    "boolq": Local("super_glue/boolq/default.yaml", ("superglue/BoolQ/val.jsonl",),
                   ("question", "passage", "label"), _TRUE),
    "cb": Local("super_glue/cb/default.yaml", ("superglue/CB/val.jsonl",),
                ("premise", "hypothesis", "label"),
                classes("entailment", "contradiction", "neutral")),
    "copa": Local("super_glue/copa/default.yaml", ("superglue/COPA/val.jsonl",), _COPA,
                  classes("choice1", "choice2")),
    "sglue_rte": Local("super_glue/rte/default.yaml", ("superglue/RTE/val.jsonl",),
                       ("premise", "hypothesis", "label"), _ENTAILS),
    "wic": Local("super_glue/wic/default.yaml", ("superglue/WiC/val.jsonl",), _WIC, wic),
    "wsc": Local("super_glue/wsc/default.yaml", ("superglue/WSC/val.jsonl",),
                 ("text", "target", "label"), wsc),
    "piqa": Local("piqa/piqa.yaml", ("piqa/dev.jsonl",), ("goal", "sol1", "sol2", "label"),
                  classes("sol1", "sol2"), labels="piqa/dev-labels.lst"),
    "arc_easy": Local("arc/arc_easy.yaml", ("arc/ARC-Easy/validation.jsonl",), _ARC, arc,
                      split="test"),
    "arc_challenge": Local("arc/arc_challenge.yaml", ("arc/ARC-Challenge/validation.jsonl",),
                           _ARC, arc, split="test"),
    "winogrande": Local("winogrande/default.yaml", ("winogrande/dev.jsonl",),
                        ("sentence", "option1", "option2", "answer"), winogrande),
    "hellaswag": Local("hellaswag/hellaswag.yaml", ("hellaswag/validation_olmes1000.jsonl",),
                       ("query", "choices", "label"), hellaswag),
    "lambada_openai": Local("lambada/lambada_openai.yaml", ("lambada/lambada_openai.jsonl",),
                            ("context", "continuation"), lambada, split="test"),
    "pubmedqa": Local("pubmedqa/pubmedqa.yaml", ("pubmedqa/pubmed_qa.csv",),
                      ("question", "context", "final_decision"), pubmedqa, split="test"),
    **{f"wmdp_{field}": Local(f"wmdp/wmdp_{field}.yaml", (f"wmdp/wmdp-{field}.jsonl",), _EXAM,
                              exam, split="test") for field in ("bio", "chem", "cyber")},
}
# fmt: on

_AREAS = ("humanities", "other", "social_sciences", "stem")
GROUPS = {
    "wmdp": ("wmdp/_wmdp.yaml",),
    "mmlu": tuple(f"mmlu/default/_mmlu{area}.yaml" for area in ("", *(f"_{a}" for a in _AREAS))),
}
"""Names that stand for several tasks, and lm-eval's definitions that say so."""


def definitions() -> Path:
    """lm-eval's folder of tasks; finding it loads nothing."""
    spec = find_spec("lm_eval")
    assert spec is not None and spec.origin is not None, "lm-eval is a dependency"
    return Path(spec.origin).parent / "tasks"


def leaves(name: str) -> tuple[str, ...]:
    """The tasks that a name stands for: itself, but for `wmdp` and `mmlu`."""
    if name == "mmlu":
        return tuple(sorted(p.stem for p in (definitions() / "mmlu/default").glob("mmlu_*.yaml")))
    return tuple(task for task in TASKS if task.startswith("wmdp_")) if name == "wmdp" else (name,)


def away(tasks: Collection[str], folder: Path | None) -> tuple[str, ...]:
    """The tasks that lm-eval takes from a hub: neither built in nor defined in the folder."""
    if folder is None:
        return tuple(name for name in tasks if name not in {task.name for task in world.tasks()})
    files = folder.expanduser().rglob("*.yaml")
    said = "\n".join(file_text(file) for file in files)
    own = re.findall(r"""^["']?(?:task|group|tag)["']?: *["']?([^\s"'#]+)""", said, re.MULTILINE)
    return tuple(name for name in tasks if name not in own)


def rows(task: str, folder: Path) -> tuple[Row, ...]:
    """A task's rows as the hub's data set has them.

    Raises CorpusError for a task without a layout, a missing file, or a row that does not fit.
    """
    return _kept(task, folder)[0]


def content(name: str, folder: Path) -> str:
    """A digest of the rows of a task, or of all that a group's name stands for."""
    return digest([[task, _kept(task, folder)[1]] for task in leaves(name)])


def _kept(task: str, folder: Path) -> tuple[tuple[Row, ...], str]:
    """A task's rows and their digest, kept while its files have the same size and time."""
    local, stamp = _local(task), []
    for file in (*local.files, *filter(None, [local.labels])):
        path = folder.expanduser() / file
        if not path.is_file():
            raise CorpusError(
                f"{path}: no such file; {task!r} is read from it below nlu.path. Put it there or "
                "leave the task out"
            )
        stamp.append((path.stat().st_size, path.stat().st_mtime_ns))
    return _rows(task, folder.expanduser(), tuple(stamp))


def write(name: str, folder: Path, home: Path) -> None:
    """Put a task, or a group and its tasks, into `home` for lm-eval: its YAML names the place."""
    for number, group in enumerate(GROUPS.get(name, ())):
        _put(home / f"{name}-{number}.yaml", [{"include": str(definitions() / group)}])
    for task in leaves(name):
        local, file = _local(task), f"{task}.jsonl"
        _put(home / file, rows(task, folder))
        told: dict[str, object] = {"include": str(definitions() / local.yaml)}
        told |= {"dataset_path": "json", "dataset_name": None}
        told |= {"dataset_kwargs": {"data_files": {local.split: str((home / file).resolve())}}}
        told |= {f"{split}_split": None for split in ("training", "validation", "test", "fewshot")}
        _put(home / f"{task}.yaml", [told | {f"{local.split}_split": local.split}])


def files(names: Iterable[str]) -> list[str]:
    """The files that these tasks are read from, below the folder."""
    found = [_local(task) for name in names for task in leaves(name)]
    return [file for one in found for file in (*one.files, *filter(None, [one.labels]))]


def _put(path: Path, lines: Iterable[Mapping[str, object]]) -> None:
    """JSON Lines; one line of it is YAML too."""
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    path.write_text(text, encoding="utf-8", newline="\n")


def _local(task: str) -> Local:
    if task in TASKS:
        return TASKS[task]
    if task in leaves("mmlu"):
        files = (f"mmlu/{task.removeprefix('mmlu_')}.jsonl",)
        return Local(f"mmlu/default/{task}.yaml", files, _EXAM, exam, split="test")
    raise CorpusError(
        f"nlu.path: no layout of local files is known for the task {task!r}; "
        f"{nearest(task, [*TASKS, *GROUPS])}. Give its probe a `path` with a YAML, or leave it out"
    )


@lru_cache(maxsize=128)  # every run asks for the content of its tasks
def _rows(task: str, folder: Path, _stamp: object) -> tuple[tuple[Row, ...], str]:
    local = _local(task)
    read = [(folder / f, n, row) for f in local.files for n, row in _read(folder / f, local)]
    if local.labels:
        labels = file_text(folder / local.labels).split()
        if len(labels) != len(read):
            raise CorpusError(
                f"{folder / local.labels}: holds {len(labels)} labels for {len(read)} rows; it "
                "needs one for each, on a line of its own"
            )
        for (_, _, row), label in zip(read, labels, strict=True):
            row["label"] = label
    if not read:
        raise CorpusError(f"{folder / local.files[0]}: holds no row; fill it or leave {task!r} out")
    found = [_converted(local, path, number, row) for path, number, row in read]
    return tuple(found), digest(found)


def _converted(local: Local, path: Path, number: int, row: Row) -> Row:
    needs = f"each row needs {', '.join(local.columns)}"
    if missing := [column for column in local.columns if column not in row]:
        raise CorpusError(f"{path}: row {number} has no {missing[0]!r}; {needs}")
    try:
        return local.convert({column: row[column] for column in local.columns})
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise CorpusError(f"{path}: row {number}: {error}; mend it: {needs}") from error


def _read(path: Path, local: Local) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of a file and their numbers, from 1."""
    if path.suffix != ".tsv":
        yield from enumerate(map(dict, file_rows(path)), 1)
        return
    lines = [line.split("\t") for line in file_text(path).split("\n") if line.strip()]
    header = local.columns
    if lines and set(header) <= set(lines[0]):
        header = tuple(lines.pop(0))
    for number, cells in enumerate(lines, 1):
        if len(cells) != len(header):
            raise CorpusError(
                f"{path}: row {number} has {len(cells)} cells between tabs; it needs "
                f"{len(header)}: {', '.join(header)}"
            )
        yield number, dict(zip(header, cells, strict=True))
