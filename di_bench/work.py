"""A suite made ready: its corpus opened, its models identified, its runs laid out.

What `run`, `plan`, `grade` and a notebook all begin with.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean

import platformdirs

from di_bench import axes, checkpoint, copies, hub, manifest
from di_bench import suite as suites
from di_bench.asks import Judge
from di_bench.checkpoint import Checkpoint
from di_bench.corpus import Corpus
from di_bench.device import cores
from di_bench.errors import StoreError, SuiteError
from di_bench.hub import Reach, resolved
from di_bench.lineage import Base, base_key
from di_bench.methodfile import CHECKPOINT, MethodFile
from di_bench.record import Record
from di_bench.recordfile import records_in
from di_bench.run import Run, grid
from di_bench.spec import Tree, changes_of, merged
from di_bench.store import Store
from di_bench.suite import Suite


def cache_folder() -> Path:
    """`$DI_BENCH_CACHE`, else the user's cache folder."""
    return Path(os.environ.get("DI_BENCH_CACHE") or platformdirs.user_cache_dir("di-bench"))


@dataclass(frozen=True)
class Choice:
    """What a user asked for: a suite, and what to change in it."""

    suite: str
    profile: str = "default"
    models: Sequence[str] = ()
    seeds: Sequence[int] = ()
    changes: Sequence[str] = ()
    tuning: bool = False
    """The suite as tuning runs it: other items, and only the objective's columns."""

    @cached_property
    def loaded(self) -> Suite:
        """The suite with profile and changes laid over it, checked whole."""
        tree: Tree = changes_of(self.changes)
        if self.models:
            specs = [spec for name in self.models for spec in self._models(name)]
            tree = merged(tree, {"models": specs})
        suite = suites.load(self.suite, self.profile, tree, tuning=self.tuning)
        if len(set(self.seeds)) < len(self.seeds):
            raise SuiteError("--seed: a seed is given twice; give each once")
        if new := [seed for seed in self.seeds if seed not in suite.seeds]:
            tree = merged(tree, {"seeds": [*suite.seeds, *new]})
        return suites.load(self.suite, self.profile, tree, tuning=self.tuning)

    def _models(self, name: str) -> list[Tree]:
        """A model of the suite with its prompt format, else the bare name."""
        known = suites.load(self.suite, self.profile).models
        return [m.model_dump() for m in known if m.id == name] or [{"id": name}]


@dataclass(frozen=True)
class Work:
    """The runs of a suite, and where their results are."""

    suite: Suite
    corpus: Corpus | None
    """Of the first part of its axis, if it has one. None when planning over a hub data set that is
    not on this machine."""
    runs: tuple[Run, ...]
    store: Store

    @classmethod
    def lay_out(
        cls, choice: Choice, methods: Sequence[str], store: Store, reach: Reach = "network"
    ) -> "Work":
        """Open and identify everything. Raises DiBenchError in one line for what cannot be used.

        To `plan`, hub models and data need not be here; nothing but `network` asks a hub.
        """
        if reach != "network":
            fetched = manifest.use(store.cache, check=reach == "cache")
        suite = choice.loaded
        if reach != "network" and fetched:
            suite = copies.moved(suite, store.cache)
            methods = [copies.found(name, store.cache) for name in methods]
        given = [name for name in methods if name.startswith(CHECKPOINT)]
        named = [name for name in methods if name not in given]
        files = [MethodFile.find(name) for name in named or (() if given else suite.methods)]
        specs = [resolved(spec, reach) for spec in suite.models]
        bases = [store.identify(spec) for spec in specs]
        names = [base.name for base in bases]
        if twice := [name for name in names if names.count(name) > 1]:
            raise SuiteError(f"models: {twice[0]} is given twice; list each once")
        readers = {k: p.reader for k, p in suite.probes.items() if isinstance(p, Judge)}
        judges = {k: store.identify(resolved(r, reach)) for k, r in readers.items() if r}
        commits = {name: hub.commit("datasets", name, reach) for name in sorted(suite.hubs)}
        known = {name: commit for name, commit in commits.items() if commit}
        away = len(known) < len(commits)
        parts = axes.parts(
            suite.corpus, suite.forget_sizes, suite.requests, None if away else known
        )
        # a cell is the same one, whoever stands beside it
        seeds = choice.seeds or (*suite.seeds, *suite.gold_seeds)
        runs = tuple(r for r in grid(suite, parts, bases, files, judges) if r.seed in seeds)
        for one, base in _owned(given, bases, store, reach):
            runs = (*runs, Run(suite, parts[0], base, one, seeds[0], judges))
            checkpoint.agree(one, runs[-1], store)
        for run in runs:
            _ = run.settings if away else run.scores_key  # what does not fit is refused here
        return cls(suite, None if away else parts[0].corpus, runs, store)

    def left(self) -> list[Run]:
        """The runs that have no current record."""
        return [run for run in self.runs if self.store.finished(run) is None]

    def records(self) -> list[Record]:
        """Every record of the suite's profile; damaged ones that are made again are left out."""
        mine = {self.store.record_path(run) for run in self.runs}
        return records_in(self.store.folder(self.suite), spared=mine)

    def check_writable(self) -> None:
        """Refuse folders that cannot be written to before any work is done."""
        for folder in (self.store.results, self.store.cache):
            _check_writable(folder)

    def forget(self) -> None:
        """Drop every cached piece of these runs, so that all of it is made afresh."""
        for run in self.runs:
            for each in (run, *run.others):
                if run.base.spec.builtin:
                    self.store.forget("base", base_key(self.suite, run.base))
                for grown in (each.target, each.gold):
                    self.store.forget("grown", grown.key)
                    self.store.forget("diverged", grown.key)
            for kind in ("weights", "cost", "diverged", "unlearned"):
                self.store.forget(kind, f"{run.weights_key}*")
            for key in run.transcript_keys.values():
                self.store.forget("transcripts", key)

    def workers(self) -> int:
        """One process for each core with built-in sizes, one in all with bigger models."""
        return cores() if all(run.base.spec.builtin for run in self.runs) else 1

    def answered(self, run: Run) -> bool:
        """Whether everything a run's scores read is in the cache."""
        return all(
            self.store.has("transcripts", key)
            for each in (run, *run.others)
            for key in each.transcript_keys.values()
        )

    def states(self) -> list[tuple[str, str]]:
        """Each cell, and how much of it is there: done, answered, trained or to do."""
        return [(run.name, self._state(run)) for run in self.runs]

    def _state(self, run: Run) -> str:
        if self.corpus is None:
            return "not fetched"
        if self.store.finished(run):
            return "done"
        if self.answered(run):
            return "answered"
        return "trained" if self.store.has("cost", run.weights_key) else "to do"

    def outlook(self) -> str:
        """How many cells are left and what they will cost, judged by finished ones."""
        if self.corpus is None:
            hubs = ", ".join(sorted(self.suite.hubs))
            return f"{len(self.runs)} cells; data not on this machine: {hubs}"
        left = self.left()
        known: dict[str, list[float]] = {}
        for record in self.records():
            seconds = record.cost.get("seconds", 0.0) + record.cost.get("asking_seconds", 0.0)
            known.setdefault(record.model["name"], []).append(seconds)
        said = f"{len(self.runs)} cells, {len(left)} to do"
        if not left:
            return said
        if any(run.base.name not in known for run in left):
            return f"{said}; the cost is known once each model has a finished cell"
        seconds = sum(fmean(known[run.base.name]) for run in left)
        return f"{said}; about {seconds:.0f} processor seconds of unlearning and asking"


def _owned(
    names: Sequence[str], bases: Sequence[Base], store: Store, reach: Reach
) -> Iterator[tuple[Checkpoint, Base]]:
    """Each checkpoint and the model it was made of. Raises DiBenchError for one given twice."""
    found: set[str] = set()
    for name in names:
        one = checkpoint.identify(name, store, reach)
        if one.name in found:
            raise SuiteError(f"{name}: is given twice, as {one.name}; give each once")
        found.add(one.name)
        yield one, checkpoint.owner(one, bases, reach)


def _check_writable(folder: Path) -> None:
    probe = folder / f".writable-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_text("", encoding="utf-8")
        probe.unlink()
    except OSError as error:
        raise StoreError(
            f"{folder}: cannot be written to ({error.strerror}); choose another folder"
        ) from error
