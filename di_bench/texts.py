"""The HTML report of a suite's records, with the texts that data and cache still have.

The one thing to know: an answer is found by the key of the weights that its record names, so a text
never belongs to another model than the scores beside it, and rows of any origin have theirs.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from di_bench.asks import OfItems, Write
from di_bench.errors import DiBenchError
from di_bench.method import NONE
from di_bench.record import Record
from di_bench.recordfile import read_items
from di_bench.report import Asked, ItemScores, Texts, report
from di_bench.run import Run
from di_bench.store import Store
from di_bench.suite import PACKAGED, Suite
from di_bench.transcript import Row, kept_rows
from di_bench.work import Choice, Work

LONGEST = 1000
"""Characters of a text that are shown."""

Answers = dict[str, list[Row]]
"""Probe to a row of each item it wrote about."""


def page(choice: Choice, suite: Suite, store: Store, records: Sequence[Record]) -> str:
    """The report. Where data or transcripts are not here, it has scores and no texts.

    `suite` is the one chosen, perhaps with composites among its columns. Raises StoreError for a
    record whose item scores cannot be read.
    """
    folder = store.folder(suite)
    try:
        known = texts(Work.lay_out(choice, [NONE], store, "plan"), records)
    except DiBenchError:
        known = Texts()
    path = Path(choice.suite)
    named = choice.suite if (PACKAGED / f"{path}.yaml").exists() else path.name

    def items(record: Record) -> ItemScores:
        return read_items(folder / f"{record.name}.parquet")

    return report(records, suite, items, known, named, store.tallies(suite, records))


def texts(work: Work, records: Sequence[Record]) -> Texts:
    """Prompts, truths and answers of one seed of each row, the first that has any.

    `work` lays out the suite with any method. Of several samples, and of a strided probe's many
    places, what came first is taken.
    """
    if work.corpus is None:
        return Texts()
    cells = {run.part.name: run for run in reversed(work.runs)}
    asked: dict[str, dict[str, dict[str, Asked]]] = {}
    answers: dict[str, dict[str, dict[str, str]]] = {}
    told: set[tuple[str, str]] = set()
    for record in sorted(records, key=lambda r: r.seed):
        cell = (record.model["name"], record.cell)
        if cell in told or record.axis not in cells:
            continue
        written = _written(replace(cells[record.axis], seed=record.seed), record, work.store)
        own = asked.setdefault(record.axis, {})
        for probe, rows in written.items():
            told.add(cell)
            found = answers.setdefault(record.name, {})
            found[probe] = {row.item: _cut(row.answer) for row in rows}
            known = own.setdefault(probe, {})
            for row in rows:
                known.setdefault(row.item, (_cut(row.prompt), _cut(row.truth)))
    for part, run in cells.items():
        _fill(asked.setdefault(part, {}), run)
    return Texts(asked, answers)


def _written(run: Run, record: Record, store: Store) -> Answers:
    """What the model of a record wrote, where the cache has it whole."""
    found: Answers = {}
    for probe in (name for name, spec in run.suite.probes.items() if isinstance(spec, Write)):
        key = run.transcript_key(probe, record.keys["weights"])
        first: dict[str, Row] = {}
        for row in kept_rows(store.path("transcripts", key)):
            first.setdefault(row.item, row)
        if first:
            found[probe] = list(first.values())
    return found


def _fill(asked: dict[str, dict[str, Asked]], run: Run) -> None:
    """Add prompts and true answers of what is only read, or whose answers are not at hand."""
    seen = {item for items in asked.values() for item in items}
    for probe, spec in run.suite.probes.items():
        if isinstance(spec, OfItems) and probe not in asked:
            items = islice(run.corpus[spec.split], spec.limit)
            own = {i.id: (_cut(i.prompt), _cut(i.answer)) for i in items if i.id not in seen}
            asked |= {probe: own} if own else {}
            seen |= own.keys()


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."
