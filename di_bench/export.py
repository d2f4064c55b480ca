"""Exporting: the unlearned model of a record as a folder that plain transformers or PEFT loads.

The record's run is found again by its weights key and replayed from the cache, so what is written
is what was scored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from errno import EBUSY
from pathlib import Path

from di_bench import adapt, origin
from di_bench.checkpoint import BASE
from di_bench.draft import whole
from di_bench.errors import MethodError, StoreError
from di_bench.lm import LM, hush
from di_bench.model import is_folder, parted
from di_bench.pipeline import Pipeline
from di_bench.record import Record
from di_bench.run import Run
from di_bench.store import Store
from di_bench.work import Choice

Say = Callable[[str], None]


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
        raise StoreError(f"{record.name}: {record.status}; such a run has no model to export")
    run = origin.run(record, asked, store)
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
        checkpoint, revision = parted(checkpoint)
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
