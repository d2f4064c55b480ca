"""lm-eval's tasks: its code asks and decides what is right; its verdicts are written down here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from di_bench.errors import SuiteError
from di_bench.lm import LM
from di_bench.suite import Tasks
from di_bench.transcript import Row, Rows


def tasks(lm: LM, probe: Tasks, folder: Path) -> Rows:
    """Accuracy on every row of the lm-eval tasks. `folder` holds task YAML files of our own.

    The tasks are built once and `evaluate` is called directly: `simple_evaluate` spends seconds on
    facts about the machine, and its cache does not know the model.
    """
    from lm_eval.evaluator import evaluate
    from lm_eval.models.huggingface import HFLM

    bos = lm.tokenizer.bos_token_id

    class Quiet(HFLM):  # type: ignore[misc]  # lm-eval is untyped
        """Without bars: there are others' on the screen."""

        def loglikelihood(self, requests: Any, disable_tqdm: bool = True) -> Any:  # noqa: ANN401, FBT001, FBT002 - lm-eval's signature
            return super().loglikelihood(requests, disable_tqdm=disable_tqdm)

    wrapped = Quiet(
        pretrained=lm.inner,
        tokenizer=lm.tokenizer,
        batch_size=64,
        max_length=lm.context,
        add_bos_token=bos is not None and lm.tokenizer("a").input_ids[0] == bos,
    )
    report = evaluate(
        wrapped,
        _built(tuple(probe.tasks), folder),
        limit=probe.limit,
        bootstrap_iters=0,
        log_samples=True,
    )
    return [
        Row(f"{name}/{sample['doc_id']}", name, value=_accuracy(name, sample))
        for name, samples in report["samples"].items()  # a group's tasks, by their own names
        for sample in samples
    ]


_tasks_built: dict[tuple[tuple[str, ...], Path], Any] = {}


def _built(names: tuple[str, ...], folder: Path) -> Any:  # noqa: ANN401 - lm-eval's own
    """The tasks, built once in a process."""
    from lm_eval.tasks import TaskManager

    if (names, folder) not in _tasks_built:
        ours = {path.stem for path in folder.glob("*.yaml")}
        manager = TaskManager(include_path=str(folder), include_defaults=not ours.issuperset(names))
        if missing := [name for name in names if name not in manager.all_tasks]:
            raise SuiteError(f"lm-eval has no task {missing[0]!r}; see `lm-eval ls tasks`")
        _tasks_built[names, folder] = manager.load(list(names))
    return _tasks_built[names, folder]


def _accuracy(task: str, sample: dict[str, Any]) -> float:
    if "acc" not in sample:
        raise SuiteError(f"lm-eval's task {task!r} has no accuracy (acc); leave it out")
    return float(sample["acc"])
