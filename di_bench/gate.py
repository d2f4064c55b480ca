"""The regression gate: whether a candidate is worse than a reference, where they compare at all."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Literal

from di_bench.errors import StoreError, nearest
from di_bench.record import Record
from di_bench.store import read_record, records_in

Verdict = Literal["same", "better", "worse", "not comparable"]


@dataclass(frozen=True)
class Finding:
    """One column of one method on one model."""

    model: str
    method: str
    column: str
    reference: float | None
    candidate: float | None
    verdict: Verdict
    why: str = ""


def load(place: Path) -> list[Record]:
    """The records of a results folder, or one record. Raises StoreError when there are none."""
    found = [read_record(place)] if place.is_file() else records_in(place)
    if not found:
        raise StoreError(f"{place}: holds no records; name a folder such as results/tofu/default")
    return found


def check(
    candidate: Iterable[Record],
    reference: Iterable[Record],
    tolerance: float,
    leave_out: Collection[str] = (),
) -> list[Finding]:
    """Every column of every row of the reference, but for some methods, against the candidate.

    Worse is beyond `tolerance` (absolute up to 1, relative above it) and twice the standard
    deviation of the reference's own seeds, in the column's bad direction. Columns without a
    direction (nearer to gold) are worse when they move that far either way. Raises StoreError for
    a method to leave out that the reference does not have.
    """
    mine, rows = _rows(candidate), _rows(reference)
    methods = {records[0].method for records in rows.values()}
    if unknown := set(leave_out) - methods:
        name = min(unknown)
        raise StoreError(f"the reference has no {name!r} to leave out; {nearest(name, methods)}")
    findings = []
    for key, theirs in rows.items():
        if theirs[0].method in leave_out:
            continue
        if key not in mine:
            findings.append(
                Finding(*key, "", None, None, "not comparable", "missing in the candidate")
            )
            continue
        findings += _compare(key, mine[key], theirs, tolerance)
    return findings


def lines(findings: Sequence[Finding], tolerance: float, leave_out: Collection[str]) -> list[str]:
    """What is not the same, one on a line, and the count of each verdict."""
    said = []
    for f in findings:
        if f.verdict != "same":
            known = f.candidate is not None and f.reference is not None
            numbers = f"{f.reference:.4g} -> {f.candidate:.4g}" if known else ""
            parts = (f.verdict, f.model, f.method, f.column, numbers, f.why)
            said.append("  ".join(filter(None, parts)))
    verdicts: tuple[Verdict, ...] = ("same", "better", "worse", "not comparable")
    counts = [f"{sum(f.verdict == v for f in findings)} {v}" for v in verdicts]
    left = f"; left out: {', '.join(leave_out)}" if leave_out else ""
    return [*said, f"{', '.join(counts)} (tolerance {tolerance:g}){left}"]


def exit_code(findings: Iterable[Finding]) -> int:
    """0 if nothing is worse, 1 if something is, 2 if something cannot be compared."""
    found = {finding.verdict for finding in findings}
    return 1 if "worse" in found else 2 if "not comparable" in found else 0


def _rows(records: Iterable[Record]) -> Mapping[tuple[str, str], list[Record]]:
    rows: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        rows.setdefault((record.model["name"], record.cell), []).append(record)
    return rows


def _compare(
    key: tuple[str, str], mine: list[Record], theirs: list[Record], tolerance: float
) -> list[Finding]:
    if why := _differs(mine, theirs):
        return [Finding(*key, "", None, None, "not comparable", why)]
    findings = []
    for column, better in theirs[0].better.items():
        ours, others = _mean(mine, column), _mean(theirs, column)
        if others is None and ours is None:
            continue
        if ours is None or others is None:
            side = "candidate" if ours is None else "reference"
            findings.append(
                Finding(*key, column, others, ours, "not comparable", f"no value in the {side}")
            )
            continue
        room = tolerance * max(1.0, abs(others)) + 2 * _spread(theirs, column)
        findings.append(Finding(*key, column, others, ours, _verdict(ours - others, better, room)))
    return findings


def _differs(mine: list[Record], theirs: list[Record]) -> str:
    """Why two rows cannot be compared; empty when they can."""
    for name in ("corpus", "formulas", "setup", "status"):
        if any(getattr(record, name) != getattr(theirs[0], name) for record in [*mine, *theirs]):
            return f"another {name}"
    ours, others = sorted(r.seed for r in mine), sorted(r.seed for r in theirs)
    return "" if ours == others else f"seeds {ours}, not {others}"


def _mean(records: list[Record], column: str) -> float | None:
    values = [value for r in records if (value := r.scores.get(column)) is not None]
    return fmean(values) if len(values) == len(records) else None


def _spread(records: list[Record], column: str) -> float:
    """The standard deviation of a column over seeds; 0 of a single one."""
    values = [value for r in records if (value := r.scores[column]) is not None]
    return stdev(values) if len(values) > 1 else 0.0


def _verdict(moved: float, better: str, room: float) -> Verdict:
    if abs(moved) <= room:
        return "same"
    if better == "gold":
        return "worse"
    return "better" if (moved > 0) == (better == "higher") else "worse"
