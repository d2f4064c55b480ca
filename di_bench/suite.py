"""A suite: what is forgotten, what is asked afterwards, and how the answers are graded.

Suites are data. This module turns a YAML file into frozen, validated values and does nothing
else, so listing, planning and grading never import torch.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator, model_validator

from di_bench import metrics
from di_bench.errors import SuiteError, nearest
from di_bench.metrics.metric import Metric
from di_bench.model import Grow, ModelSpec, Peft
from di_bench.source import CorpusSpec
from di_bench.spec import Spec, Tree, merged, parse, read_value, read_yaml

PACKAGED = Path(__file__).parent / "suites"
if not PACKAGED.is_dir():  # a checkout; the wheel carries the suites inside the package
    PACKAGED = Path(__file__).parent.parent / "suites"


class Read(Spec):
    """Feed the model the true answers and keep the probability it gives each token."""

    ask: Literal["read"]
    split: str
    limit: PositiveInt | None = None


class Write(Spec):
    """Feed the model a prompt and keep what it writes next."""

    ask: Literal["write"]
    split: str
    limit: PositiveInt | None = None
    new_tokens: PositiveInt = 200
    prompt_tokens: NonNegativeInt = 0
    """Also reveal this many tokens of the answer (a document has nothing else to start from)."""
    stride: PositiveInt | None = None
    """Write from every `stride`-th token of the answer on: extraction likelihood."""
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    """Nucleus sampling at temperature 1 when set, greedy when not."""


class Tasks(Spec):
    """Run lm-eval tasks and keep the accuracy of every row."""

    ask: Literal["tasks"]
    tasks: tuple[str, ...] = Field(min_length=1)
    path: Path | None = None
    """A folder with task YAML files. Without it, built-in (`di_...`) or lm-eval's own names."""
    limit: PositiveInt | None = None


class Judge(Spec):
    """Let the base model read what another probe wrote, and keep its last hidden states."""

    ask: Literal["judge"]
    of: str
    """A `write` probe."""


Probe = Annotated[Read | Write | Tasks | Judge, Field(discriminator="ask")]


class Suite(Spec):
    """A whole benchmark file, with one profile laid over it."""

    name: str
    title: str
    """The protocol, as a board's title says it: `TOFU protocol`."""
    profile: str = "default"
    corpus: CorpusSpec
    models: tuple[ModelSpec, ...] = Field(min_length=1)
    methods: dict[str, dict[str, Any]] = Field(min_length=1)
    """Method name or path to the settings it gets here."""
    recipe: dict[str, Any] = {}
    """Training settings every method starts from."""
    max_tokens: PositiveInt = 512
    """Longer sequences are cut at the end, in training and in reading."""
    seeds: tuple[int, ...] = Field(min_length=1)
    grow_seeds: tuple[int, ...] = Field(min_length=1)
    """Run i uses grow seed i modulo their number."""
    grow: Grow = Grow()
    peft: Peft | None = None
    probes: dict[str, Probe]
    metrics: dict[str, dict[str, tuple[str, ...]]]
    """Column name to `{metric: [probes it reads]}`."""
    board: tuple[str, ...] = ()
    """The columns a board shows, in order; all when empty. Records keep every column."""

    @field_validator("models", mode="before")
    @classmethod
    def _bare_names(cls, models: object) -> object:
        if not isinstance(models, list | tuple):
            return models
        return [{"id": model} if isinstance(model, str) else model for model in models]

    @field_validator("methods", mode="before")
    @classmethod
    def _no_settings(cls, methods: object) -> object:
        if isinstance(methods, list):
            return {name: {} for name in methods}
        return {k: v or {} for k, v in methods.items()} if isinstance(methods, Mapping) else methods

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

    @field_validator("seeds", "grow_seeds")
    @classmethod
    def _each_once(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if twice := sorted({seed for seed in seeds if seeds.count(seed) > 1}):
            raise ValueError(f"seed {twice[0]} is given twice; list each once")
        return seeds

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        """Fail here, not after a night of training."""
        for split in ("forget", "retain"):
            if split not in self.corpus.splits:
                raise ValueError(f"corpus.splits.{split} is missing; add it")
        for name, probe in self.probes.items():
            self._check_probe(name, probe)
        for column in self.metrics:
            self._check_column(column)
        for column in self.board:
            if column not in self.metrics:
                raise ValueError(
                    f"board: unknown column {column!r}; {nearest(column, self.metrics)}"
                )
        return self

    def _check_probe(self, name: str, probe: Read | Write | Tasks | Judge) -> None:
        if isinstance(probe, Read | Write) and probe.split not in self.corpus.splits:
            raise ValueError(
                f"probes.{name}: unknown split {probe.split!r}; "
                f"{nearest(probe.split, self.corpus.splits)}"
            )
        if isinstance(probe, Judge) and not isinstance(self.probes.get(probe.of), Write):
            writes = [k for k, v in self.probes.items() if isinstance(v, Write)]
            raise ValueError(
                f"probes.{name}: {probe.of!r} writes nothing; {nearest(probe.of, writes)}"
            )

    def _check_column(self, column: str) -> None:
        if len(self.metrics[column]) != 1:
            raise ValueError(f"metrics.{column}: name one metric, as in {{probability: forget}}")
        metric, probes = self.reads(column)
        for probe in probes:
            if probe not in self.probes:
                raise ValueError(
                    f"metrics.{column}: unknown probe {probe!r}; {nearest(probe, self.probes)}"
                )
        kinds = tuple(self.probes[probe].ask for probe in probes)
        if kinds != metric.asks:
            raise ValueError(
                f"metrics.{column}: {metric.name} reads {_kinds(metric.asks)}, not {_kinds(kinds)}"
            )

    def reads(self, column: str) -> tuple[Metric, tuple[str, ...]]:
        """The metric behind a column, and the probes it reads."""
        ((name, probes),) = self.metrics[column].items()
        try:
            return metrics.metric(name), probes
        except SuiteError as error:
            raise ValueError(f"metrics.{column}: {error}") from error

    def better(self, column: str) -> Literal["lower", "higher", "gold"]:
        """In which direction a column improves: `memory` is lower on forget, higher elsewhere."""
        metric, probes = self.reads(column)
        if metric.better != "memory":
            return metric.better
        probe = self.probes[probes[0]]
        return "lower" if getattr(probe, "split", "") == "forget" else "higher"

    @cached_property
    def shown(self) -> tuple[str, ...]:
        """The columns a board shows."""
        return self.board or tuple(self.metrics)


def _kinds(kinds: Sequence[str]) -> str:
    return " + ".join(kinds) or "nothing"


def suite_path(name: str | Path) -> Path:
    """A packaged suite by its bare name, or a path. Raises SuiteError with the nearest name."""
    path = Path(name)
    if path.suffix or path.parent != Path() or path.exists():
        return path
    known = [file.stem for file in PACKAGED.glob("*.yaml")]
    if str(name) not in known:
        raise SuiteError(f"no packaged suite {str(name)!r}; {nearest(str(name), known)}")
    return PACKAGED / f"{name}.yaml"


def load(name: str | Path, profile: str = "default", changes: Tree | None = None) -> Suite:
    """Read a suite, lay a profile and then `changes` over it, and check it whole."""
    path = suite_path(name)
    tree = read_yaml(path, SuiteError)
    profiles = tree.pop("profiles", {}) or {}
    if profile != "default" and profile not in profiles:
        raise SuiteError(
            f"{path}: no profile {profile!r}; {nearest(profile, ['default', *profiles])}"
        )
    tree = _overlaid(tree, profiles.get(profile) or {})
    tree = _overlaid(tree, changes or {}) | {"profile": profile}
    suite = parse(Suite, tree, path, SuiteError)
    folder = suite.corpus.path
    if folder is None or folder.is_absolute() or "corpus" in (changes or {}):
        return suite
    corpus = suite.corpus.model_copy(update={"path": path.parent / folder})
    return suite.model_copy(update={"corpus": corpus})


def _overlaid(tree: Tree, above: Tree) -> Tree:
    """As `merged`, but a corpus that brings its own name replaces the other's splits whole."""
    if "splits" in (above.get("corpus") or {}):
        tree = tree | {"corpus": {}}
    if "methods" in above:
        tree = tree | {"methods": _as_settings(tree.get("methods"))}
    return merged(tree, above)


def _as_settings(methods: object) -> object:
    return {name: {} for name in methods} if isinstance(methods, list) else methods


def changes_of(assignments: Sequence[str]) -> Tree:
    """`a.b=value` from the command line as a tree. Raises SuiteError when there is no `=`."""
    tree: Tree = {}
    for text in assignments:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise SuiteError(f"--set {text}: write it as key=value, such as corpus.path=DIR")
        branch: Any = read_value(value)
        for part in reversed(key.split(".")):
            branch = {part: branch}
        tree = merged(tree, branch)
    return tree
