"""Do what is not done yet, in as many processes as there is work for.

Jobs know what they wait for, so a worker is never sent to stand at a lock: bases first, then
targets and golds, then asking, then grading. A failed cell is recorded and the rest go on.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import Empty
from typing import Any, Literal, Protocol

from di_bench import ranks
from di_bench.errors import DiBenchError, DivergedError, EarlierError
from di_bench.method import RETRAIN
from di_bench.record import Record
from di_bench.run import Run
from di_bench.store import Store

log = logging.getLogger(__name__)

Kind = Literal["load", "base", "target", "gold", "ask", "grade"]


class Watcher(Protocol):
    """Whoever shows progress."""

    def stage(self, worker: int, text: str, done: float) -> None:
        """A worker's current work and the fraction of it that is done."""

    def finished(self, run: Run, record: Record) -> None:
        """A run has its record."""


@dataclass(frozen=True)
class Job:
    """One piece of work for one process."""

    kind: Kind
    run: Run
    name: str
    needs: frozenset[str]


def jobs(todo: Sequence[Run], store: Store) -> list[Job]:
    """The work that is left, in the order to do it."""
    all_ = _Jobs(store)
    for run in todo:  # settings that do not fit show before the first hour of work, not after it
        all_.add("load", run, f"load {run.base.name}/{run.method.name}", ())
    for run in todo:
        needs = [all_.ask(run), *map(all_.ask, run.others)]
        all_.add("grade", run, f"grade {run.name}", needs)
    return list(all_.found.values())


@dataclass(frozen=True)
class _Jobs:
    """Jobs by name. Each way to add one says its name, for those that wait for it."""

    store: Store
    found: dict[str, Job] = field(default_factory=dict)

    def add(self, kind: Kind, run: Run, name: str, needs: Iterable[str]) -> str:
        self.found.setdefault(name, Job(kind, run, name, frozenset(needs)))
        return name

    def ask(self, run: Run) -> str:
        name = f"ask {run.name}"
        if name in self.found:
            return name
        if all(self.store.has("transcripts", key) for key in run.transcript_keys.values()):
            return self.add("ask", run, name, ())
        if run.before:  # it goes on from what that one leaves
            return self.add("ask", run, name, [self.ask(run.before)])
        builtin, brought = run.base.spec.builtin, run.method.brings and not run.method.on_target
        base = [self.add("base", run, f"base {run.base.name}", ())] if builtin else []
        return self.add("ask", run, name, base if brought else [self.grown(run, base)])

    def grown(self, run: Run, base: Iterable[str]) -> str:
        gold = run.method.name == RETRAIN
        key = (run.gold if gold else run.target).key
        return self.add("gold" if gold else "target", run, f"grown {key}", base)


def run_all(
    todo: Sequence[Run], store: Store, watcher: Watcher, *, workers: int = 1
) -> list[Record]:
    """Do these runs. Raises DiBenchError for what the user can fix; what was whole is kept.

    Several ranks (see `ranks.py`) do the same jobs, the first one's, each in one process.
    """
    workers = workers if ranks.size() == 1 else 1
    left = {job.name: job for job in ranks.told(jobs(todo, store))}
    waiting: dict[str, set[str]] = {name: set(job.needs) for name, job in left.items()}
    runs = {run.name: run for run in todo}
    records: list[Record] = []
    with _pool(store, watcher, min(workers, len(left)) or 1) as (submit, events):
        flying: dict[Future[Record | None], str] = {}
        while left or flying:
            for name in [n for n in left if not waiting[n]][: workers - len(flying)]:
                flying[submit(left.pop(name))] = name
            finished, _ = wait(flying, timeout=0.2, return_when=FIRST_COMPLETED)
            events()
            for future in finished:
                name = flying.pop(future)
                record = future.result()
                for needs in waiting.values():
                    needs.discard(name)
                if record is not None and (own := runs.get(name.partition(" ")[2])):
                    left.pop(f"grade {own.name}", None)  # a failed run is not graded
                    watcher.finished(own, record)
                    records.append(record)
    return records


_Submit = Callable[[Job], "Future[Record | None]"]


@contextmanager
def _pool(
    store: Store, watcher: Watcher, workers: int
) -> Iterator[tuple[_Submit, Callable[[], None]]]:
    """Worker processes, or this one when there is to be one."""
    if workers == 1:
        _start(store, lambda text, done: watcher.stage(0, text, done))
        yield _here, lambda: None
        return
    context = multiprocessing.get_context("spawn")
    events: Any = context.Queue()

    def show() -> None:
        while True:
            try:
                watcher.stage(*events.get_nowait())
            except Empty:
                return

    pool = ProcessPoolExecutor(
        workers, context, initializer=_start_worker, initargs=(store, events)
    )
    try:
        yield (lambda job: pool.submit(_do, job)), show
    except BaseException as error:
        for process in list((pool._processes or {}).values()):  # a shutdown would wait for cells
            process.terminate()
        pool.shutdown(cancel_futures=True)
        if isinstance(error, BrokenProcessPool):
            raise DiBenchError(
                "a worker process was killed (out of memory?); what was whole is kept: run "
                "again, with --workers 1 if memory is short"
            ) from error
        raise
    pool.shutdown()
    events.close()


_state: dict[str, Any] = {}
"""A worker process' pipeline."""


def _start(store: Store, watch: Callable[[str, float], None]) -> None:
    from di_bench.lm import hush
    from di_bench.pipeline import Pipeline
    from di_bench.shared import SharedStore

    hush()
    if ranks.size() > 1:
        store = SharedStore(store.results, store.cache)
    _state["pipeline"] = Pipeline(store, watch)


def _start_worker(store: Store, events: Any) -> None:  # noqa: ANN401 - a multiprocessing queue
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    threading.Thread(target=_leave_with, args=(os.getppid(),), daemon=True).start()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    quiet()
    number = os.getpid()
    _start(store, lambda text, done: events.put((number, text, done)))


def _leave_with(parent: int) -> None:
    """End when the parent was killed: an orphan would hold its locks and the processor."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def quiet() -> None:
    """Keep other libraries' notes off the screen; their errors still show."""
    loud = ("transformers", "lm_eval", "datasets", "huggingface_hub", "filelock", "httpx", "absl")
    for name in loud:
        logging.getLogger(name).setLevel(logging.ERROR)
    os.environ.setdefault("TQDM_DISABLE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    warnings.filterwarnings("ignore")


def _here(job: Job) -> Future[Record | None]:
    """Do a job in this process."""
    future: Future[Record | None] = Future()
    future.set_result(_do(job))
    return future


def _do(job: Job) -> Record | None:
    """A job. Grading leaves a record; so does a method that diverges or breaks."""
    pipeline, run = _state["pipeline"], job.run
    steps: dict[Kind, Callable[[], object]] = {
        "load": lambda: pipeline.check(run),
        "base": lambda: pipeline.base(run),
        "target": lambda: pipeline.grown(run, run.target),
        "gold": lambda: pipeline.grown(run, run.gold),
        "ask": lambda: pipeline.transcripts(run),
        "grade": lambda: pipeline.grade(run),
    }
    try:
        with ranks.agreed():
            made = steps[job.kind]()
    except (DivergedError, EarlierError) as error:
        return _failure(pipeline, job, error)
    except DiBenchError:
        raise
    except Exception as error:  # noqa: BLE001 - a stranger's method may raise anything
        return _failure(pipeline, job, error)
    return made if isinstance(made, Record) else None


def _failure(pipeline: Any, job: Job, error: Exception) -> Record | None:  # noqa: ANN401 - a Pipeline
    """The record of what went wrong. Growing files none: asking meets the same error again."""
    if job.kind not in ("ask", "grade"):
        return None
    record: Record = pipeline.failed(job.run, error)
    return record
