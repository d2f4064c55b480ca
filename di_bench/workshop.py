"""The workshop: where the models of a run are made.

Bases, targets, golds and what a method leaves are pieces in the cache, made when they are missing.
A method replays from its kept trainings; what a next request starts from is kept whole.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from di_bench import adapt, grow, outside, ranks, world
from di_bench.checkpoint import Checkpoint
from di_bench.errors import DivergedError, EarlierError, MethodError
from di_bench.fit import Fitter
from di_bench.lineage import Grown, base_key, pretrain_recipe
from di_bench.lm import LM
from di_bench.memory import peak_memory, reset_peak_memory
from di_bench.method import NONE, RETRAIN
from di_bench.model import parted
from di_bench.ondisk import joined
from di_bench.record import Record
from di_bench.run import Run
from di_bench.store import Store
from di_bench.template import Template

Watch = Callable[[str, float], None]
"""Told what is being done, and the fraction done."""


@dataclass
class Workshop:
    """A store of models and who watches. It keeps the last target or gold in memory."""

    store: Store
    watch: Watch = lambda _stage, _done: None
    _lms: dict[str, LM] = field(default_factory=dict)

    def base(self, run: Run) -> LM:
        """The model everything starts from."""
        spec, template = run.base.spec, _template(run)
        if not spec.builtin:
            return LM.load(spec.id, template, dtype=run.base.dtype, revision=spec.revision)
        recipe = pretrain_recipe(run.suite, spec.id)
        say = partial(self.watch, f"pretrain {run.base.name}")

        def make(draft: Path) -> None:
            born = grow.newborn(spec.id, template)
            grow.pretrain(born, recipe, partial(_inside, draft), say).save(draft)

        folder = self.store.piece("base", base_key(run.suite, run.base), make)
        return LM.load(folder, template, dtype=run.base.dtype)

    def grown(self, run: Run, grown: Grown) -> LM:
        """A fresh copy of the target or the gold."""
        if grown.key not in self._lms:
            self._lms.clear()
            self._lms[grown.key] = self._grown(run, grown)
        return self._lms[grown.key].clone()

    def start(self, run: Run) -> LM:
        """What a method is handed: the target, or what the request before it left."""
        if run.before:
            return LM.load(self._left(run.before), _template(run), dtype=run.base.dtype)
        if run.suite.peft and run.suite.peft.kind == "qlora":
            return self._grown(run, run.target, four_bits=True)
        return self.grown(run, run.target)

    def _left(self, run: Run) -> Path:
        """The whole model that a run leaves to the next request, an adapter taken into it."""
        for step in (*run.earlier, run):
            if ranks.told(self.store.has("cost", step.weights_key)):
                continue
            if (known := self.known(step)) and known.status == "failed":
                raise EarlierError(f"{step.part.name} before it failed: {known.error}")

        def make(draft: Path) -> None:
            lm = self.unlearned(run)
            if adapt.decodes(lm):
                raise MethodError(
                    f"{run.method.path}: changes predictions beside weights, and a next request "
                    "can start from weights alone; leave it out of a suite with requests"
                )
            adapt.merged(lm).save(draft)

        try:
            return self.store.piece("unlearned", run.weights_key, make)
        except DivergedError as error:
            if not ranks.told(self.store.has("diverged", run.weights_key)):
                raise  # something before it did
            said = f"{run.part.name} before it diverged: {error}"
            raise DivergedError(said) from error

    def known(self, run: Run) -> Record | None:
        """The record of a run as it is now; an older one may be of other weights."""
        known = ranks.told(self.store.record(run))
        return known if known and known.keys["weights"] == run.weights_key else None

    def _grown(self, run: Run, grown: Grown, *, four_bits: bool = False) -> LM:
        spec = run.base.spec
        load = partial(LM.load, template=_template(run), dtype=run.base.dtype, four_bits=four_bits)
        if grown.checkpoint:
            name, revision = parted(grown.checkpoint)
            return load(name, revision=revision)
        say = partial(self.watch, f"{run.base.name} memorises ({grown.role}, seed {grown.seed})")

        def make(draft: Path) -> None:
            items = joined([run.corpus[name] for name in grown.splits])
            room = run.suite.max_tokens
            piece = partial(_inside, draft)
            splits = {"forget": items} | ({"retain": world.pretraining()} if spec.builtin else {})
            fit = Fitter(splits, (), grown.seed, piece, room, watch=say, keep=0.5)
            grow.learn(self.base(run), fit, grown.recipe).save(draft)

        with self._remembered(grown.key, f"the {grown.role} could not be grown: "):
            folder = self.store.piece("grown", grown.key, make)
        return load(folder)

    def unlearned(self, run: Run) -> LM:
        """The model after the method, and its cost kept beside it."""
        if run.method.name in (NONE, RETRAIN):
            return self.grown(run, run.gold if run.method.name == RETRAIN else run.target)
        if isinstance(run.method, Checkpoint):
            return outside.load(run.method, run, self.store, lambda: self.grown(run, run.target))
        start = self.start(run)
        reset_peak_memory()
        lm = adapt.trainable(start, run.suite.peft, run.seed)
        fit = Fitter(
            {"forget": run.corpus[run.part.due], "retain": run.corpus["retain"]},
            run.corpus.refusals,
            run.seed,
            lambda name, make: self.store.piece("weights", f"{run.weights_key}-{name}", make),
            run.suite.max_tokens,
            load_gold=lambda: self.grown(run, run.gold),
            load_base=lambda: self.base(run),
            watched={name: run.corpus[run.watched(name)] for name in run.method.watches},
            watch=partial(self.watch, f"{run.name} unlearns"),
        )
        with self._remembered(run.weights_key):
            lm = run.method.load(run.settings).unlearn(lm, fit)
        self.store.piece("cost", run.weights_key, partial(_keep_cost, fit))
        return lm

    @contextmanager
    def _remembered(self, key: str, what: str = "") -> Iterator[None]:
        """Keep a divergence: the same training would come to the same step again."""
        if ranks.told(self.store.has("diverged", key)):
            raise DivergedError((self.store.path("diverged", key) / "error").read_text("utf-8"))
        try:
            yield
        except DivergedError as error:
            said = f"{what}{error}"
            self.store.piece("diverged", key, partial(_keep_error, said))
            raise DivergedError(said) from error


def _inside(draft: Path, name: str, make: Callable[[Path], None]) -> Path:
    """A piece of a piece: made in its folder, kept or lost with it."""
    folder = draft / name
    folder.mkdir()
    make(folder)
    return folder


def _template(run: Run) -> Template:
    spec = run.base.spec
    return Template(spec.template, spec.system, spec.date)


def _keep_error(said: str, draft: Path) -> None:
    (draft / "error").write_text(said, encoding="utf-8")


def _keep_cost(fit: Fitter, draft: Path) -> None:
    cost = {
        "seconds": fit.reading + sum(t.seconds for t in fit.trainings),
        "tokens": sum(t.tokens for t in fit.trainings),
        "steps": sum(t.steps for t in fit.trainings),
        "peak_bytes": peak_memory(),
        "reference_bytes": fit.kept_bytes,
    }
    curve = [loss for training in fit.trainings for loss in training.curve]
    (draft / "cost.json").write_text(json.dumps({"cost": cost, "curve": curve}), encoding="utf-8")
