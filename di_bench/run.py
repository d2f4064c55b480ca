"""A run: one cell of the grid, and the keys that say when its work must be done again.

Work comes in three layers, weights, transcripts and scores. Each has a key made of what it depends
on and nothing more: a new probe does not retrain, a new metric does not ask.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from itertools import product
from pathlib import Path

from di_bench import nlu, world
from di_bench.asks import Gradient, Judge, Read, Tasks, Write, told
from di_bench.axes import Part
from di_bench.corpus import Corpus, digest
from di_bench.errors import MethodError, SuiteError
from di_bench.lineage import Base, Grown, taught, version
from di_bench.method import NONE, RETRAIN
from di_bench.methodfile import MethodFile
from di_bench.metrics.metric import Metric, Need
from di_bench.recipe import audible, heard
from di_bench.spec import Tree
from di_bench.suite import Suite

ASKING = 1
"""Raise it when the numbers that asking produces change."""


OF_ALL = ("grow", "max_tokens", "probes", "definitions")
OF_METHODS = ("recipe", "peft", "tuned")
"""Keys of a suite that make a variant when --set changes them: of every cell, of methods' cells."""
LONGEST = 150
"""Letters of a variant: file systems take 255 for a whole name."""
_ODD = r"[^\w.=+-]+"
"""What a file's name does not need."""


@dataclass(frozen=True)
class Run:
    """One method, on one model, with one seed, on one part of one suite."""

    suite: Suite
    part: Part
    base: Base
    method: MethodFile
    seed: int
    judges: Mapping[str, Base] = field(default_factory=dict)
    """`judge` probe to who reads, where it is not the base model."""

    @property
    def name(self) -> str:
        """Readable, and a relative path: `<model>/<method>[+axis=value][+setting=value]-<seed>`."""
        axis = f"+{self.part.name}" if self.part.name else ""
        return f"{self.base.name}/{self.method.name}{axis}{self.variant}-{self.seed}"

    @property
    def corpus(self) -> Corpus:
        """The corpus as its part sees it."""
        return self.part.corpus

    @cached_property
    def variant(self) -> str:
        """What --set changed in it: such a cell never takes the place of the suite's own.

        It is part of a file's name: changes that are too many for one are a digest (`more=`).
        """
        fixed = self.method.name in (NONE, RETRAIN) or bool(self.method.brings)
        said = []
        for (key, *rest), value in sorted(self.suite.changed):
            if key == "methods" and rest and MethodFile.find(rest[0]).name == self.method.name:
                said.append((".".join(rest[1:]), value))
            elif key in OF_ALL or (key in OF_METHODS and not fixed):
                said.append((".".join((key, *rest)), self._named(key, rest, value)))
        changes = [f"+{re.sub(_ODD, '_', f'{k}={v}')}" for k, v in said if k]
        short = [c for n, c in enumerate(changes) if len("".join(changes[: n + 1])) <= LONGEST]
        more = f"+more={digest(changes)}" if len(short) < len(changes) else ""
        return "".join([*short, more])

    def _named(self, key: str, rest: list[str], value: str) -> str:
        """A changed value, but a judge by its name: it may have been given as a path."""
        judge = self.judges.get(rest[0]) if key == "probes" and rest[1:] == ["model"] else None
        return judge.name if judge else value

    @cached_property
    def setup(self) -> str:
        """Changes when its model is grown or asked differently: such cells are never averaged."""
        probes = {name: told(probe) for name, probe in self.suite.probes.items()}
        spec = self.base.spec
        pretrained = taught(self.suite, spec)
        judges = {name: judge.key for name, judge in sorted(self.judges.items())}
        target = audible(asdict(self.target.recipe))
        return digest(
            probes, self.suite.max_tokens, pretrained, target, *([judges] if judges else [])
        )

    @property
    def grow_seed(self) -> int:
        """The seed of the target it starts from, and of its gold."""
        if self.seed in self.suite.gold_seeds:
            return self.seed
        own, seeds = self.suite.seeds, self.suite.grow_seeds
        place = own.index(self.seed) if self.seed in own else self.seed
        return seeds[place % len(seeds)]

    @property
    def target(self) -> Grown:
        """The model to unlearn from."""
        learnt = self.part.learnt
        return Grown(self.suite, self.corpus, self.base, "target", learnt, self.grow_seed)

    @property
    def gold(self) -> Grown:
        """The model that never saw what must be forgotten."""
        kept = self.part.kept
        return Grown(self.suite, self.corpus, self.base, "gold", kept, self.grow_seed)

    @cached_property
    def before(self) -> "Run | None":
        """The run whose model it goes on from: the same cell at the request before."""
        earlier = None if self.method.name in (NONE, RETRAIN) else self.part.before
        return replace(self, part=earlier) if earlier else None

    @property
    def earlier(self) -> tuple["Run", ...]:
        """Every run before it on the way from the target, the first one first."""
        return (*self.before.earlier, self.before) if self.before else ()

    @cached_property
    def settings(self) -> Tree:
        """The settings laid over the method's defaults."""
        named = self.suite.methods.items()
        given = {MethodFile.find(name).path.resolve(): settings for name, settings in named}
        own = given.get(self.method.path.resolve(), {})
        recipe, changed = self.suite.recipe, [place for place, _ in self.suite.changed]
        told = {place[1]: recipe[place[1]] for place in changed if place[0] == "recipe"}
        return self.method.settings(self.base.id, recipe, own, tuned=self.suite.tuned, told=told)

    @property
    def trials(self) -> int:
        """How many trials its settings came from; 0 where tuning gave none of them."""
        tuned = self.suite.tuned and not self.method.brings
        return self.method.tuned.trials(self.base.id) if tuned else 0

    def watched(self, name: str) -> str:
        """The split that stands for a kind of held-out text. Raises SuiteError when none does."""
        if name not in self.suite.watch:
            raise SuiteError(
                f"{self.method.name} stops by held-out text and the suite names none; add "
                f"watch: {{{name}: <split>}}"
            )
        return self.suite.watch[name]

    @cached_property
    def weights_key(self) -> str:
        """Changes when training is due."""
        if self.method.name == NONE:
            return self.target.key
        if self.method.name == RETRAIN:
            return self.gold.key
        if self.method.brings:
            under = self.target.key if self.method.on_target else self.base.key
            return digest("checkpoint", self.method.brings, under)
        peft = self.suite.peft.model_dump(mode="json") if self.suite.peft else None
        refusals = digest(self.corpus.refusals)
        watched = self.corpus.digest([self.watched(name) for name in self.method.watches])
        stops = [watched] if self.method.watches else []
        start = self.before.weights_key if self.before else self.target.key
        return digest(
            "weights", start, self.corpus.digest([self.part.due, "retain"]), refusals,
            self.method.code, heard(self.settings), peft, self.suite.max_tokens, self.seed, *stops,
        )  # fmt: skip

    def asked(self, probe: str) -> object:
        """Everything a probe puts to a model, and how it decodes."""
        spec = self.suite.probes[probe]
        said = told(spec)
        if isinstance(spec, Tasks):
            return [said, _tasks(spec, self.suite.nlu.path), version("lm-eval")]
        if isinstance(spec, Judge):
            return [said, self.asked(spec.of), self.judge(probe).key]
        room = self.suite.max_tokens if isinstance(spec, Read | Gradient) else None
        return [said, self.corpus.digest([spec.split]), room]

    def judge(self, probe: str) -> Base:
        """Who reads what a `judge` probe is about."""
        return self.judges.get(probe, self.base)

    @cached_property
    def transcript_keys(self) -> Mapping[str, str]:
        """Probe to the key of its transcript; changes when the model must be asked again."""
        return {name: self.transcript_key(name, self.weights_key) for name in self.suite.probes}

    def transcript_key(self, name: str, weights: str) -> str:
        """The key of what any model, known by its weights' key, answers to a probe of this cell."""
        probe = self.suite.probes[name]
        written = self.suite.probes[probe.of] if isinstance(probe, Judge) else probe
        sampled = isinstance(written, Write) and written.top_p is not None
        seed = self.seed if sampled else None
        return digest("transcript", weights, self.asked(name), seed, ASKING)

    def golds(self, need: Need | None) -> tuple["Run", ...]:
        """The gold runs a metric compares with.

        Of its own grow seed, or for a gold those of the others; `golds`: of all, its own first.
        """
        if need is None:
            return ()
        own = self._other(RETRAIN, self.seed)
        if need != "golds" and self.method.name != RETRAIN:
            return (own,)
        found: dict[str, Run] = {own.gold.key: own}
        for seed in (*self.suite.seeds, *self.suite.gold_seeds):
            run = self._other(RETRAIN, seed)
            found.setdefault(run.gold.key, run)
        return tuple(found.values() if need == "golds" else list(found.values())[1:])

    @property
    def start(self) -> "Run":
        """The run of the model as it was. A gold of `gold_seeds` has none: the first stands in."""
        extra = self.seed in self.suite.gold_seeds
        return self._other(NONE, self.suite.seeds[0] if extra else self.seed)

    def _other(self, method: str, seed: int) -> "Run":
        return replace(self, method=MethodFile.find(method), seed=seed)

    @cached_property
    def formulas(self) -> Mapping[str, str]:
        """Column to `metric@version`; a version that names the base names the judge instead."""
        reads = {column: self.suite.reads(column) for column in self.suite.metrics}
        return {
            column: f"{metric.name}@{self._version(metric, probes)}"
            for column, (metric, probes) in reads.items()
        }

    def _version(self, metric: Metric, probes: Iterable[str]) -> str:
        others = [self.judges[probe] for probe in probes if probe in self.judges]
        if not others or not metric.version.startswith("base-"):
            return metric.version
        judge, kind = others[0], metric.version.removeprefix("base-")
        commit = f"@{judge.spec.revision[:8]}" if judge.spec.revision else ""
        return f"{judge.id}{commit}-{kind}"

    @cached_property
    def scores_key(self) -> str:
        """Changes when the run must be graded again."""
        reads = {column: self.suite.reads(column) for column in self.suite.metrics}
        columns = {
            column: [self.formulas[column], [self.transcript_keys[p] for p in probes]]
            for column, (_, probes) in reads.items()
        }
        others = {
            column: [
                run.transcript_keys[probe] for run in self.compared(metric) for probe in probes
            ]
            for column, (metric, probes) in reads.items()
            if metric.needs
        }
        return digest("scores", columns, others, self.seed)

    def compared(self, metric: Metric) -> tuple["Run", ...]:
        """The other runs whose answers a metric reads."""
        starts = (self.start,) if metric.needs == "gold and start" else ()
        return (*self.golds(metric.needs), *starts)

    @cached_property
    def others(self) -> tuple["Run", ...]:
        """Every other run whose answers its scores read, each once."""
        metrics = {self.suite.reads(column)[0] for column in self.suite.metrics}
        runs = {run.name: run for metric in metrics for run in self.compared(metric)}
        return tuple(run for name, run in sorted(runs.items()) if name != self.name)


def _tasks(probe: Tasks, data: Path | None) -> object:
    """The content of the tasks: built-in ones and a folder's by their text, lm-eval's by name.

    With a folder of local `data` lm-eval's are known by name and rows.
    """
    folder = sorted(p for p in probe.path.rglob("*") if p.is_file()) if probe.path else []
    if probe.path and not folder:
        raise SuiteError(f"{probe.path}: holds no task files; name the folder of the tasks")
    away = nlu.away(probe.tasks, probe.path) if data else ()
    theirs = {name: [name, nlu.content(name, data)] for name in away if data}
    if probe.path:
        return [*([p.name, digest(p.read_bytes().hex())] for p in folder), *theirs.values()]
    ours = {task.name: [task.yaml, list(task.rows)] for task in world.tasks()}
    return [theirs[name] if name in theirs else ours.get(name, name) for name in probe.tasks]


def grid(
    suite: Suite,
    parts: Sequence[Part],
    bases: Iterable[Base],
    methods: Iterable[MethodFile],
    judges: Mapping[str, Base],
) -> Iterator[Run]:
    """Every run, in the order to do them: models as the suite lists them, seeds, parts, methods.

    The two baselines of the contract, none and retrain, come first whether asked for or not; golds
    of `gold_seeds` come last.
    """
    named = {file.name: file for file in (MethodFile.find(NONE), MethodFile.find(RETRAIN))}
    for file in methods:
        if file.name in named and named[file.name].path.resolve() != file.path.resolve():
            raise SuiteError(
                f"{file.path}: another method is called {file.name!r} "
                f"({named[file.name].path}); rename the file"
            )
        if file.decodes and len(suite.requests) > 1:
            raise MethodError(
                f"{file.path}: changes predictions beside weights, and a next request can start "
                "from weights alone; leave it out of a suite with requests"
            )
        named[file.name] = file
    for base, seed, part in product(bases, suite.seeds, parts):
        for file in named.values():
            yield Run(suite, part, base, file, seed, judges)
    for base, seed, part in product(bases, suite.gold_seeds, parts):
        yield Run(suite, part, base, named[RETRAIN], seed, judges)
