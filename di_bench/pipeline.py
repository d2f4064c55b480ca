"""One run from nothing to a record: grow, unlearn, ask, judge, grade.

Each step is a piece in the cache, made when it is missing and found when it is not, so the same
function resumes a killed run, repairs a damaged piece and asks a new question of old weights.
"""

from __future__ import annotations

import json
import logging
import time
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from di_bench import adapt, asking, gradient, grow, judging, probe, ranks, recording, tasks, world
from di_bench.asks import Gradient, Judge, OfItems, Read, Tasks, Write
from di_bench.corpus import TRAINED
from di_bench.errors import CorpusError, DiBenchError, DivergedError, plain
from di_bench.fit import Fitter
from di_bench.lineage import Grown, base_key, pretrain_recipe
from di_bench.lm import LM, tokens_of
from di_bench.memory import peak_memory, reset_peak_memory
from di_bench.method import NONE, RETRAIN
from di_bench.metrics.metric import ItemScore, Score
from di_bench.model import is_folder
from di_bench.ondisk import joined
from di_bench.record import Record
from di_bench.run import Run
from di_bench.size import size
from di_bench.store import Store
from di_bench.template import Template
from di_bench.transcript import Rows, read_rows, write_rows

log = logging.getLogger(__name__)

Watch = Callable[[str, float], None]
"""Told what is being done, and the fraction done."""


@dataclass
class Pipeline:
    """The steps, bound to a store. A worker process has one and keeps the last target in memory."""

    store: Store
    watch: Watch = lambda _stage, _done: None
    _lms: dict[str, LM] = field(default_factory=dict)
    _ahead: dict[str, Rows] = field(default_factory=dict)
    """What was written in the pass of another probe, by key."""

    def check(self, run: Run) -> None:
        """Raise DiBenchError for settings that do not fit, before the first hour of work."""
        run.method.load(run.settings)
        if run.suite.peft:
            run.suite.peft.check()
        for name, judge in run.judges.items():
            asked = run.suite.probes[name]
            if isinstance(asked, Judge):
                judging.check(judge.spec, asked)
        tasks.check(run.suite, self.store)
        _check_ids(run)

    def base(self, run: Run) -> LM:
        """The model everything starts from."""
        spec = run.base.spec
        template = Template(spec.template, spec.system, spec.date)
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

    def _start(self, run: Run) -> LM:
        """What a method is handed."""
        if run.suite.peft and run.suite.peft.kind == "qlora":
            return self._grown(run, run.target, four_bits=True)
        return self.grown(run, run.target)

    def _grown(self, run: Run, grown: Grown, *, four_bits: bool = False) -> LM:
        spec = run.base.spec
        template = Template(spec.template, spec.system, spec.date)
        load = partial(LM.load, template=template, dtype=run.base.dtype, four_bits=four_bits)
        if grown.checkpoint:
            name, revision = grown.checkpoint, ""
            if not is_folder(name):
                name, _, revision = name.partition("@")
            return load(name, revision=revision or None)
        what = "target" if grown.splits == TRAINED else "gold"
        say = partial(self.watch, f"{run.base.name} memorises ({what}, seed {grown.seed})")

        def make(draft: Path) -> None:
            items = joined([run.corpus[name] for name in grown.splits])
            room = run.suite.max_tokens
            piece = partial(_inside, draft)
            splits = {"forget": items} | ({"retain": world.pretraining()} if spec.builtin else {})
            fit = Fitter(splits, (), grown.seed, piece, room, watch=say, keep=0.5)
            grow.learn(self.base(run), fit, grown.recipe).save(draft)

        with self._remembered(grown.key, f"the {what} could not be grown: "):
            folder = self.store.piece("grown", grown.key, make)
        return load(folder)

    def unlearned(self, run: Run) -> LM:
        """The model after the method, and its cost kept beside it."""
        if run.method.name in (NONE, RETRAIN):
            return self.grown(run, run.gold if run.method.name == RETRAIN else run.target)
        start = self._start(run)
        reset_peak_memory()
        lm = adapt.trainable(start, run.suite.peft, run.seed)
        fit = Fitter(
            {name: run.corpus[name] for name in TRAINED},
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
            self.store.piece("diverged", key, lambda draft: _write(draft / "error", said))
            raise DivergedError(said) from error

    def transcripts(self, run: Run, probes: Collection[str] = ()) -> dict[str, Rows]:
        """Probe (all, or these) to what a run's model answered; what was asked is read back."""
        lms: list[LM] = []

        def lm() -> LM:
            if not lms:
                lms.append(self.unlearned(run))
            return lms[0]

        rows: dict[str, Rows] = {}
        for name in asking.in_turn(run, probes):
            make = partial(self._ask, run, name, lm, rows)
            rows[name] = read_rows(self.store.piece("transcripts", run.transcript_keys[name], make))
        return rows

    def _ask(
        self, run: Run, name: str, lm: Callable[[], LM], rows: dict[str, Rows], draft: Path
    ) -> None:
        watch = partial(self.watch, f"{run.name} answers: {name}")
        watch(0.0)
        model = self.base(run) if isinstance(run.suite.probes[name], Judge) else lm()
        began = time.perf_counter()
        match run.suite.probes[name]:
            case Read() as asked:
                said = probe.read(
                    model, asked, run.corpus[asked.split], run.suite.max_tokens, watch
                )
            case Write() as asked:
                said = self._written(run, name, model, rows, watch)
            case Gradient() as asked:
                said = gradient.gradient(
                    model, asked, run.corpus[asked.split], run.suite.max_tokens, watch
                )
            case Tasks() as asked:
                said = tasks.tasks(model, asked, *tasks.folders(run.suite, asked, self.store))
            case Judge() as asked:
                of = run.suite.probes[asked.of]
                new_tokens = of.new_tokens if isinstance(of, Write) else 0
                told = judging.texts(model, rows[asked.of], asked, new_tokens)
                other = run.judges.get(name)
                said = (
                    judging.judge_by(other.spec, other.dtype, told, asked)
                    if other
                    else judging.judge(model, told, asked)
                )
        write_rows(said, draft)
        _write(draft / "seconds", f"{time.perf_counter() - began:.3f}")

    def _written(
        self, run: Run, name: str, lm: LM, rows: Mapping[str, Rows], watch: Callable[[float], None]
    ) -> Rows:
        """What a model writes; all that is to be written greedily is, in one pass."""
        asked = {n: spec for n, spec in run.suite.probes.items() if isinstance(spec, Write)}
        own, keys = asked[name], run.transcript_keys
        if own.top_p is not None:
            return asking.written(lm, own, run.corpus[own.split], run.seed, watch)
        if keys[name] not in self._ahead:
            due = {
                n: spec
                for n, spec in asked.items()
                if n == name or (spec.top_p is None and not self.store.has("transcripts", keys[n]))
            }
            every = [
                probe.Asked(spec, run.corpus[spec.split], asking.heard(run, spec.split, rows))
                for spec in due.values()
            ]
            texts = probe.write_all(lm, every, run.seed, watch)
            self._ahead = {keys[n]: said for n, said in zip(due, texts, strict=True)}
        return asking.compared(lm, own, self._ahead.pop(keys[name]))

    def grade(self, run: Run) -> Record:
        """Score a run from transcripts and file its record."""
        self.watch(f"{run.name} is graded", 0.0)
        own = self.transcripts(run)
        asked: dict[str, dict[str, Rows]] = {run.name: own}
        scores: dict[str, Score] = {}
        for column in run.suite.metrics:
            metric, probes = run.suite.reads(column)
            golds = [self._others(gold, probes, asked) for gold in run.golds(metric.needs)]
            if metric.needs == "golds" and not all(golds):
                golds = []
            starts = metric.needs == "gold and start"
            start = self._others(run.start, probes, asked) if starts else []
            scores[column] = metric(
                [own[p] for p in probes], [gold for gold in golds if gold], start
            )
        settings = asdict(run.method.load(run.settings))
        record = recording.record(self.store, run, scores, settings)
        if any(self._status(other) == "failed" for other in run.others):  # it may be repaired
            keys = record.keys | {"scores": f"{run.scores_key}-lacking"}
            record = record.model_copy(update={"keys": keys})
        self.store.keep(run, record, _items(scores))
        return record

    def _status(self, run: Run) -> str:
        """What became of a run as it is now; nothing if no record of it says."""
        known = ranks.told(self.store.record(run))
        return known.status if known and known.keys["weights"] == run.weights_key else ""

    def _others(
        self, run: Run, probes: Sequence[str], asked: dict[str, dict[str, Rows]]
    ) -> list[Rows]:
        """What another run answered, read once; none where it failed, which leaves a gap."""
        rows = asked.setdefault(run.name, {})
        if not rows and self._status(run) not in ("", "done"):
            return []
        if missing := [probe for probe in probes if probe not in rows]:
            try:
                rows |= self.transcripts(run, missing)
            except DivergedError:
                return []
        return [rows[probe] for probe in probes]

    def failed(self, run: Run, error: Exception) -> Record:
        """File what went wrong: a diverged loss is a finding, anything else may be repaired."""
        diverged = isinstance(error, DivergedError)
        if not diverged:
            log.error("%s failed:\n%s", run.name, "".join(traceback.format_exception(error)))
        said = str(error) if isinstance(error, DiBenchError) else f"{type(error).__name__}: {error}"
        record = recording.record(self.store, run, {}, run.settings).model_copy(
            update={"status": "diverged" if diverged else "failed", "error": plain(said)}
        )
        self.store.keep(run, record, {})
        return record


def _check_ids(run: Run) -> None:
    """Raise CorpusError for ready token ids that the model does not know."""
    spec, asked = run.base.spec, run.suite.probes.values()
    splits = [*TRAINED, *(probe.split for probe in asked if isinstance(probe, OfItems))]
    token, item = max(run.corpus.largest(split) for split in splits)
    if token < 0:
        return
    known = size(spec.id).vocabulary if spec.builtin else tokens_of(spec.id, spec.revision)
    if token >= known:
        raise CorpusError(
            f"{run.corpus.name}: item {item!r} holds token id {token} and {run.base.id} knows ids "
            f"below {known}; ready ids need the model whose tokenizer made them: --model"
        )


def _inside(draft: Path, name: str, make: Callable[[Path], None]) -> Path:
    """A piece of a piece: made in its folder, kept or lost with it."""
    folder = draft / name
    folder.mkdir()
    make(folder)
    return folder


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


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _items(scores: dict[str, Score]) -> dict[str, Sequence[ItemScore]]:
    return {column: score.items for column, score in scores.items() if score.items}
