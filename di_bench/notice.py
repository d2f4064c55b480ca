"""Findings written out: for a terminal, a comment (Markdown), a CI's test view (JUnit) and GitHub.

Names and errors are strangers' texts: each format escapes them in its own way.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree as ET

from di_bench import label
from di_bench.errors import StoreError
from di_bench.escape import command, line, markdown, parameter
from di_bench.finding import QUIET, Finding, count, ordered
from di_bench.gatefile import Gate
from di_bench.table import padded, tabled

Format = Literal["text", "md", "junit", "github"]
HEADER = (
    "verdict", "model", "method", "column", "reference", "candidate", "difference", "p", "why",
)  # fmt: skip
NOTE = (
    "Difference: candidate less reference, with its 95 % interval; p: one-sided, adjusted for all "
    "comparisons of the check (Holm)."
)


def write(findings: Sequence[Finding], gate: Gate, form: Format) -> str:
    """All that was found, in one of the formats. It ends with a newline."""
    forms: Mapping[str, Callable[[Sequence[Finding], Gate], str]] = {
        "text": _text, "md": _markdown, "junit": _junit, "github": _github,
    }  # fmt: skip
    return forms[form](findings, gate)


def summarise(findings: Sequence[Finding], gate: Gate) -> None:
    """Append the Markdown to the file in $GITHUB_STEP_SUMMARY, if there is one.

    Raises StoreError when it cannot be written.
    """
    if not (named := os.environ.get("GITHUB_STEP_SUMMARY")):
        return
    try:
        with Path(named).open("a", encoding="utf-8") as file:
            file.write(_markdown(findings, gate))
    except OSError as error:
        raise StoreError(f"$GITHUB_STEP_SUMMARY: cannot be written: {error.strerror}") from error


def _rows(findings: Sequence[Finding]) -> list[list[str]]:
    return [_cells(f) for f in ordered(findings) if f.verdict not in QUIET]


def _cells(finding: Finding) -> list[str]:
    found, p = finding.difference, finding.p
    moved = f"{found.mean:+.3g} [{found.low:.3g}, {found.high:.3g}]" if found else ""
    shown = "" if p is None else "<.0001" if p < 0.0001 else f"{p:.2g}"
    names = (label.model(finding.model), finding.method, finding.what)
    numbers = (_number(finding.reference), _number(finding.candidate), moved, shown)
    return [finding.verdict, *map(line, names), *numbers, line(finding.why)]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _last(findings: Sequence[Finding], gate: Gate) -> list[str]:
    """The count of each verdict, and what was looked at."""
    only = f"; only {', '.join(gate.methods)}" if gate.methods else ""
    left = f"; left out: {', '.join(gate.leave_out)}" if gate.leave_out else ""
    said = f"{count(findings)} (tolerance {gate.tolerance:g}, alpha {gate.alpha:g}){only}{left}"
    lone = sorted({f"{f.method} on {label.model(f.model)}" for f in findings if f.lone})
    which = ", ".join(lone) if len(lone) < 5 else f"{len(lone)} rows"
    notes = [f"one seed, so only items can tell: {which}"] if lone else []
    if any(finding.verdict == "unclear" for finding in findings):
        notes.append(
            "unclear: beyond the tolerance, but seeds and items do that by chance; more seeds, or "
            "fewer rows (--method), tell more"
        )
    return [line(text) for text in (*notes, said)]


def _text(findings: Sequence[Finding], gate: Gate) -> str:
    lines = []
    if rows := _rows(findings):
        kept = [column for column in zip(HEADER, *rows, strict=True) if any(column[1:])]
        lines = [*padded([*zip(*kept, strict=True)]), ""]
    return "\n".join([*lines, *_last(findings, gate)]) + "\n"


def _markdown(findings: Sequence[Finding], gate: Gate) -> str:
    *notes, said = _last(findings, gate)
    lines = [f"**di-bench check:** {markdown(said)}", ""]
    if rows := _rows(findings):
        lines += [*tabled(HEADER, rows, 4, after=1), "", NOTE, ""]
    return "\n".join([*lines, *(f"{markdown(note)}\n" for note in notes)])


def _junit(findings: Sequence[Finding], gate: Gate) -> str:
    """A suite for each model, a case for each column, row or claim.

    Worse and broken are failures, not comparable an error, a new row is skipped, the rest passed.
    """
    root = ET.Element("testsuites", name="di-bench check")
    by_model = sorted(findings, key=lambda finding: finding.model)
    for model, alike in groupby(by_model, key=lambda finding: finding.model):
        found = list(alike)
        suite = ET.SubElement(root, "testsuite", name=line(label.model(model)))
        for finding in found:
            suite.append(_case(finding))
        _counted(suite)
    _counted(root)
    said = ET.SubElement(root[0] if len(root) else ET.SubElement(root, "testsuite"), "system-out")
    said.text = "\n".join(_last(findings, gate))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _case(finding: Finding) -> ET.Element:
    verdict, model, method, what, *rest = _cells(finding)
    name = f"claim: {what}" if finding.claim else what or "row"
    case = ET.Element("testcase", classname=f"{model}.{method}", name=name)
    numbers = ("reference", "candidate", "difference", "p", "")
    said = ", ".join(f"{k} {v}".strip() for k, v in zip(numbers, rest, strict=True) if v)
    tags = {"worse": "failure", "broken": "failure", "not comparable": "error", "new": "skipped"}
    if tag := tags.get(verdict):
        told = ET.SubElement(case, tag, message=f"{verdict}: {said}" if said else verdict)
        if tag != "skipped":
            told.set("type", verdict.replace(" ", "-"))
    elif said and verdict not in QUIET:
        ET.SubElement(case, "system-out").text = f"{verdict}: {said}"
    return case


def _counted(element: ET.Element) -> None:
    counts = {"tests": "testcase", "failures": "failure", "errors": "error", "skipped": "skipped"}
    for name, tag in counts.items():
        element.set(name, str(sum(1 for _ in element.iter(tag))))


def _github(findings: Sequence[Finding], gate: Gate) -> str:
    """A workflow command for each that has something to say, and one with the counts."""
    lines = []
    for verdict, model, method, what, *rest in _rows(findings):
        level = "error" if verdict in ("worse", "broken", "not comparable") else "notice"
        before, after, moved, p, why = rest
        about = ", ".join(filter(None, (f"{method} on {model}", what)))
        moves = f"{before} -> {after}" if before and after else ""
        told = ", ".join(filter(None, (moves, moved, f"p {p}" if p else "", why)))
        title = parameter(f"di-bench: {verdict}")
        lines.append(f"::{level} title={title}::{command(f'{about}: {told}' if told else about)}")
    *_, said = _last(findings, gate)
    return "\n".join([*lines, f"::notice title=di-bench check::{command(said)}"]) + "\n"
