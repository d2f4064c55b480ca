"""Exporting: the unlearned model of a record as a folder that plain transformers or PEFT loads.

The record's run is found again by its weights key and replayed from the cache, so what is written
is what was scored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from errno import EBUSY
from pathlib import Path

from di_bench import adapt, methodfile, suite
from di_bench.checkpoint import BASE
from di_bench.errors import MethodError, StoreError, SuiteError
from di_bench.lm import LM, hush
from di_bench.methodfile import MethodFile
from di_bench.model import is_folder
from di_bench.pipeline import Pipeline
from di_bench.record import Record
from di_bench.run import Run
from di_bench.store import Store, whole
from di_bench.work import Choice, Work

Say = Callable[[str], None]


def choice(
    record: Record, name: str | None, models: Sequence[str], changes: Sequence[str]
) -> Choice:
    """The suite (a file by `name`, else the packaged one) and the changes that made a record.

    Raises SuiteError when the record's suite is not a packaged one.
    """
    if name is None and not (suite.PACKAGED / f"{record.suite}.yaml").exists():
        raise SuiteError(f"{record.suite!r} is not a packaged suite; name its file: --suite FILE")
    own = record.model["id"]
    given = models or any(change.startswith("models") for change in changes)
    if not given and own != record.model["name"]:  # of a folder a record keeps no path
        models = (own,)
    return Choice(name or record.suite, record.profile, models, (record.seed,), changes)


def export(record: Record, asked: Choice, store: Store, folder: Path, say: Say) -> str:
    """Write the model of a record to a new or empty folder, whole or not at all.

    Returns how to load it. What the cache has no more is done again, and said. Raises DiBenchError
    for a record that has no model, or none that weights alone can hold, and for one that today's
    code and suite would not make.
    """
    place = folder.expanduser().resolve()
    if place.exists() and not (place.is_dir() and not any(place.iterdir())):
        raise StoreError(f"{folder}: is not empty; name a new or empty folder")
    if record.status != "done":
        raise StoreError(f"{record.run}: {record.status}; such a run has no model to export")
    run = _run(record, asked, store)
    hush()
    told: set[str] = set()

    def watch(stage: str, _: float) -> None:
        if stage not in told:
            told.add(stage)
            say(f"not in the cache, done again: {stage}")

    pipeline = Pipeline(store, watch)
    lm = pipeline.unlearned(run)
    if adapt.decodes(lm):
        raise MethodError(
            f"{record.method}: changes predictions while they are read, and no weights; a folder "
            "of weights cannot hold that"
        )
    with _draft(place) as draft:
        return _write(pipeline, run, lm, place, draft)


def _run(record: Record, asked: Choice, store: Store) -> Run:
    """The run that makes a record today. Raises StoreError when there is none."""
    files = {MethodFile.find(name).name: name for name in asked.loaded.methods}
    if "checkpoint" in record.settings:
        raise MethodError(f"{record.method}: unlearned elsewhere; copy it from there")
    if record.method not in files and not (methodfile.PACKAGED / f"{record.method}.py").exists():
        raise MethodError(
            f"{record.method!r} is neither packaged nor in the suite; name its file: "
            f"--set 'methods={{./{record.method}.py: {{}}}}'"
        )
    work = Work.lay_out(asked, [files.get(record.method, record.method)], store)
    named = [run for run in work.runs if run.name == record.run]
    if not named:
        raise StoreError(
            f"{record.run}: not a cell of this suite; give --suite, --model and --set as they "
            "were given to `di-bench run`"
        )
    if named[0].weights_key != record.keys["weights"]:
        raise StoreError(
            f"{record.run}: its method, suite, data, libraries or device changed since; make it "
            "again with `di-bench run`"
        )
    return named[0]


def _write(pipeline: Pipeline, run: Run, lm: LM, place: Path, draft: Path) -> str:
    if lm.inner is lm.model:
        lm.save(draft)
        return f"AutoModelForCausalLM.from_pretrained({str(place)!r})"
    checkpoint, revision = None if run.before else run.target.checkpoint, None
    if checkpoint is None:
        below = pipeline.start(run) if run.before else pipeline.grown(run, run.target)
        below.save(draft / BASE)
        checkpoint = str(place / BASE)
    elif is_folder(checkpoint):
        checkpoint = str(Path(checkpoint).expanduser().resolve())
    else:
        checkpoint, _, held = checkpoint.partition("@")
        revision = held or None
    adapt.save(lm, draft, checkpoint, revision)
    return f"AutoPeftModelForCausalLM.from_pretrained({str(place)!r}); it goes on {checkpoint}"


@contextmanager
def _draft(place: Path) -> Iterator[Path]:
    """A folder to write to, that takes the place of another when the block ends well."""
    try:
        with whole(place) as draft:
            draft.mkdir()
            yield draft
    except OSError as error:
        if error.errno != EBUSY:
            raise
        raise StoreError(
            f"{place}: is a mounted folder, which cannot be replaced; name a new one inside it"
        ) from error
