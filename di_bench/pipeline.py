"""One run from nothing to a record: grow, unlearn, ask, judge, grade.

Each step is a piece in the cache, made when it is missing and found when it is not, so the same
function resumes a killed run, repairs a damaged piece and asks a new question of old weights.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from di_bench import asking, gradient, judging, probe, recording, tasks
from di_bench.asks import Gradient, Judge, OfItems, Read, Tasks, Write
from di_bench.checkpoint import Checkpoint
from di_bench.errors import CorpusError, DiBenchError, DivergedError, EarlierError, plain
from di_bench.lm import LM, tokens_of
from di_bench.metrics.metric import ItemScore, Score
from di_bench.record import Record
from di_bench.run import Run
from di_bench.size import size
from di_bench.transcript import Rows, read_rows, write_rows
from di_bench.workshop import Workshop

log = logging.getLogger(__name__)


@dataclass
class Pipeline(Workshop):
    """The steps, bound to a store. A worker process has one and keeps the last target in memory."""

    _ahead: dict[str, Rows] = field(default_factory=dict)
    """What was written in the pass of another probe, by key."""

    def check(self, run: Run) -> None:
        """Raise DiBenchError for settings that do not fit, before the first hour of work."""
        run.method.load(run.settings)
        if isinstance(run.method, Checkpoint):
            run.method.here()
        if run.suite.peft:
            run.suite.peft.check()
        for name, judge in run.judges.items():
            asked = run.suite.probes[name]
            if isinstance(asked, Judge):
                judging.check(judge.spec, asked)
        tasks.check(run.suite, self.store)
        _check_ids(run)

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
        known = self.known(run)
        return known.status if known else ""

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
        if not isinstance(error, DivergedError | EarlierError):
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
    splits = [*run.part.learnt, *(probe.split for probe in asked if isinstance(probe, OfItems))]
    token, item = max(run.corpus.largest(split) for split in splits)
    if token < 0:
        return
    known = size(spec.id).vocabulary if spec.builtin else tokens_of(spec.id, spec.revision)
    if token >= known:
        raise CorpusError(
            f"{run.corpus.name}: item {item!r} holds token id {token} and {run.base.id} knows ids "
            f"below {known}; ready ids need the model whose tokenizer made them: --model"
        )


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _items(scores: dict[str, Score]) -> dict[str, Sequence[ItemScore]]:
    return {column: score.items for column, score in scores.items() if score.items}
