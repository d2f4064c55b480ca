"""A suite: what is forgotten, what is asked afterwards, and how the answers are graded.

Suites are data. This module turns a YAML file into frozen, validated values and does nothing
else, so listing, planning and grading never import torch.
"""

from collections.abc import Collection, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, PositiveInt, field_validator, model_validator

from di_bench import axes
from di_bench.asks import Gradient, Judge, Nlu, OfItems, Probe, Read, Tasks, Write
from di_bench.errors import SuiteError, nearest
from di_bench.metrics import METRICS, VERSIONS, metric
from di_bench.metrics.definitions import DEFINITIONS
from di_bench.metrics.metric import Group, Metric
from di_bench.model import Grow, ModelSpec, Peft, RecipeChanges
from di_bench.objective import Objective
from di_bench.overlay import anchored, as_settings, leaves, mapping, overlaid
from di_bench.size import SIZES
from di_bench.source import CorpusSpec, Split
from di_bench.spec import Place, PlaceError, Spec, Tree, parse, read_yaml

PACKAGED = Path(__file__).parent / "suites"
if not PACKAGED.is_dir():  # a checkout; the wheel carries the suites inside the package
    PACKAGED = Path(__file__).parent.parent / "suites"


class Suite(Spec):
    """A whole benchmark file, with one profile laid over it."""

    name: str
    title: str
    """The protocol, as a board's title says it: `TOFU protocol`."""
    profile: str = "default"
    corpus: CorpusSpec
    forget_sizes: dict[str, dict[str, Split]] = {}
    """Name of a size to the splits that stand in for the corpus' own; every cell is of one size."""
    requests: tuple[str, ...] = ()
    """Splits to be forgotten in turn, each from the model that the one before it left."""
    models: tuple[ModelSpec, ...] = Field(min_length=1)
    methods: dict[str, dict[str, Any]] = Field(min_length=1)
    """Method name or path to the settings it gets here."""
    recipe: RecipeChanges = {}
    """Training settings every method starts from."""
    tuned: bool = True
    """Whether a method gets what tuning found for it; if not, the recipe above is all it gets."""
    tune: Objective | None = None
    """What `di-bench tune` looks for, and on which items."""
    max_tokens: PositiveInt = 512
    """Longer sequences are cut at the end, in training and in reading."""
    seeds: tuple[int, ...] = Field(min_length=1)
    grow_seeds: tuple[int, ...] = Field(min_length=1)
    """Run i uses grow seed i modulo their number."""
    gold_seeds: tuple[int, ...] = ()
    """Grow seeds of more golds: further `retrain` rows, for distances between golds."""
    grow: Grow = Grow()
    peft: Peft | None = None
    watch: dict[Literal["text", "unseen"], str] = {}
    """Splits that stop rules read after each epoch: `text` for fluency, `unseen` for what is known
    of texts nobody trained on. Apart from what is asked afterwards, or the rule reads the test."""
    nlu: Nlu = Nlu()
    probes: dict[str, Probe]
    metrics: dict[str, dict[str, tuple[str, ...]]]
    """Column name to `{metric: [probes it reads]}`; `metric@version` for another than its own."""
    definitions: str | None = None
    """Whose versions of the metrics to use: `tofu@paper`, `tofu@open-unlearning`, `muse@paper`,
    `jang` or `di-paper`."""
    changed: tuple[tuple[tuple[str, ...], str], ...] = Field((), exclude=True)
    """What --set changed: places and values. Filled by `load`, not by a file."""
    board: tuple[str, ...] = ()
    """The columns a board shows, in order; all when empty. Records keep every column."""
    front: tuple[str, ...] = ()
    """A column of forgetting and one of utility: a board says first which methods are on the front
    between them. It is read by boards alone and stands in no key."""
    composites: dict[str, str] = Field({}, exclude=True)
    """Composites a board was asked for, and what it says of each. Filled by `composite.added`, not
    by a file."""

    @field_validator("models", mode="before")
    @classmethod
    def _bare_names(cls, models: object) -> object:
        if not isinstance(models, list | tuple):
            return models
        return [{"id": model} if isinstance(model, str) else model for model in models]

    @field_validator("methods", mode="before")
    @classmethod
    def _no_settings(cls, methods: object) -> object:
        methods = as_settings(methods)
        if isinstance(methods, list):
            raise ValueError("list names alone, or map each to its settings: {di: {strength: 3}}")
        given = methods.items() if isinstance(methods, Mapping) else ()
        return {k: {} if v is None else v for k, v in given} or methods

    @field_validator("metrics", mode="before")
    @classmethod
    def _one_probe(cls, columns: object) -> object:
        if not isinstance(columns, Mapping):
            return columns
        return {
            column: {k: [v] if isinstance(v, str) else v for k, v in table.items()}
            if isinstance(table, Mapping)
            else table
            for column, table in columns.items()
        }

    @field_validator("seeds", "grow_seeds", "gold_seeds")
    @classmethod
    def _each_once(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if twice := sorted({seed for seed in seeds if seeds.count(seed) > 1}):
            raise ValueError(f"seed {twice[0]} is given twice; list each once")
        return seeds

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        """Fail here, not after a night of training."""
        if self.definitions is not None:
            _known(("definitions",), "definitions", self.definitions, DEFINITIONS)
        axes.check(self.corpus, self.forget_sizes, self.requests)
        axes.check_models(self.forget_sizes, self.requests, self.models, self.peft)
        _check_folder(("name",), self.name)
        for name, probe in self.probes.items():
            _check_folder(("probes", name), name)
            self._check_probe(name, probe)
        for column in self.metrics:
            self._check_column(column)
        for i, model in enumerate(self.models):
            sizes = SIZES if model.builtin else (model.id,)
            _known(("models", i), "built-in model", model.id, sizes)
        self._check_golds()
        self._check_mentions()
        return self

    def _check_golds(self) -> None:
        for i, seed in enumerate(self.gold_seeds):
            if seed in (*self.seeds, *self.grow_seeds):
                said = f"seed {seed} is among seeds or grow_seeds; name one that is in neither"
                raise PlaceError(("gold_seeds", i), said)
        ready = [i for i, model in enumerate(self.models) if model.retain]
        if self.gold_seeds and ready:
            said = "is a gold that no seed makes; leave it out, or gold_seeds"
            raise PlaceError(("models", ready[0], "retain"), said)

    def _check_mentions(self) -> None:
        for kind, split in self.watch.items():
            _known(("watch", kind), "split", split, self._askable)
        for i, column in enumerate(self.board):
            _known(("board", i), "column", column, self.metrics)
        self._check_front()
        if self.tune is None:
            return
        _known(
            ("tune", "lower" if self.tune.lower else "higher"),
            "column",
            self.tune.goal,
            self.metrics,
        )
        for column in self.tune.keep:
            _known(("tune", "keep", column), "column", column, self.metrics)
            if self.better(column) == "gold":
                said = "has no better end to keep a share of; keep another column"
                raise PlaceError(("tune", "keep", column), said)

    def _check_front(self) -> None:
        sides: tuple[Group, Group] = ("forgetting", "utility")
        if self.front and len(self.front) != len(sides):
            raise PlaceError(("front",), "name two columns, one of forgetting and one of utility")
        for i, (column, group) in enumerate(zip(self.front, sides, strict=False)):
            _known(("front", i), "column", column, self.metrics)
            if self.group(column) != group:
                said = f"{column} is of {self.group(column)}; name a column of {group}"
                raise PlaceError(("front", i), said)

    def _check_probe(self, name: str, probe: Read | Write | Tasks | Judge | Gradient) -> None:
        if isinstance(probe, OfItems):
            _known(("probes", name, "split"), "split", probe.split, self._askable)
        if isinstance(probe, Judge):
            writes = [k for k, v in self.probes.items() if isinstance(v, Write)]
            _known(("probes", name, "of"), "`write` probe", probe.of, writes)
            _check_judge(("probes", name), probe)
        if isinstance(probe, Write) and probe.samples > 1 and probe.top_p is None:
            said = "greedy answers are all alike; set top_p, or leave samples out"
            raise PlaceError(("probes", name, "samples"), said)

    def _check_column(self, column: str) -> None:
        if len(self.metrics[column]) != 1:
            raise PlaceError(("metrics", column), "name one metric, as in {probability: forget}")
        metric, probes = self.reads(column)
        for probe in probes:
            _known(("metrics", column), "probe", probe, self.probes)
        kinds = tuple(self.probes[probe].ask for probe in probes)
        if kinds != metric.asks and not (metric.many and {*kinds} == {*metric.asks}):
            wanted, given = " + ".join(metric.asks), " + ".join(kinds) or "nothing"
            said = f"{metric.name} needs `ask: {wanted}`, not {given}"
            raise PlaceError(("metrics", column), said)
        for name in probes:
            judge = self.probes[name]
            if metric.keeps and isinstance(judge, Judge) and metric.keeps not in judge.kept:
                said = f"{metric.name} needs a judge with `{_KEEPS[metric.keeps]}`: {name} has not"
                raise PlaceError(("metrics", column), said)

    def reads(self, column: str) -> tuple[Metric, tuple[str, ...]]:
        """The metric behind a column, and the probes it reads."""
        ((name, probes),) = self.metrics[column].items()
        _known(("metrics", column), "metric", name, VERSIONS if "@" in name else METRICS)
        return metric(name, self.definitions), probes

    def better(self, column: str) -> Literal["lower", "higher", "gold"]:
        """In which direction a column improves; `memory` depends on the split it is read on.

        Splits named after `forget` or `holdout`, as `forget_qa`, count as they do. A request by its
        own name is kept at some steps and forgotten at others: as its golds do.
        """
        if column in self.composites:
            return "higher"
        metric, _ = self.reads(column)
        if metric.better != "memory":
            return metric.better
        side = self._side(column)
        return "lower" if side == "forget" else "gold" if side in _AS_GOLDS else "higher"

    def group(self, column: str) -> Group | Literal["composite"]:
        """What a column tells of: a metric of forgetting depends on the split it is read on."""
        if column in self.composites:
            return "composite"
        metric, _ = self.reads(column)
        side = self._side(column)
        if metric.group != "forgetting" or side is None:
            return metric.group
        return "privacy" if side == "holdout" else "utility" if side == "kept" else "forgetting"

    def _side(self, column: str) -> Literal["forget", "request", "holdout", "kept"] | None:
        """Whose items a column reads first; none where it reads no items."""
        probe = self.probes[self.reads(column)[1][0]]
        probe = self.probes[probe.of] if isinstance(probe, Judge) else probe
        if not (split := getattr(probe, "split", "")):
            return None
        if split in self.requests:
            return "request"
        side = split.partition("_")[0]  # `forget_questions` are of `forget`
        if side in (axes.MADE if self.requests else ("forget",)):
            return "forget"
        return "holdout" if side == "holdout" else "kept"

    def cut(self, columns: Collection[str]) -> "Suite":
        """The suite with these columns, and no more probes than they read."""
        read = {probe for column in columns for probe in self.reads(column)[1]}
        asked = [self.probes[name] for name in read]
        read |= {probe.of for probe in asked if isinstance(probe, Judge)}
        metrics = {name: of for name, of in self.metrics.items() if name in columns}
        probes = {name: probe for name, probe in self.probes.items() if name in read}
        left = {"metrics": metrics, "probes": probes, "board": (), "front": ()}
        return self.model_copy(update=left)

    @cached_property
    def _askable(self) -> set[str]:
        return axes.askable(self.corpus, self.forget_sizes, self.requests)

    @property
    def parts(self) -> tuple[str, ...]:
        """What the parts of its axis are called, in order; none where it has no axis."""
        return axes.names(self.forget_sizes, self.requests)

    @property
    def hubs(self) -> frozenset[str]:
        """The hub data sets it reads, at any size."""
        laid = axes.corpora(self.corpus, self.forget_sizes).values()
        return frozenset(hub for spec in laid for hub in spec.hubs)

    @property
    def shown(self) -> tuple[str, ...]:
        """The columns a board shows."""
        return (*(self.board or self.metrics), *self.composites)


_AS_GOLDS = ("holdout", "request")
_KEEPS = {
    "features": "keeps: features",
    "likelihood": "keeps: likelihood",
    "prompts": "prompts: true",
}


def _check_judge(place: Place, judge: Judge) -> None:
    if judge.prompts and judge.keeps != "features":
        raise PlaceError((*place, "prompts"), "only features are kept of prompts; leave it out")
    if judge.reader and judge.reader.builtin:
        said = "give a hub id or a folder, or leave it out and the base model reads"
        raise PlaceError((*place, "model"), said)


def _check_folder(place: Place, name: str) -> None:
    """What becomes the name of a folder must not lead to another one."""
    if name != Path(name).name or name == "..":
        raise PlaceError(place, f"{name!r} is a path, and folders are named after it; take a word")


def _known(place: Place, what: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        raise PlaceError(place, f"unknown {what} {name!r}; {nearest(name, known)}")


def suite_path(name: str | Path) -> Path:
    """A packaged suite by its bare name, or a path. Raises SuiteError with the nearest name."""
    path = Path(name)
    if path.suffix or path.parent != Path():
        return path
    known = [file.stem for file in PACKAGED.glob("*.yaml")]
    if str(name) not in known:
        hint = nearest(str(name), known)
        if Path(f"{name}.yaml").is_file():
            hint = f"did you mean ./{name}.yaml?"
        raise SuiteError(f"no packaged suite {str(name)!r}; {hint}")
    return PACKAGED / f"{name}.yaml"


def load(
    name: str | Path,
    profile: str = "default",
    changes: Tree | None = None,
    *,
    tuning: bool = False,
) -> Suite:
    """Read a suite, lay a profile and then `changes` over it, and check it whole.

    For `tuning`, its `tune.suite` is laid over the profile; what an earlier tuning found is not
    used, and only what the objective reads is asked.
    """
    path = suite_path(name)
    tree = read_yaml(path, SuiteError)
    profiles = tree.pop("profiles", None) or {}
    overlay = profiles.get(profile) if isinstance(profiles, dict) else profiles
    if not isinstance(profiles, dict) or not isinstance(overlay or {}, dict):
        raise SuiteError(f"{path}: profiles: must map a name to what it changes")
    if profile != "default" and profile not in profiles:
        raise SuiteError(
            f"{path}: no profile {profile!r}; {nearest(profile, ['default', *map(str, profiles)])}"
        )
    tree = overlaid(tree, overlay or {})
    if tuning:
        above = mapping(mapping(tree.get("tune")).get("suite"))
        tree = overlaid(tree, above) | {"tuned": False}
    tree |= {k: anchored(tree[k], path.parent) for k in ("corpus", "nlu", "probes") if k in tree}
    changed = [(place, str(value)) for place, value in leaves(changes or {})]
    tree = overlaid(tree, changes or {}) | {"profile": profile, "changed": changed}
    layers: list[Place] = [(), ("profiles", profile), *([("tune", "suite")] if tuning else [])]
    suite = parse(Suite, tree, path, SuiteError, layers)
    if tuning and suite.parts:
        said = "settings are looked for without forget_sizes and requests; tune another profile"
        raise SuiteError(f"{path}: tune: {said}")
    if tuning and suite.tune is None:
        raise SuiteError(f"{path}: tune: missing; add what to look for, as {_OBJECTIVE}")
    return suite.cut(suite.tune.columns) if tuning and suite.tune else suite


_OBJECTIVE = "`tune: {lower: COLUMN, keep: {COLUMN: 0.95}, suite: {corpus: ...}}`"
