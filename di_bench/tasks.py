"""lm-eval's tasks: its code asks and decides what is right; its verdicts are written down here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from di_bench import nlu, world
from di_bench.asks import Tasks
from di_bench.corpus import digest
from di_bench.errors import SuiteError
from di_bench.lm import LM
from di_bench.store import Store
from di_bench.suite import Suite
from di_bench.transcript import Row, Rows

SET_WISE = ("mcc",)
"""Metrics that count a whole set of rows, where a task has no accuracy (CoLA)."""


def tasks(lm: LM, probe: Tasks, *folders: Path) -> Rows:
    """The verdict on every row of the lm-eval tasks. `folders` hold task YAML files of our own.

    The tasks are built once and `evaluate` is called directly: `simple_evaluate` spends seconds on
    facts about the machine, and its cache does not know the model.
    """
    from lm_eval.evaluator import evaluate
    from lm_eval.models.huggingface import HFLM

    bos = lm.tokenizer.bos_token_id

    class Quiet(HFLM):  # type: ignore[misc]  # lm-eval is untyped
        """Without bars: there are others' on the screen."""

        def loglikelihood(self, requests: Any, disable_tqdm: bool = True) -> Any:  # noqa: ANN401, FBT001, FBT002 - lm-eval's signature
            try:
                return super().loglikelihood(requests, disable_tqdm=disable_tqdm)
            except AssertionError as error:  # the only word lm-eval has for it
                raise _too_long(self, requests) or error from error

        def generate_until(self, requests: Any, disable_tqdm: bool = True) -> Any:  # noqa: ANN401, FBT001, FBT002 - lm-eval's signature
            return super().generate_until(requests, disable_tqdm=disable_tqdm)

    wrapped = Quiet(
        pretrained=lm.inner,
        tokenizer=lm.tokenizer,
        batch_size=64,
        max_length=lm.context,
        add_bos_token=bos is not None and lm.tokenizer("a").input_ids[0] == bos,
    )
    built = _built(tuple(probe.tasks), folders)
    report = evaluate(
        wrapped,
        {"tasks": built.tasks},
        limit=probe.limit,
        bootstrap_iters=0,
        log_samples=True,
    )
    return [
        _row(name, built.groups.get(name, name), built.metrics[name], sample)
        for name, samples in report["samples"].items()
        for sample in samples
        if sample["filter"] == samples[0]["filter"]
    ]


def check(suite: Suite, store: Store) -> None:
    """Raise SuiteError for tasks that cannot be asked: unknown, out of reach, without accuracy.

    Built-in tasks can be, so nothing is loaded for them.
    """
    for probe in suite.probes.values():
        if isinstance(probe, Tasks) and (probe.path or nlu.away(probe.tasks, None)):
            _built(tuple(probe.tasks), folders(suite, probe, store))


def folders(suite: Suite, probe: Tasks, store: Store) -> tuple[Path, ...]:
    """Where lm-eval finds a probe's tasks, beside its own: YAML files, in the cache if not given.

    YAML names its data by path, so the key of a piece does.
    """
    if probe.path:
        own = probe.path.expanduser()
    else:
        rows = [[task.name, task.yaml, list(task.rows)] for task in world.tasks()]
        own = _piece(store, rows, world.write_tasks)
    away = nlu.away(probe.tasks, probe.path)
    if (data := suite.nlu.path) is None or not away:
        return (own,)

    def make(draft: Path) -> None:
        for name in away:
            nlu.write(name, data, draft)

    content = [str(nlu.definitions()), *([name, nlu.content(name, data)] for name in away)]
    return own, _piece(store, content, make)


def _too_long(reader: Any, requests: Any) -> SuiteError | None:  # noqa: ANN401 - lm-eval's own
    """What to say of the first answer that is longer than all a model reads at once."""
    for request in requests:
        _, answer = reader._encode_pair(*request.args)
        if len(answer) > reader.max_length:
            task, row = request.task_name, request.doc_id
            return SuiteError(
                f"{task}/{row}: an answer of {len(answer)} tokens, and the model reads "
                f"{reader.max_length} at once; give the probe of {task!r} a limit of {row} rows or "
                "leave the task out"
            )
    return None


def _piece(store: Store, content: list[Any], make: Callable[[Path], None]) -> Path:
    key = digest(content, str(store.cache.resolve()))
    home = store.path("tasks", key).resolve()

    def placed(draft: Path) -> None:
        make(draft)
        for file in draft.glob("*.yaml"):
            text = file.read_text("utf-8").replace(str(draft.resolve()), str(home))
            file.write_text(text, encoding="utf-8")

    return store.piece("tasks", key, placed)


@dataclass(frozen=True)
class _Built:
    """Tasks by lm-eval's names, those of groups by their own."""

    tasks: dict[str, Any]
    metrics: dict[str, str]
    """What stands for each task: `acc`, or `mcc` where it has none."""
    groups: dict[str, str]
    """Task to the group it was asked as, where lm-eval pools the rows of the group."""


_tasks_built: dict[object, _Built] = {}


def _built(names: tuple[str, ...], folders: tuple[Path, ...]) -> _Built:
    """The tasks, built once in a process."""
    if (names, folders) not in _tasks_built:
        _tasks_built[names, folders] = _build(names, [str(folder) for folder in folders])
    return _tasks_built[names, folders]


def _build(names: tuple[str, ...], folders: list[str]) -> _Built:
    from lm_eval.tasks import TaskManager

    ours = TaskManager(include_path=folders, include_defaults=False)
    groups = [entry.cfg for entry in ours.task_index.values() if "group" in (entry.cfg or ())]
    members = [m for group in groups for m in group["task"] if isinstance(m, str)]
    everything = ours
    if not {*names, *members} <= set(ours.all_tasks):  # thousands of files, read in seconds
        everything = TaskManager(include_path=folders)
    built = _Built({}, {}, {})
    for name in names:
        if name not in everything.all_tasks:
            near = "".join(
                f"did you mean {n!r}? " for n in get_close_matches(name, everything.all_tasks, 1)
            )
            raise SuiteError(f"lm-eval has no task {name!r}; {near}`lm-eval ls tasks` lists them")
        found = _loaded(everything, name, here=name in ours.all_tasks)
        if twice := found["tasks"].keys() & built.tasks.keys():
            raise SuiteError(f"the task {min(twice)!r} is asked twice; name it, or its group, once")
        built.tasks.update(found["tasks"])
        if _pooled(found.get("groups", {}).get(name)):
            built.groups.update(dict.fromkeys(found["tasks"], name))
    built.metrics.update({name: _headline(name, task) for name, task in built.tasks.items()})
    return built


def _loaded(manager: Any, name: str, *, here: bool) -> Any:  # noqa: ANN401 - lm-eval's own
    try:
        return manager.load(name)
    except Exception as error:
        said = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        if here:
            raise SuiteError(
                f"lm-eval cannot build the task {name!r} ({said}); mend its YAML or its data"
            ) from error
        raise SuiteError(
            f"lm-eval's task {name!r}: its data cannot be had ({said}). Read it from local files "
            "(`--set nlu.path=FOLDER`), carry a filled $HF_HOME over, or leave the task out"
        ) from error


def _pooled(group: Any) -> bool:  # noqa: ANN401 - lm-eval's own
    """Whether a group's accuracy is that of all its rows together, as MMLU's is."""
    rules = (group.aggregate_metric_list if group else None) or []
    return any(rule.metric == "acc" and rule.weight_by_size for rule in rules)


def _headline(name: str, task: Any) -> str:  # noqa: ANN401 - lm-eval's own
    for metric in ("acc", *SET_WISE):
        if metric in task.aggregation():
            return metric
    raise SuiteError(f"lm-eval's task {name!r} has no accuracy (acc); leave it out")


def _row(task: str, group: str, metric: str, sample: dict[str, Any]) -> Row:
    item = f"{task}/{sample['doc_id']}"
    if metric in SET_WISE:
        truth, answer = (str(int(each)) for each in sample[metric])
        return Row(
            item, group, prompt=metric, truth=truth, answer=answer, value=float(truth == answer)
        )
    return Row(item, group, value=float(sample[metric]))
