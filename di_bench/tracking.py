"""Finished cells in a tracker too: TensorBoard, W&B, MLflow or trackio, by accelerate's classes.

A record holds the loss curve, scores and settings of a cell, so the process that hears of finished
cells logs them, whichever process made them. What is logged is a copy: a tracker that fails is said
once and left out, and no cell, key or number knows of it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from di_bench import ranks
from di_bench.errors import DiBenchError, nearest
from di_bench.escape import line
from di_bench.overlay import leaves

if TYPE_CHECKING:
    from accelerate.tracking import GeneralTracker

    from di_bench.record import Record
    from di_bench.run import Run
    from di_bench.runner import Watcher

log = logging.getLogger(__name__)

TRACKERS = ("tensorboard", "wandb", "mlflow", "trackio")
"""What we have words for; pip installs each by its name."""
PROJECT = "di-bench"
"""The project, or experiment, of those that sort runs into such."""


def tracked(
    names: Sequence[str], results: Path, *, offline: bool = False
) -> Callable[[Watcher], Watcher]:
    """Has a watcher also log to these trackers; what needs a folder gets `trackers` beside results.

    Names are `TRACKERS`, or of a class registered with `accelerate.tracking`. Raises DiBenchError
    for one that is unknown or not installed. Without names nothing is imported.
    """
    if not names or not ranks.first():
        return lambda watcher: watcher
    from accelerate.tracking import LOGGER_TYPE_TO_CLASS, filter_trackers
    from accelerate.utils import LoggerType

    folder = results.parent / "trackers"
    registered = [name for name in LOGGER_TYPE_TO_CLASS if name not in LoggerType.list()]
    for name in names:
        if name not in (*TRACKERS, *registered):
            raise DiBenchError(f"no tracker {name!r}; {nearest(name, (*TRACKERS, *registered))}")
        if not filter_trackers([name], folder):
            raise DiBenchError(f"--tracker {name}: is not installed; run `pip install {name}`")
    return lambda watcher: Tracking(watcher, list(dict.fromkeys(names)), folder, offline)


@dataclass
class Tracking:
    """A watcher that logs each cell as it is finished, then passes it on."""

    watcher: Watcher
    names: list[str]
    """Those that have not failed."""
    folder: Path
    offline: bool = False
    """Whether W&B keeps what it is told, to be sent by `wandb sync`."""

    def stage(self, worker: int, text: str, done: float) -> None:
        """Of no interest to a tracker."""
        self.watcher.stage(worker, text, done)

    def finished(self, run: Run, record: Record) -> None:
        """Log a cell, and have it shown."""
        for name in tuple(self.names):
            try:
                _log(self.open(name, _title(run)), record)
            except Exception as error:  # noqa: BLE001 - a tracker's own code, and its service's
                self.names.remove(name)
                said = line(f"{type(error).__name__}: {error}")
                log.warning("tracker %s: %s; it is left out from here on", name, said)
        self.watcher.finished(run, record)

    def open(self, name: str, title: str) -> GeneralTracker:
        """A tracker of one cell. A registered class is made as accelerate makes it."""
        from accelerate.tracking import LOGGER_TYPE_TO_CLASS

        ranks.accelerator()  # a tracker asks which process this is; ours settles the device too
        kind = LOGGER_TYPE_TO_CLASS[name]
        place = self.folder / name
        if kind.requires_logging_directory or name == "wandb":
            place.mkdir(parents=True, exist_ok=True)
        match name:
            case "wandb":
                mode = "offline" if self.offline else None
                return kind(PROJECT, name=title, dir=str(place), mode=mode)
            case "mlflow":
                return kind(PROJECT, run_name=title)
            case "trackio":
                return kind(PROJECT, name=title)
        return kind(title, place) if kind.requires_logging_directory else kind(title)


def _title(run: Run) -> str:
    """As `di-bench show` names a run."""
    return f"{run.suite.name}/{run.suite.profile}/{run.name}"


def _log(tracker: GeneralTracker, record: Record) -> None:
    """Settings, the loss of each epoch, and last the scores and costs."""
    tracker.start()
    try:
        tracker.store_init_configuration(_settings(record))
        for epoch, loss in enumerate(record.curve, start=1):
            tracker.log({"loss": loss}, step=epoch)
        scores = {f"scores/{n}": v for n, v in record.scores.items() if v is not None}
        costs = {f"cost/{name}": value for name, value in record.cost.items()}
        if scores or costs:
            tracker.log(scores | costs, step=len(record.curve))
    finally:
        tracker.finish()


def _settings(record: Record) -> dict[str, str | int | float | bool]:
    """What was run, flat: trackers take no tree, and some no null."""
    names = ("suite", "profile", "method", "axis", "variant", "seed", "grow_seed", "status")
    told = {name: getattr(record, name) for name in names}
    more = {"settings": record.settings, "peft": record.peft or {}}
    flat = {
        ".".join(place): value if isinstance(value, str | int | float) else str(value)
        for place, value in leaves(more)
    }
    return told | {"model": record.model["name"]} | flat
