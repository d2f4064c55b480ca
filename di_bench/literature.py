"""Published figures as a table under a board: the source of each, and how its formula differs."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from di_bench import label
from di_bench.axes import titled
from di_bench.errors import StoreError, plain
from di_bench.escape import markdown
from di_bench.method import NONE, RETRAIN
from di_bench.published import METHODS, METRICS, Figure, column, known, why_none
from di_bench.record import Record
from di_bench.suite import Suite
from di_bench.table import aligned, tabled

CAVEAT = (
    "These are others' runs, with recipes, tuning, precision and seeds of their own: they say "
    "where our numbers should lie, and are no rows of the board."
)
_HEADER = ("as published", "ours", "settings")


@dataclass(frozen=True)
class Table:
    """What was published of one model, in the columns of our board."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    """Method, our method, settings, a value of each column, source."""
    formulas: tuple[str, ...]
    """What each column is as published, and where ours is not that."""
    notes: tuple[str, ...]


def below(suite: Suite, records: Iterable[Record], methods: Collection[str], form: str) -> str:
    """The tables for a board of these records, or one line that says why there are none.

    `methods` keeps the rows of those, beside none and retrain; all where it is empty. Raises
    StoreError for a form other than text and md.
    """
    if form not in ("text", "md"):
        raise StoreError(f"--against published is written as text or md, not as {form}")
    kept = list(records)
    parts = list(dict.fromkeys(record.axis for record in kept))
    models = list(dict.fromkeys(str(record.model["id"]) for record in kept))
    tables = {
        (axis, model): _table(suite, axis, model, [one for one in of if _wanted(one, methods)])
        for axis in (part for part in ("", *suite.parts) if part in parts)
        for model, of in known(suite, axis, models).items()
    }
    shown = {place: table for place, table in tables.items() if table.rows}
    without = [model for model in models if model not in {model for _, model in shown}]
    said = []
    if not shown:
        why = "no figures of these methods or columns" if tables else ""
        said = [f"published: {why or why_none(suite, parts, models)}"]
    elif without:
        said = [f"published: no figures of {', '.join(without)} to put beside it"]
    draw = _text if form == "text" else _markdown
    lines = [plain(line) if form == "text" else markdown(plain(line)) for line in said]
    return "\n".join([*map(draw, shown.values()), *(f"{line}\n" for line in lines)])


def _wanted(one: Figure, methods: Collection[str]) -> bool:
    ours = {METHODS.get(one.method, one.method), one.method}
    rows = {name.partition("+")[0] for name in methods}
    return not methods or bool(ours & {*rows, NONE, RETRAIN})


def _table(suite: Suite, axis: str, model: str, found: Sequence[Figure]) -> Table:
    """Figures of one model as rows: what one source says of one setting of a method."""
    places = {metric: column(suite, metric) for metric in {one.metric for one in found}}
    rows: dict[tuple[str, ...], dict[str, Figure]] = {}
    for one in found:
        if (place := places[one.metric]) is not None:
            row = rows.setdefault((one.method, one.config, one.source, one.note), {})
            if place not in row or _same(suite, place, one):
                row[place] = one
    taken = {place: one for row in rows.values() for place, one in row.items()}
    columns = tuple(name for name in suite.shown if name in taken)
    notes = list(dict.fromkeys(note for *_, note in rows if note))
    part = f", {titled(axis, suite.parts)}" if axis else ""
    first = found[0] if found else None
    return Table(
        f"Published: {first.benchmark} {first.split}, {model}{part}" if first else "",
        columns,
        tuple(_row(key, rows[key], columns, notes) for key in sorted(rows, key=_order(suite))),
        tuple(_formulas(suite, columns, rows.values())),
        tuple(f"[{number}] {note}" for number, note in enumerate(notes, 1)),
    )


def _same(suite: Suite, place: str, one: Figure) -> bool:
    return suite.reads(place)[0].formula == METRICS[one.metric].formula


def _order(suite: Suite) -> Callable[[tuple[str, ...]], tuple[object, ...]]:
    """Our methods in the suite's order, none and retrain first, and what is none of ours last."""
    every = dict.fromkeys([NONE, RETRAIN, *suite.methods, *METHODS.values()])
    places = {name: place for place, name in enumerate(every)}

    def place(key: tuple[str, ...]) -> tuple[object, ...]:
        method, config, source, note = key
        return places.get(METHODS.get(method, ""), len(places)), source, method, config, note

    return place


def _row(
    key: tuple[str, ...], row: Mapping[str, Figure], columns: Iterable[str], notes: list[str]
) -> tuple[str, ...]:
    method, config, source, note = key
    mark = f" [{notes.index(note) + 1}]" if note else ""
    values = (_number(row[name]) if name in row else "-" for name in columns)
    return (method, METHODS.get(method, "-"), config or "-", *values, source + mark)


def _number(one: Figure) -> str:
    return f"{METRICS[one.metric].ours(one.value):.4g}"


def _formulas(
    suite: Suite, columns: Iterable[str], rows: Iterable[Mapping[str, Figure]]
) -> list[str]:
    """Each column: the formula of the published figures, what else differs, and ours if another."""
    metrics: dict[str, dict[str, None]] = {name: {} for name in columns}
    for row in rows:
        for name, one in row.items():
            metrics[name].setdefault(one.metric)
    lines = []
    for name, used in metrics.items():
        said: dict[str, None] = {}
        for metric in sorted(used):
            said.setdefault(_meant(metric, suite.reads(name)[0].formula))
        lines.append(f"{label.column(name)}: {'; '.join(said)}")
    return lines


def _meant(metric: str, own: str) -> str:
    """A published metric in our terms, beside the formula of our column."""
    meaning = METRICS[metric]
    said = f"{metric} is {meaning.formula} {meaning.said}".rstrip()
    if meaning.formula != own:
        said += f" (ours: {own})"
    elif not meaning.said:
        said += " as ours"
    said += ", published as 1 less it" if meaning.turned else ""
    return said + (", published in per cent" if meaning.scale != 1 else "")


def _header(table: Table) -> list[str]:
    return [*_HEADER, *map(label.column, table.columns), "source"]


def _text(table: Table) -> str:
    notes = (f"* {note}" for note in (*table.formulas, *table.notes))
    lines = aligned([_header(table), *table.rows])
    return "\n".join([table.title, "", *lines, "", CAVEAT, *notes]) + "\n"


def _sourced(rows: Sequence[Sequence[str]]) -> tuple[list[str], list[list[str]]]:
    """Header and rows with the source among the words."""
    header, *rest = [[*row[:3], row[-1], *row[3:-1]] for row in rows]
    return header, rest


def _markdown(table: Table) -> str:
    notes = (f"- {markdown(note)}" for note in (*table.formulas, *table.notes))
    lines = tabled(*_sourced([_header(table), *table.rows]), 4)
    return "\n".join([f"## {markdown(table.title)}", "", *lines, "", CAVEAT, "", *notes]) + "\n"
