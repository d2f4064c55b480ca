"""Equal-budget tuning: the same number of trials for every method, on items no board asks about.

A trial is an ordinary run of the suite with `tune.suite` laid over it, so it goes through the same
keys, cache and workers. Only its record lies elsewhere: in the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean

from di_bench.asks import OfItems, told
from di_bench.corpus import TRAINED, Corpus, digest
from di_bench.errors import DiBenchError, MethodError, SuiteError
from di_bench.lineage import TRAINING
from di_bench.method import NONE, RETRAIN
from di_bench.methodfile import MethodFile
from di_bench.objective import Objective
from di_bench.record import Record
from di_bench.run import ASKING, Run
from di_bench.search import Space, Value, nested
from di_bench.spec import Tree, merged
from di_bench.store import Store
from di_bench.suite import Suite
from di_bench.trials import Trial, Trials, proposed, read_trials
from di_bench.work import Work

Do = Callable[[Sequence[Run], Store], object]
"""Makes the records of runs in a store."""
Say = Callable[[str], None]
"""Shows a line."""


@dataclass
class Study:
    """The trials of one method on one model, as they come."""

    runs: tuple[Run, ...]
    """The method as it starts, once for each tuning seed."""
    objective: Objective
    path: Path
    trials: Trials
    first: dict[str, Value]
    """What it starts with, of the settings that are searched."""

    @property
    def start(self) -> Run:
        """Its first run."""
        return self.runs[0]

    @property
    def space(self) -> Space:
        """What may be tried."""
        return self.start.method.search

    def best(self, budget: int) -> Trial | None:
        """The chosen one of its first trials; none when none of them has values."""
        return self.trials.best(self.objective, budget)

    def proposal(self) -> dict[str, Value]:
        """The settings of the next trial. The first one changes nothing."""
        kept = self.trials.trials
        return proposed(self.space, self.first, kept, self.objective) if kept else {}

    def cells(self, settings: dict[str, Value]) -> list[Run]:
        """The runs of a trial: over the suite's own settings for the method, its own."""
        own = merged(_own(self.start), nested(settings))
        methods = {str(self.start.method.path): own}
        suite = self.start.suite.model_copy(update={"methods": methods})
        return [replace(run, suite=suite) for run in self.runs]

    def tell(self, settings: dict[str, Value], records: Sequence[Record]) -> None:
        """Add a trial from the records of its seeds, and file it."""
        wrong = [record for record in records if record.status != "done"]
        values = {} if wrong else _means(records, self.objective)
        gaps = [
            f"{c}: {records[0].gaps.get(c, 'no score')}" for c, v in values.items() if v is None
        ]
        trial = Trial(
            number=len(self.trials.trials),
            settings=settings,
            status=min((record.status for record in wrong), default="done", key=_SEVERITY.index),
            values=values,
            violation=self.objective.violation(values, self.trials.none, _better(self.start)),
            error=next((record.error for record in wrong), None) or "; ".join(gaps) or None,
        )
        self.trials = self.trials.told(self.objective, trial)
        self.trials.keep(self.path)


_SEVERITY = ("failed", "diverged", "done")


def tune(work: Work, board: Work, budget: int, do: Do, say: Say) -> list[Study]:
    """Give every method on every model the same number of trials, in rounds of one trial each.

    `work` is laid out for tuning, `board` is not. Trials are filed below the results after each
    round. Raises DiBenchError for what the user can fix.
    """
    _check_apart(board, work)
    studies = list(_studies(work, say))
    if not studies:
        raise MethodError("nothing to tune: name a method, such as `di`")
    store = Store(work.store.cache / "trials" / digest(_content(work.runs[0])), work.store.cache)
    while due := [study for study in studies if len(study.trials.trials) < budget]:
        _round(due, [run for run in work.runs if run.method.name == NONE], store, do)
        for study in due:
            say(_progress(study, budget))
    return studies


def _round(due: Sequence[Study], floor: Sequence[Run], store: Store, do: Do) -> None:
    """One trial of each study; with the first ones the model as it was."""
    new = {study.start.base.name for study in due if not study.trials.trials}
    none = [run for run in floor if run.base.name in new]
    asked = [(study, study.proposal()) for study in due]
    cells = [study.cells(settings) for study, settings in asked]
    todo = [run for runs in (none, *cells) for run in runs if store.finished(run) is None]
    if todo:
        do(todo, store)
    for (study, settings), runs in zip(asked, cells, strict=True):
        if not study.trials.trials:
            mine = [run for run in none if run.base.name == study.start.base.name]
            study.trials = study.trials.model_copy(update={"none": _floor(study, mine, store)})
        study.tell(settings, [_record(store, run) for run in runs])


def _floor(study: Study, runs: Sequence[Run], store: Store) -> dict[str, float | None]:
    """What the model as it was scores. Raises DiBenchError when nothing can be kept of it."""
    records = [_record(store, run) for run in runs]
    if wrong := [record for record in records if record.error]:
        raise DiBenchError(f"{runs[0].name}: {wrong[0].error}; tuning needs what it scores")
    values = _means(records, study.objective)
    for column in study.objective.keep:
        if values[column] is None:
            why = records[0].gaps.get(column, "no score")
            raise SuiteError(f"tune.keep: {column} has no value for {runs[0].name}: {why}")
    return values


def _record(store: Store, run: Run) -> Record:
    record = store.record(run)
    if record is None:
        raise DiBenchError(f"{run.name}: left no record; run the same command again")
    return record


def _means(records: Sequence[Record], objective: Objective) -> dict[str, float | None]:
    """Each column over the tuning seeds; None where a seed has no score."""
    scores = {c: [record.scores.get(c) for record in records] for c in objective.columns}
    return {
        c: None if None in found else fmean(value for value in found if value is not None)
        for c, found in scores.items()
    }


def _better(run: Run) -> dict[str, str]:
    return {column: run.suite.better(column) for column in run.suite.metrics}


def _progress(study: Study, budget: int) -> str:
    last = study.trials.trials[-1]
    values = ", ".join(f"{c} {'-' if v is None else f'{v:.3f}'}" for c, v in last.values.items())
    said = values + ("" if last.feasible else " (not feasible)") if values else last.error
    run = study.start
    return f"{run.base.name}/{run.method.name}: trial {last.number + 1} of {budget}: {said}"


def _studies(work: Work, say: Say) -> Iterator[Study]:
    """One for each method and model, with the trials that are kept of it."""
    objective = work.suite.tune
    if objective is None:
        return
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in work.runs:
        if run.method.name not in (NONE, RETRAIN):
            groups.setdefault((run.base.name, run.method.name), []).append(run)
    folder = work.store.folder(work.suite) / "trials"
    for (model, method), runs in groups.items():
        first = _first(runs[0])
        path = folder / model / f"{method}.json"
        fresh = Trials(
            key=digest("study", *map(_content, runs), _search(runs[0].method), runs[0].method.code),
            method=method,
            model=runs[0].base.id,
            objective=objective.model_dump(exclude={"suite"}, exclude_none=True),
            search=_search(runs[0].method),
            none={},
        )
        kept = read_trials(path) if path.exists() else fresh
        if kept is None or kept.key != fresh.key:
            say(f"{path}: was made with another search, suite or code; its trials are begun again")
            kept = fresh
        yield Study(tuple(runs), objective, path, kept, first)


def _search(file: MethodFile) -> Tree:
    tree: Tree = {}
    for name, tried in file.search.items():
        tree[name] = list(asdict(tried)["samples"]) if "samples" in asdict(tried) else asdict(tried)
    return tree


def _first(run: Run) -> dict[str, Value]:
    """The starting values of what is searched. Raises one line for a space that does not fit."""
    space, own = run.method.search, _own(run)
    for name, tried in space.items():
        fixed: object = own
        for part in name.split("."):
            fixed = fixed.get(part) if isinstance(fixed, dict) else None
        if fixed is not None:
            raise SuiteError(
                f"{run.suite.name}: methods.{run.method.name}.{name} is set there and searched in "
                f"{run.method.tuned.path}; take it out of one of them"
            )
        for value in tried.samples:
            try:
                run.method.load(merged(run.settings, nested({name: value})))
            except MethodError as error:
                said = str(error).removeprefix(f"{run.method.path}: ")
                raise MethodError(f"{run.method.tuned.path}: search: {name}: {said}") from error
    settings = asdict(run.method.load(run.settings))
    flat = settings | {f"recipe.{k}": v for k, v in settings.get("recipe", {}).items()}
    return {name: flat[name] for name in space}


def _own(run: Run) -> Tree:
    """What the suite sets for a run's method."""
    named = run.suite.methods.items()
    found = [
        own
        for name, own in named
        if MethodFile.find(name).path.resolve() == run.method.path.resolve()
    ]
    return found[0] if found else {}


def _content(run: Run) -> object:
    """What a trial depends on beside its settings and code: the suite's content, not the machine.

    Versions of libraries are left out, so that kept trials outlive them.
    """
    suite, spec = run.suite, run.base.spec
    read = [p.split for p in suite.probes.values() if isinstance(p, OfItems)]
    splits = sorted({*TRAINED, *read, *(run.watched(name) for name in run.method.watches)})
    named = spec.model_dump(mode="json", exclude={"id", "target", "retain"})
    said = suite.model_dump(mode="json", include={"grow", "peft", "max_tokens"})
    probes = {name: told(probe) for name, probe in suite.probes.items()}
    objective = suite.tune.model_dump(exclude={"suite"}) if suite.tune else None
    return [
        run.corpus.digest(splits), digest(run.corpus.refusals), probes, dict(run.formulas),
        objective, run.settings, said, [run.base.digest, run.base.target, run.base.retain, named],
        run.seed, run.grow_seed, TRAINING, ASKING,
    ]  # fmt: skip


def _check_apart(board: Work, tuning: Work) -> None:
    """Refuse to choose settings by what the board then asks about."""
    if board.corpus is None or tuning.corpus is None:
        return
    tested = _touched(board.suite, board.corpus)
    for content, (split, item) in _touched(tuning.suite, tuning.corpus).items():
        if content in tested:
            there = tested[content][0]
            raise SuiteError(
                f"{tuning.suite.name}: tune.suite: item {item!r} of split {split!r} is in "
                f"{there!r} of the board too; give tuning other items (`skip`, `seed`, a file)"
            )


def _touched(suite: Suite, corpus: Corpus) -> dict[object, tuple[str, str]]:
    """What is forgotten or asked about: an item's content to its split and id."""
    found = {item.content: ("forget", item.id) for item in corpus["forget"]}
    for probe in suite.probes.values():
        if isinstance(probe, OfItems):
            for item in corpus[probe.split][: probe.limit]:
                found.setdefault(item.content, (probe.split, item.id))
    return found
