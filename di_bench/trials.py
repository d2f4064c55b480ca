"""The trials of one method on one model: kept, and what to try next.

What is tried next is a function of the trials before it and of nothing else, so a study that was
interrupted goes on as if it had not been.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from di_bench.draft import whole
from di_bench.objective import Objective
from di_bench.search import Choice, Range, Space, Value
from di_bench.spec import Spec

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

STARTUP = 4
"""So many trials, the first with them, are there before the sampler learns from them."""


class Trial(Spec):
    """One choice of settings, and what came of it."""

    number: int
    settings: dict[str, Value] = {}
    """What was laid over the starting settings; nothing in the first trial."""
    status: Literal["done", "diverged", "failed"]
    values: dict[str, float | None] = {}
    """The objective's columns, each a mean over the tuning seeds; none where a seed failed."""
    violation: float | None = None
    """By what share the kept columns miss their bounds; none where a value is missing."""
    error: str | None = None

    @property
    def feasible(self) -> bool:
        """Whether it keeps what must be kept."""
        return self.violation == 0


class Trials(Spec):
    """Every trial of a study, and which was chosen."""

    format: int = 1
    key: str
    """Changes when older trials say nothing about newer ones."""
    method: str
    model: str
    objective: dict[str, Any]
    search: dict[str, Any]
    none: dict[str, float | None]
    """The objective's columns of the model as it was."""
    chosen: int | None = None
    """The number of the best trial; none while no trial has values."""
    feasible: bool = False
    """Whether the chosen trial keeps what must be kept."""
    trials: tuple[Trial, ...] = ()

    def best(self, objective: Objective, budget: int | None = None) -> Trial | None:
        """Of the first `budget` trials: the best feasible one, else the one least beyond bounds."""
        known = [trial for trial in self.trials[:budget] if trial.violation is not None]

        def rank(trial: Trial) -> tuple[float, float]:
            return trial.violation or 0.0, objective.rank(trial.values)

        return min(known, key=rank, default=None)

    def told(self, objective: Objective, trial: Trial) -> Trials:
        """With one more trial."""
        more = self.model_copy(update={"trials": (*self.trials, trial)})
        best = more.best(objective)
        found = {"chosen": best.number, "feasible": best.feasible} if best else {}
        return more.model_copy(update=found)

    def keep(self, path: Path) -> None:
        """File it, whole or not at all."""
        with whole(path) as draft:
            draft.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")


def read_trials(path: Path) -> Trials | None:
    """The trials of a file; none where it holds none that this version can read."""
    try:
        return Trials.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError):
        return None


def proposed(
    space: Space, start: dict[str, Value], trials: Sequence[Trial], objective: Objective
) -> dict[str, Value]:
    """What to try after these trials, by Optuna's TPE. `start` is what the first one had.

    Floats have three digits: what is tried is what is written down.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    axes = {name: _axis(one) for name, one in space.items()}
    sampler = optuna.samplers.TPESampler(seed=len(trials), n_startup_trials=STARTUP)
    study = optuna.create_study(sampler=sampler)  # of `rank`, which is to be low
    for trial in trials:
        params = trial.settings or start
        if all(one.holds(params[name]) for name, one in space.items()):
            study.add_trial(_told(trial, {n: params[n] for n in axes}, axes, objective))
    asked = study.ask(axes).params
    return {name: _rounded(asked[name], space[name]) for name in space}


def _told(
    trial: Trial,
    params: dict[str, Value],
    axes: dict[str, BaseDistribution],
    objective: Objective,
) -> FrozenTrial:
    """A trial in Optuna's words. One without values is worse than any that has them."""
    from optuna.trial import TrialState, create_trial

    known = trial.violation is not None
    return create_trial(
        state=TrialState.COMPLETE if known else TrialState.PRUNED,
        value=objective.rank(trial.values) if known else None,
        params=params,
        distributions=axes,
        constraints={"kept": _NO_VALUES if trial.violation is None else trial.violation},
    )


_NO_VALUES = 1e9
"""The violation of a trial that has no values."""


def _axis(tried: Range | Choice) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(tried, Choice):
        return CategoricalDistribution(tried.samples)
    if tried.whole:
        return IntDistribution(int(tried.low), int(tried.high), log=tried.log)
    return FloatDistribution(float(tried.low), float(tried.high), log=tried.log)


def _rounded(value: Value, tried: Range | Choice) -> Value:
    if not isinstance(tried, Range) or tried.whole or not isinstance(value, float):
        return value
    return min(max(float(f"{value:.3g}"), float(tried.low)), float(tried.high))
