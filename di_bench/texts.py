"""The HTML report of a suite's records, with the texts that the cache still has."""

from collections.abc import Sequence

from di_bench.asks import Write
from di_bench.errors import DiBenchError
from di_bench.record import Record
from di_bench.report import Texts, report, run_of
from di_bench.run import Run
from di_bench.store import Store, read_items
from di_bench.transcript import Row, read_rows
from di_bench.work import Choice, Work

LONGEST = 2000
"""Characters of a text that are shown."""


def page(choice: Choice, store: Store, records: Sequence[Record]) -> str:
    """The report. Where the suite's data or models are not here, it has scores and no texts."""
    folder = store.folder(choice.loaded)
    names = [run_of(record) for record in records]
    items = {name: read_items(folder / f"{name}.parquet") for name in names}
    try:
        known = texts(Work.lay_out(choice, (), store, "cache"))
    except DiBenchError:
        known = Texts()
    return report(records, choice.loaded, items, known)


def texts(work: Work) -> Texts:
    """Prompts, truths and greedy answers of each method's first seed.

    Strided probes write from many places of an answer: only what they wrote first is taken.
    """
    asked: dict[str, dict[str, str]] = {}
    answers: dict[str, dict[str, dict[str, str]]] = {}
    first = min(run.seed for run in work.runs)
    for run in work.runs:
        if run.seed == first and (own := _answers(work, run, asked)):
            answers[run.name] = own
    return Texts(asked, answers)


def _answers(work: Work, run: Run, asked: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for probe, spec in run.suite.probes.items():
        key = run.transcript_keys[probe]
        if not isinstance(spec, Write) or not work.store.has("transcripts", key):
            continue
        rows: dict[str, Row] = {}
        for row in read_rows(work.store.path("transcripts", key)):
            rows.setdefault(row.item, row)
        found[probe] = {item: _cut(row.answer) for item, row in rows.items()}
        for item, row in rows.items():
            if item not in asked or not row.start:
                asked[item] = {"prompt": _cut(row.prompt), "truth": _cut(row.truth)}
    return found


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."
