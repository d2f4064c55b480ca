"""What the gate found: one verdict for each column of a row, for a row, or for a claim on it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from di_bench.stats import Difference

Verdict = Literal["worse", "broken", "not comparable", "unclear", "better", "new", "same", "holds"]
"""Gravest first. `broken` and `holds` are of claims; `unclear` is beyond the tolerance, and no more
than seeds and items may do by chance."""
QUIET: tuple[Verdict, ...] = ("same", "holds")
"""What needs no line of its own."""


@dataclass(frozen=True)
class Finding:
    """One column of one method on one model; the whole row where there is no column."""

    model: str
    method: str
    column: str
    verdict: Verdict
    reference: float | None = None
    """The mean over seeds, or what a claim asks for."""
    candidate: float | None = None
    difference: Difference | None = None
    """Candidate less reference; worked out where it is beyond the tolerance."""
    p: float | None = None
    """One-sided, adjusted for all comparisons of the check (Holm)."""
    claim: str = ""
    why: str = ""
    lone: bool = False
    """One side has a single seed."""
    again: bool = False
    """Both sides are the same runs, by the keys of their scores."""

    @property
    def what(self) -> str:
        """What it is about, within its row."""
        return self.claim or self.column


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """Gravest first, else as they stand."""
    ranks = {verdict: rank for rank, verdict in enumerate(get_args(Verdict))}
    return sorted(findings, key=lambda finding: ranks[finding.verdict])


def count(findings: Sequence[Finding]) -> str:
    """How many there are of each verdict: all that comparing may give, and what else there is."""
    said = []
    always: tuple[Verdict, ...] = ("same", "better", "unclear", "worse", "not comparable")
    rare: tuple[Verdict, ...] = ("new", "holds", "broken")
    for verdict in (*always, *rare):
        number = sum(finding.verdict == verdict for finding in findings)
        if number or verdict in always:
            said.append(f"{number} {verdict}")
    return ", ".join(said)


def exit_code(findings: Iterable[Finding]) -> int:
    """1 if something is worse or a claim broken, else 2 if something cannot be compared, else 0."""
    found = {finding.verdict for finding in findings}
    return 1 if found & {"worse", "broken"} else 2 if "not comparable" in found else 0
