"""A column on both sides: whether it moved beyond its room, and whether chance may do that.

The test is one-sided, paired where seeds match, and adjusted for all comparisons of the check
(Holm). Cells that are the same run again, by their keys, are adjusted apart from those that
changed: rows that stand still do not dull the test of the one that moved. What is within the
tolerance is not tested and counts as a p-value of 1: no more false alarms, and a quick check.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from di_bench.finding import Finding, Verdict
from di_bench.stats import Difference, holm


@dataclass(frozen=True)
class Comparison:
    """A column that compares; its verdict waits for all others."""

    finding: Finding
    bad: int
    """1 where up is bad, -1 where down is."""
    harm: float
    """How far it moved to its bad side."""
    beyond: bool

    def p(self, side: int) -> float:
        """One-sided, of having moved to the bad side (1) or to the good one (-1) by chance.

        What is tested may be of the shared seeds alone, and point elsewhere than all of them do.
        """
        found = self.finding.difference
        if found is None:
            return 1.0
        return found.p / 2 if found.mean * self.bad * side > 0 else 1 - found.p / 2


@dataclass(frozen=True)
class Move:
    """Where a column was and is, and how far it may move."""

    finding: Finding
    reference: float
    candidate: float
    room: float

    def tested(self, bad: int, test: Callable[[], Difference | None]) -> Comparison:
        """Tested only where it is beyond its room; up is bad (1), or down is (-1)."""
        moved = self.candidate - self.reference
        beyond = abs(moved) > self.room
        found = test() if beyond else None
        said = _limits(self.finding, found) if beyond else ""
        finding = replace(
            self.finding,
            reference=self.reference,
            candidate=self.candidate,
            difference=found,
            why="; ".join(filter(None, (self.finding.why, said))),
        )
        return Comparison(finding, bad, bad * moved, beyond)


def _limits(finding: Finding, found: Difference | None) -> str:
    """What keeps a test from saying all."""
    if found is not None:
        return "a single seed: its items alone" if found.how == "items" else ""
    if finding.lone:
        return "a single seed: nothing tells what another would give"
    return "" if finding.why else "no test of such numbers"


def judged(found: list[Finding | Comparison], alpha: float) -> Iterator[Finding]:
    """The findings in order, with the verdict of each comparison now that all are known."""
    comparisons = [one for one in found if isinstance(one, Comparison)]
    worse, better = (iter(_adjusted(comparisons, side)) for side in (1, -1))
    for one in found:
        if isinstance(one, Finding):
            yield one
            continue
        bad, good = next(worse), next(better)
        if not one.beyond:
            yield one.finding
            continue
        p = bad if one.harm > 0 else good
        verdict: Verdict = "unclear" if p > alpha else "worse" if one.harm > 0 else "better"
        told = None if one.finding.difference is None else p
        yield replace(one.finding, verdict=verdict, p=told)


def _adjusted(comparisons: Sequence[Comparison], side: int) -> list[float]:
    """P-values for the whole check: Holm in each family, and that for as many as there are."""
    adjusted = [1.0] * len(comparisons)
    families = {one.finding.again for one in comparisons}
    for family in families:
        places = [at for at, one in enumerate(comparisons) if one.finding.again is family]
        found = holm([comparisons[at].p(side) for at in places])
        for at, p in zip(places, found, strict=True):
            adjusted[at] = min(1.0, len(families) * p)
    return adjusted
