"""The items that two rows differ in most, with what was asked and answered where it is still here.

Values come from records alone. Texts come from the suite's corpus and the cache, and whatever keeps
them away is said in one line: they are never a reason to fail.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from di_bench.asks import Judge, OfItems, Write
from di_bench.comparison import Side, compare
from di_bench.corpus import TRAINED, Item
from di_bench.errors import CorpusError, DiBenchError, StoreError, nearest
from di_bench.origin import CHANGED
from di_bench.record import Record
from di_bench.run import Run
from di_bench.store import Store
from di_bench.transcript import Row, kept_rows

Find = Callable[[Record], Run]
"""The run that makes a record. Raises DiBenchError where it cannot be told."""


@dataclass(frozen=True)
class Texts:
    """What an item is about, as it was put to the models. Hostile: escape it."""

    asked: str = ""
    truth: str = ""
    a: str = ""
    b: str = ""
    """What the models wrote; empty where the cache has no such answer."""


@dataclass(frozen=True)
class Apart:
    """One item, with the means of its values over the seeds of each side."""

    item: str
    group: str
    a: float
    b: float
    texts: Texts = Texts()


@dataclass(frozen=True)
class Most:
    """The items of a column that differ most, the farthest apart first."""

    column: str
    items: tuple[Apart, ...]
    seeds: tuple[int, int]
    """Whose answers are shown, of A and of B."""
    missing: tuple[str, ...] = ()
    """Why texts or answers are not shown."""


@dataclass
class _Said:
    """What the runs behind two records know of some items."""

    items: dict[str, Item] = field(default_factory=dict)
    answers: list[dict[str, Row]] = field(default_factory=lambda: [{}, {}])
    missing: dict[str, None] = field(default_factory=dict)


def most(a: Side, b: Side, column: str, top: int) -> Most:
    """The `top` items whose values lie farthest apart; of equal ones the first by name.

    Raises StoreError for a column that does not compare, or has no items on both sides.
    """
    (contrast,) = compare(a, b, [column])
    if not contrast.compares:
        raise StoreError(f"{column}: does not compare: {contrast.why}")
    mine, theirs = (_values(side, column) for side in (a, b))
    shared = [key for key in mine if key in theirs]
    if not shared:
        known = {c for one in a.row.kept for c in one.items}
        known &= {c for one in b.row.kept for c in one.items}
        raise StoreError(f"{column}: has no items to compare; {nearest(column, known)}")
    found = [Apart(*key, mine[key], theirs[key]) for key in shared]
    found.sort(key=lambda one: (-abs(one.a - one.b), one.item, one.group))
    return Most(column, tuple(found[:top]), (a.seeds[0], b.seeds[0]))


def _values(side: Side, column: str) -> Mapping[tuple[str, str], float]:
    """(item, group) to its mean over seeds, of those that every seed has."""
    seeds = []
    for rows in (one.items[column] for one in side.row.kept if column in one.items):
        values: dict[tuple[str, str], list[float]] = {}
        for item, group, value in rows:
            values.setdefault((item, group), []).append(value)
        seeds.append({key: fmean(of) for key, of in values.items()})
    shared = [key for key in seeds[0] if all(key in of for of in seeds)] if seeds else []
    return {key: fmean([of[key] for of in seeds]) for key in shared}


def with_texts(found: Most, a: Side, b: Side, store: Store, find: Find) -> Most:
    """The same with texts: prompts and truths of the corpus, answers of each side's first seed."""
    names = [name for one in found.items for name in _names(one.item)]
    said = _Said()
    for place, (label, side) in enumerate((("A", a), ("B", b))):
        try:
            run = find(side.records[0])
            _check(run, side.records[0])
            said.items |= _items(run, found.column, names)
        except DiBenchError as error:
            said.missing.setdefault(f"no texts of {label}: {' '.join(str(error).split())}")
            continue
        if run.weights_key != side.records[0].keys["weights"]:
            said.missing.setdefault(f"no answers of {label}: {CHANGED}")
            continue
        said.answers[place] = _answers(run, found.column, names, store)
        if not said.answers[place]:
            said.missing.setdefault(f"no answers of {label}: the cache has none to these items")
    items = tuple(
        Apart(one.item, one.group, one.a, one.b, _texts(one, said)) for one in found.items
    )
    return Most(found.column, items, found.seeds, tuple(said.missing))


def _check(run: Run, record: Record) -> None:
    """Raise CorpusError where the suite's data are not those of the record."""
    if not run.corpus.splits:
        raise CorpusError("the suite's data are not on this machine")
    for split in TRAINED:
        if run.corpus.digest([split]) != record.corpus[split]:
            raise CorpusError(f"{split} is not what it was when the record was made")


def _names(item: str) -> tuple[str, ...]:
    """An item's id, and the same without the part of utility before it: `retain.rouge/<id>`."""
    return item, item.partition("/")[2]


def _texts(one: Apart, said: _Said) -> Texts:
    names = _names(one.item)
    item = next((said.items[name] for name in names if name in said.items), None)
    a, b = (next((of[name] for name in names if name in of), None) for of in said.answers)
    row = a or b
    asked, truth = (item.prompt, item.answer) if item else ("", "")
    if row and not asked:  # a document, or ready ids: what was shown of it, and what should follow
        asked, truth = row.prompt, row.truth
    return Texts(asked, truth, a.answer if a else "", b.answer if b else "")


def _items(run: Run, column: str, names: Sequence[str]) -> dict[str, Item]:
    """The items of the splits that a column reads."""
    wanted = set(names)
    splits = [s for s in _splits(run, column) if s in run.corpus.splits]
    return {item.id: item for split in splits for item in run.corpus[split] if item.id in wanted}


def _splits(run: Run, column: str) -> tuple[str, ...]:
    probes = [run.suite.probes[name] for name in _written(run, column)]
    return tuple(dict.fromkeys(probe.split for probe in probes if isinstance(probe, OfItems)))


def _written(run: Run, column: str) -> tuple[str, ...]:
    """The probes that a column reads; of judges, those whose answers they read."""
    probes = run.suite.probes
    named = run.suite.reads(column)[1] if column in run.suite.metrics else ()
    judges = {name: probe.of for name in named if isinstance(probe := probes[name], Judge)}
    return tuple(judges.get(name, name) for name in named)


def _answers(run: Run, column: str, names: Iterable[str], store: Store) -> dict[str, Row]:
    """What the model wrote: for the column itself, else for another probe of the same items."""
    wanted, splits, own = set(names), _splits(run, column), _written(run, column)
    writes = {k: p for k, p in run.suite.probes.items() if isinstance(p, Write)}
    others = [k for k, p in writes.items() if p.split in splits and not p.stride and k not in own]
    found: dict[str, Row] = {}
    for name in (*(name for name in own if name in writes), *others):
        for row in kept_rows(store.path("transcripts", run.transcript_keys[name])):
            if row.item in wanted and row.part == "answer":
                found.setdefault(row.item, row)
    return found
