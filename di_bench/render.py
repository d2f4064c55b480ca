"""A board written out: text, Markdown, LaTeX, CSV, JSON, SVG. What a model wrote is escaped."""

import json
from collections.abc import Collection, Iterable, Sequence
from itertools import groupby
from operator import itemgetter
from textwrap import fill
from typing import Literal

from di_bench import label
from di_bench.board import NOTE, Board, boards, frame, note, numbers
from di_bench.errors import StoreError, nearest
from di_bench.escape import line, markdown
from di_bench.figure import figure
from di_bench.headline import grouped, headline
from di_bench.line import Cell
from di_bench.method import NONE, RETRAIN
from di_bench.record import Record
from di_bench.scaling import scaling, short
from di_bench.suite import Suite
from di_bench.table import aligned, tabled
from di_bench.tally import Tallies

Format = Literal["text", "md", "latex", "csv", "json", "svg"]


def render(
    records: Iterable[Record], suite: Suite, form: Format, tallies: Tallies | None = None
) -> str:
    """The board as text, Markdown, LaTeX, CSV or JSON, or drawn against size as SVG.

    `tallies` are of the records' items. It ends with a newline. Raises StoreError for a figure of
    models that are all of one size.
    """
    kept = list(records)
    if form == "csv":
        return str(frame(kept, suite, tallies).to_csv(index=False))
    if form == "json":
        return json.dumps(numbers(kept, suite, tallies), indent=1, ensure_ascii=False) + "\n"
    if form == "svg":
        return figure(boards(kept, suite))
    draw = {"text": _text, "md": _markdown, "latex": _latex}[form]
    return "\n".join(draw(board) for board in boards(kept, suite, tallies))


def chosen(records: Iterable[Record], methods: Collection[str]) -> list[Record]:
    """The records of some methods or rows, with the references. Raises StoreError for others."""
    kept = list(records)
    known = {name for record in kept for name in (record.method, record.row)}
    if unknown := sorted(set(methods) - known):
        raise StoreError(f"no records of {unknown[0]!r}; {nearest(unknown[0], known)}")
    wanted = {*methods, NONE, RETRAIN}
    return [record for record in kept if wanted & {record.method, record.row}]


def _text(board: Board) -> str:
    notes = [f"* {s}" for s in board.notes()]
    lines = aligned([board.header(), *board.rows()])
    top = [board.title, "", *(f"{fill(said, 100)}\n" for said in headline(board))]
    return "\n".join([*top, *lines, "", NOTE, *notes]) + "\n"


def _markdown(board: Board) -> str:
    formulas = ", ".join(
        f"{markdown(label.column(column))} = `{formula.replace('`', '')}`"
        for column, formula in board.formulas.items()
        if board.groups.get(column) != "composite"
    )
    notes = [f"- {markdown(note)}" for note in board.notes()]
    given = [f"- {markdown(said)}" for said in board.settings()]
    settings = ["", "Settings, where rows differ in them:", "", *given] if given else []
    top = [f"# {markdown(board.title)}", "", *(f"{markdown(said)}\n" for said in headline(board))]
    parts = [*top, *tabled(board.header(), board.rows(), 2), "", NOTE]
    ends = [
        "",
        markdown(grouped(board)),
        "",
        f"Formulas: {formulas}.",
        *(["", *notes] if notes else []),
        *settings,
    ]
    return "\n".join([*parts, *ends, *_ranks(board), *_ladder(board)]) + "\n"


def _ranks(board: Board) -> list[str]:
    """Which place each method may have among those of its model."""
    rows = board.ranks()
    if not rows:
        return []
    said = (
        "Among the methods of a model: from one more than are better to all but those that are "
        "worse (5 %, Holm over all pairs)."
    )
    header = board.header()[: 2 + len(board.columns)]
    return ["", "## Ranks", "", said, "", *tabled(header, rows, 2)]


def _ladder(board: Board) -> list[str]:
    """For boards of several sizes: each column again, methods against the size of the model."""
    one = scaling(board)
    if not one.is_ladder:
        return []
    header = [
        "method",
        *(f"{line(label.model(name))}, {short(n)}" for name, n in one.models.items()),
    ]
    lines = ["", "## Against size", "", "Models from left to right by their number of weights."]
    for column, title in zip(board.columns, board.header()[2:], strict=False):
        rows = [
            [line(row), *(str(of[m].cells[column]) if m in of else "-" for m in one.models)]
            for row, of in one.rows.items()
        ]
        lines += ["", f"### {markdown(title)}", "", *tabled(header, rows, 1)]
    return lines


_TEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "|": r"\textbar{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "↓": r"$\downarrow$", "↑": r"$\uparrow$", "≈": r"$\approx$", "±": r"$\pm$",
    "†": r"$\dagger$",
}  # fmt: skip


def _tex(text: str) -> str:
    return "".join(_TEX.get(letter, letter) for letter in text)


def _tex_cell(cell: Cell) -> str:
    text = _tex(cell.text)
    return {"*": rf"\textbf{{{text}}}", "=": rf"{text}$^{{\dagger}}$"}.get(cell.mark, text)


def _latex(board: Board) -> str:
    """A booktabs table with its notes below; needs the package booktabs and nothing else."""

    def row(cells: Sequence[str]) -> str:
        return " & ".join([*map(_tex, cells[:2]), *cells[2:]]) + r" \\"

    header = board.header()
    groups = [list(rows) for _, rows in groupby(board.rows(_tex_cell), key=itemgetter(0))]
    body = "\n\\midrule\n".join("\n".join(map(row, rows)) for rows in groups)
    said = _tex(note("Bold:", "†"))
    below = [*headline(board), *board.notes()]
    return "\n".join([
        r"\begin{table}", r"\centering", rf"\caption{{{_tex(board.title)}. {said}}}",
        rf"\begin{{tabular}}{{ll{'r' * (len(header) - 2)}}}", r"\toprule",
        row([*header[:2], *map(_tex, header[2:])]), r"\midrule",
        body, r"\bottomrule", r"\end{tabular}",
        *(rf"\par {{\footnotesize {_tex(one)}}}" for one in below),
        r"\end{table}",
    ]) + "\n"  # fmt: skip
