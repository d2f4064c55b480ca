"""A board written out: text, Markdown, LaTeX, CSV, JSON. What a model wrote is escaped."""

import json
from collections.abc import Iterable
from itertools import groupby
from typing import Literal

from di_bench.board import NOTE, Board, boards, frame, numbers
from di_bench.figure import figure
from di_bench.record import Record
from di_bench.suite import Suite

Format = Literal["text", "md", "latex", "csv", "json", "svg"]


def render(records: Iterable[Record], suite: Suite, form: Format) -> str:
    """The board as text, Markdown, LaTeX, CSV or JSON. It ends with a newline."""
    kept = list(records)
    if form == "csv":
        return str(frame(kept, suite).to_csv(index=False))
    if form == "json":
        return json.dumps(numbers(kept, suite), indent=1, ensure_ascii=False) + "\n"
    if form == "svg":
        return figure(boards(kept, suite))
    draw = {"text": _text, "md": _markdown, "latex": _latex}[form]
    return "\n".join(draw(board) for board in boards(kept, suite))


def _text(board: Board) -> str:
    table = [board.header(), *board.rows()]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in table
    ]
    notes = [f"* {note}" for note in board.footnotes()]
    rule = "-" * len(lines[0])
    return "\n".join([board.title, "", lines[0], rule, *lines[1:], "", NOTE, *notes]) + "\n"


def _markdown(board: Board) -> str:
    def row(cells: Iterable[str]) -> str:
        return "| " + " | ".join(_md(cell) for cell in cells) + " |"

    header = board.header()
    rule = "|" + "|".join([" --- "] * 2 + [" ---: "] * (len(header) - 2)) + "|"
    formulas = ", ".join(
        f"{_md(column.replace('_', ' '))} = `{formula.replace('`', '')}`"
        for column, formula in board.formulas.items()
    )
    notes = [f"- {_md(note)}" for note in board.footnotes()]
    given = [f"- {_md(said)}" for said in board.settings()]
    settings = ["", "Settings, where rows differ in them:", "", *given] if given else []
    parts = [f"# {_md(board.title)}", "", row(header), rule, *map(row, board.rows()), "", NOTE]
    ends = ["", f"Formulas: {formulas}.", *(["", *notes] if notes else []), *settings]
    return "\n".join([*parts, *ends]) + "\n"


def _md(text: str) -> str:
    for mark in ("\\", "|", "<", "&", "*", "_", "[", "`", "~"):
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())


_TEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "|": r"\textbar{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "↓": r"$\downarrow$", "↑": r"$\uparrow$", "≈": r"$\approx$", "±": r"$\pm$",
}  # fmt: skip


def _tex(text: str) -> str:
    return "".join(_TEX.get(letter, letter) for letter in text)


def _latex(board: Board) -> str:
    """A booktabs table with its notes below; needs the package booktabs and nothing else."""

    def row(cells: Iterable[str]) -> str:
        return " & ".join(_tex(cell) for cell in cells) + r" \\"

    header = board.header()
    groups = [list(rows) for _, rows in groupby(board.rows(), key=lambda cells: cells[0])]
    body = "\n\\midrule\n".join("\n".join(map(row, rows)) for rows in groups)
    return "\n".join([
        r"\begin{table}", r"\centering", rf"\caption{{{_tex(board.title)}. {_tex(NOTE)}}}",
        rf"\begin{{tabular}}{{ll{'r' * (len(header) - 2)}}}", r"\toprule", row(header), r"\midrule",
        body, r"\bottomrule", r"\end{tabular}",
        *(rf"\par {{\footnotesize {_tex(note)}}}" for note in board.footnotes()), r"\end{table}",
    ]) + "\n"  # fmt: skip
