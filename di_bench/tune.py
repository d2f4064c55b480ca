"""Equal-budget tuning: the same number of trials for every method, on items the board never asks.

A trial is an ordinary run of the suite with `tune.suite` laid over it, so it has the same keys and
cache. Studies are deterministic: what was tried before is told again, and the sampler goes on.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from di_bench.corpus import Corpus, digest
from di_bench.errors import StoreError, SuiteError
from di_bench.method import NONE, RETRAIN, MethodFile
from di_bench.record import Record
from di_bench.run import Run
from di_bench.search import Range, Space, Value, nested
from di_bench.spec import merged
from di_bench.store import Store, whole
from di_bench.suite import Judge, Read, Suite, Tune, Write
from di_bench.work import Choice, Work

if TYPE_CHECKING:
    from collections.abc import Callable

    import optuna

STARTUP = 4
"""Trials drawn at random before the sampler learns from them."""


@dataclass(frozen=True)
class Trial:
    """One choice of settings, and what came of it. Values are means over the tuning seeds."""

    number: int
    settings: dict[str, Value]
    """What was changed from the start; nothing in the first trial."""
    status: str
    values: dict[str, float] = field(default_factory=dict)
    violation: float = 0.0
    """How far it is from what must be kept, as a share; 0 or less is feasible."""
    error: str = ""

    @property
    def feasible(self) -> bool:
        """Whether it kept what must be kept."""
        return self.status == "done" and self.violation <= 0


@dataclass
class Study:
    """The trials of one method on one model."""

    run: Run
    """The method as it starts, on the tuning suite, with the first seed."""
    tune: Tune
    space: Space
    path: Path
    floor: dict[str, float]
    """What `none` scores in the columns to keep."""
    trials: list[Trial] = field(default_factory=list)

    @property
    def key(self) -> str:
        """Changes when older trials say nothing about newer ones."""
        space = {
            n: s.model_dump() if isinstance(s, Range) else list(s) for n, s in self.space.items()
        }
        goal = self.tune.model_dump(exclude={"suite"})
        return digest("study", space, goal, self.run.scores_key, self.run.suite.seeds, STARTUP)

    @property
    def best(self) -> Trial | None:
        """The best feasible trial; else the one nearest to being so; none if all failed."""
        done = [trial for trial in self.trials if trial.status == "done"]
        sign = 1 if self.tune.lower else -1

        def rank(trial: Trial) -> tuple[float, float]:
            return max(0.0, trial.violation), sign * trial.values[self.tune.goal]

        return min(done, key=rank, default=None)

    def read(self) -> str:
        """Take up what was tried before. Says why it could not, if it could not."""
        if not self.path.exists():
            return ""
        try:
            kept = json.loads(self.path.read_text(encoding="utf-8"))
            if kept["key"] == self.key:
                self.trials = [Trial(**_without(trial, "feasible")) for trial in kept["trials"]]
                return ""
        except (OSError, ValueError, KeyError, TypeError):
            return f"{self.path}: cannot be read; its trials are made again"
        return f"{self.path}: was of other code, data or search space; its trials are made again"

    def keep(self) -> None:
        """File every trial, whole or not at all."""
        best = self.best
        said = {
            "key": self.key,
            "method": self.run.method.name,
            "model": self.run.base.known_as,
            "goal": self.tune.model_dump(exclude={"suite"}, exclude_none=True),
            "none": self.floor,
            "chosen": best.number if best else None,
            "feasible": bool(best and best.feasible),
            "trials": [asdict(trial) | {"feasible": trial.feasible} for trial in self.trials],
        }
        with whole(self.path) as draft:
            draft.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")

    def tell(self, settings: dict[str, Value], records: Sequence[Record | None]) -> None:
        """Add a trial from the records of its seeds."""
        number, wanted = len(self.trials), (self.tune.goal, *self.tune.keep)
        failed = next((r for r in records if r is None or r.status != "done"), None)
        there = [r for r in records if r is not None]
        if failed is not None or len(there) < len(records):
            status = failed.status if failed else "failed"
            error = (failed.error if failed else None) or "no record"
            self.trials.append(Trial(number, settings, status, violation=1.0, error=error))
            return
        scores = {c: [r.scores[c] for r in there] for c in wanted}
        if gap := next((c for c, values in scores.items() if None in values), None):
            why = there[0].gaps.get(gap, "no score")
            error = f"{gap}: {why}"
            self.trials.append(Trial(number, settings, "failed", violation=1.0, error=error))
            return
        values = {c: fmean(v for v in found if v is not None) for c, found in scores.items()}
        short = violation(values, self.floor, self.tune, self.run.suite)
        self.trials.append(Trial(number, settings, "done", values, short))

    def asked(self) -> optuna.Study:
        """The sampler, told of every trial so far in the order they were made."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = optuna.samplers.TPESampler(
                seed=0,
                n_startup_trials=STARTUP,
                constraints_func=lambda trial: (trial.user_attrs.get("violation", 1.0),),
            )
        study = optuna.create_study(
            direction="minimize" if self.tune.lower else "maximize", sampler=sampler
        )
        for trial in self.trials[1:]:
            asked = study.ask(_distributions(self.space))
            asked.set_user_attr("violation", trial.violation)
            if trial.status == "done":
                study.tell(asked, trial.values[self.tune.goal])
            else:
                study.tell(asked, state=optuna.trial.TrialState.FAIL)
        return study

    def next(self) -> dict[str, Value]:
        """Settings to try: none at first, then what the sampler proposes."""
        return dict(self.asked().ask(_distributions(self.space)).params) if self.trials else {}


def _without(trial: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in trial.items() if key != name}


def _distributions(space: Space) -> dict[str, Any]:
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    def one(dimension: Range | tuple[Value, ...]) -> Any:  # noqa: ANN401 - optuna's
        if not isinstance(dimension, Range):
            return CategoricalDistribution(list(dimension))
        low, high = dimension.low, dimension.high
        if isinstance(low, int) and isinstance(high, int):
            return IntDistribution(low, high, log=dimension.log)
        return FloatDistribution(float(low), float(high), log=dimension.log)

    return {name: one(dimension) for name, dimension in space.items()}


def violation(
    values: Mapping[str, float], floor: Mapping[str, float], tune: Tune, suite: Suite
) -> float:
    """By how much the worst of the columns to keep misses its share of `none`; 0 or less keeps."""
    worst = -1.0
    for column, share in tune.keep.items():
        lower = suite.better(column) == "lower"
        near, far = (floor[column], values[column]) if lower else (values[column], floor[column])
        worst = max(worst, share - near / far if far > 0 else share - 1.0)
    return worst


def tune(
    choice: Choice,
    methods: Sequence[str],
    home: Store,
    trials: int,
    do: Callable[[Sequence[Run], Store], object],
    say: Callable[[str], None],
) -> list[Study]:
    """Give every method on every model the same number of trials, in rounds of one trial each.

    `do` makes the records of runs in a store; `say` shows a line. Trials are kept below
    `home.results` after every round. Raises DiBenchError for what the user can fix.
    """
    own = choice.loaded
    if own.tune is None:
        raise SuiteError(
            f"{choice.suite}: names no objective; add such as `tune: {{lower: COLUMN}}`"
        )
    store = Store(home.cache / "tuning", home.cache)
    work = Work.lay_out(replace(choice, tuning=True), methods, store)
    _check_apart(Work.lay_out(choice, methods, store), work)
    runs = [replace(run, suite=_cut(run.suite, own.tune)) for run in work.runs]
    floors = _floors(runs, own.tune, store, do)
    folder = home.results / own.name / own.profile / "trials"
    studies = [
        Study(
            run,
            own.tune,
            run.method.search,
            folder / run.base.name / f"{run.method.name}.json",
            floors[run.base.name],
        )
        for run in runs
        if run.method.name not in (NONE, RETRAIN) and run.seed == run.suite.seeds[0]
    ]
    for study in studies:
        if why := study.read():
            say(why)
    for number in range(trials):
        due = [study for study in studies if len(study.trials) == number]
        if due:
            _round(due, Store(store.results / f"round-{number}", home.cache), do)
            say(f"round {number + 1} of {trials}: {len(due)} trials")
    return studies


def _round(
    studies: Sequence[Study], store: Store, do: Callable[[Sequence[Run], Store], object]
) -> None:
    """One trial of each study."""
    chosen = [(study, study.next()) for study in studies]
    cells = [list(_cells(study.run, settings)) for study, settings in chosen]
    do([run for runs in cells for run in runs if store.finished(run) is None], store)
    for (study, settings), runs in zip(chosen, cells, strict=True):
        study.tell(settings, [store.record(run) for run in runs])
        study.keep()


def _cells(run: Run, settings: Mapping[str, Value]) -> Iterator[Run]:
    """The runs of a trial: one for each tuning seed."""
    given = {MethodFile.find(name).name: own for name, own in run.suite.methods.items()}
    own = merged(given.get(run.method.name, {}), nested(settings))
    others = {
        n: s for n, s in run.suite.methods.items() if MethodFile.find(n).name != run.method.name
    }
    suite = run.suite.model_copy(update={"methods": {**others, str(run.method.path): own}})
    for seed in suite.seeds:
        yield replace(run, suite=suite, seed=seed)


def _cut(suite: Suite, tune: Tune) -> Suite:
    """The suite with no more columns and probes than the objective reads."""
    columns = (tune.goal, *tune.keep)
    probes = {probe for column in columns for probe in suite.reads(column)[1]}
    asked = [suite.probes[name] for name in probes]
    probes |= {probe.of for probe in asked if isinstance(probe, Judge)}
    return suite.model_copy(
        update={
            "metrics": {c: m for c, m in suite.metrics.items() if c in columns},
            "probes": {name: probe for name, probe in suite.probes.items() if name in probes},
            "board": (),
        }
    )


def _floors(
    runs: Sequence[Run], tune: Tune, store: Store, do: Callable[[Sequence[Run], Store], object]
) -> dict[str, dict[str, float]]:
    """What `none` scores on each model in the columns to keep."""
    starts = [run for run in runs if run.method.name == NONE]
    do([run for run in starts if store.finished(run) is None], store)
    found: dict[str, dict[str, list[float]]] = {}
    for run in starts:
        record = store.record(run)
        for column in tune.keep:
            value = record.scores.get(column) if record else None
            if value is None:
                raise StoreError(
                    f"{run.name}: has no {column} to keep a share of; drop it from tune"
                )
            found.setdefault(run.base.name, {}).setdefault(column, []).append(value)
    names = {run.base.name for run in starts}
    return {n: {c: fmean(v) for c, v in found.get(n, {}).items()} for n in names}


def _check_apart(board: Work, tuning: Work) -> None:
    """Refuse to select on what is tested."""
    if board.corpus is None or tuning.corpus is None:
        return
    tested = _asked(board.suite, board.corpus)
    for content, (split, item) in _asked(tuning.suite, tuning.corpus).items():
        if content in tested:
            raise SuiteError(
                f"tune.suite: item {item!r} of {split!r} is also asked about or forgotten on the "
                "board; tune on other items (another file, `skip`, or `seed`)"
            )


def _asked(suite: Suite, corpus: Corpus) -> dict[object, tuple[str, str]]:
    """What is forgotten or asked about: content of items to their split and id."""
    found = {item.content: ("forget", item.id) for item in corpus["forget"]}
    for probe in suite.probes.values():
        if isinstance(probe, Read | Write):
            for item in corpus[probe.split][: probe.limit]:
                found.setdefault(item.content, (probe.split, item.id))
    return found
