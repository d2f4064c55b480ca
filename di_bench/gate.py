"""The regression gate: whether a candidate is worse than a reference, where they compare at all.

Worse takes both an effect beyond the tolerance and significance. The test is one-sided, paired
where seeds match, and adjusted for all comparisons of the check (Holm). What is within the
tolerance is not tested and counts as a p-value of 1: no more false alarms, and a quick check.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import isinf, isnan
from statistics import fmean

from di_bench.gatefile import Gate
from di_bench.method import RETRAIN
from di_bench.side import Row, Side
from di_bench.stats import Difference, difference, holm, sample
from di_bench.verdict import Finding, Verdict


@dataclass(frozen=True)
class _Comparison:
    """A column that compares; its verdict waits for all others."""

    finding: Finding
    harm: float
    """How far it moved to its bad side."""
    beyond: bool

    def p(self, side: int) -> float:
        """One-sided, of having moved to the bad side (1) or to the good one (-1) by chance."""
        found = self.finding.difference
        if found is None:
            return 1.0
        return found.p / 2 if self.harm * side > 0 else 1 - found.p / 2


@dataclass(frozen=True)
class _Move:
    """Where a column was and is, and how far it may move."""

    finding: Finding
    reference: float
    candidate: float
    room: float

    def tested(self, bad: int, test: Callable[[], Difference | None]) -> _Comparison:
        """Tested only where it is beyond its room; up is bad (1), or down is (-1)."""
        moved = self.candidate - self.reference
        beyond = abs(moved) > self.room
        found = test() if beyond else None
        finding = replace(
            self.finding, reference=self.reference, candidate=self.candidate, difference=found
        )
        if beyond and found is None and finding.lone:
            finding = replace(finding, why=_and(finding.why, "a single seed and no items to tell"))
        elif found and found.how == "items":
            finding = replace(finding, why=_and(finding.why, "a single seed: its items alone"))
        return _Comparison(finding, bad * moved, beyond)


@dataclass(frozen=True)
class _Pair:
    """A row on both sides, each with its gold."""

    mine: Row
    theirs: Row
    golds: tuple[Row | None, Row | None]

    def said(self, verdict: Verdict, column: str = "", why: str = "") -> Finding:
        lone = min(len(self.mine.seeds), len(self.theirs.seeds)) == 1
        return Finding(*self.theirs.key, column, verdict, why=why, lone=lone)


def check(candidate: Side, reference: Side, gate: Gate) -> list[Finding]:
    """Every column of every row of the reference against the candidate, and the gate's claims.

    In the order of the reference; rows that only the candidate has, and claims, come after.
    """
    found: list[Finding | _Comparison] = []
    for key, theirs in reference.rows.items():
        if not gate.judges(theirs):
            continue
        if (mine := candidate.rows.get(key)) is None:
            found.append(Finding(*key, "", "not comparable", why="missing in the candidate"))
            continue
        golds = candidate.other(mine, RETRAIN), reference.other(theirs, RETRAIN)
        found += _row(_Pair(mine, theirs, golds), gate)
    claimed = []
    for key, mine in candidate.rows.items():
        if not gate.judges(mine):
            continue
        if key not in reference.rows:
            found.append(Finding(*key, "", "new", why=_unfinished(mine)))
        claimed += [claim.judge(candidate, mine) for claim in gate.claims(mine)]
    return [*_judged(found, gate.alpha), *claimed]


def _judged(found: list[Finding | _Comparison], alpha: float) -> Iterator[Finding]:
    comparisons = [one for one in found if isinstance(one, _Comparison)]
    worse, better = (iter(holm([one.p(side) for one in comparisons])) for side in (1, -1))
    for one in found:
        if isinstance(one, Finding):
            yield one
            continue
        bad, good = next(worse), next(better)
        if not one.beyond:
            yield one.finding
            continue
        p = bad if one.harm > 0 else good
        verdict: Verdict = "worse" if one.harm > 0 else "better"
        told = one.finding.difference is not None and not isnan(p)  # scores too large to square
        yield replace(
            one.finding, verdict=verdict if p <= alpha else "unclear", p=p if told else None
        )


def _row(pair: _Pair, gate: Gate) -> Iterator[Finding | _Comparison]:
    if why := _unlike(pair.mine, pair.theirs):
        yield pair.said("not comparable", why=why)
        return
    lost, was = (
        {one.record.seed for one in row.of("diverged")} for row in (pair.mine, pair.theirs)
    )
    fresh = sorted(lost & {*pair.theirs.seeds} - was)
    if fresh or len(lost) * len(pair.theirs.seeds) > len(was) * len(pair.mine.seeds):
        seeds = ", ".join(map(str, fresh or sorted(lost)))
        yield pair.said("worse", why=f"diverged with seed {seeds}; the reference did not")
        return
    mine, theirs = pair.mine.of("done"), pair.theirs.of("done")
    if lost or was:
        verdict: Verdict = "better" if len(lost) < len(was) else "same"
        yield pair.said(verdict, why=f"{len(lost)} of its seeds diverged, {len(was)} before")
    if mine and theirs:
        done = replace(pair, mine=Row(mine), theirs=Row(theirs))
        for column, better in theirs[0].record.better.items():
            if not isinf(gate.room(column, 1.0)):
                yield from _column(done, column, better, gate)


def _unlike(mine: Row, theirs: Row) -> str:
    """Why two rows cannot be compared; empty when they can."""
    records = [one.record for one in (*mine.kept, *theirs.kept)]
    why = []
    for name in ("corpus", "model"):
        held: Mapping[str, object] = getattr(theirs.first, name)
        others: list[Mapping[str, object]] = [getattr(record, name) for record in records]
        keys = {key for one in others for key in {*one, *held} if one.get(key) != held.get(key)}
        why += [f"another {name} ({', '.join(sorted(keys))})"] if keys else []
    if any(record.setup != theirs.first.setup for record in records):
        why.append("another setup: models are grown or asked otherwise")
    for side, row in (("candidate", mine), ("reference", theirs)):
        why += [f"seed {one.record.seed} failed in the {side}" for one in row.of("failed")]
    if set(mine.seeds) < set(theirs.seeds):
        missing = ", ".join(str(seed) for seed in theirs.seeds if seed not in mine.seeds)
        why.append(f"seed {missing} is missing in the candidate (--seed compares some)")
    return "; ".join(why)


def _column(pair: _Pair, column: str, better: str, gate: Gate) -> Iterator[Finding | _Comparison]:
    mine, theirs = pair.mine, pair.theirs
    if why := _other_formula(pair, column, better):
        yield pair.said("not comparable", column, why)
    elif not any(one.value(column) is not None for one in (*mine.kept, *theirs.kept)):
        return
    elif why := _no_value(pair, column) or _other_items(pair, column):
        yield pair.said("not comparable", column, why)
    elif better != "gold":
        before, after = (fmean(row.scores(column).values()) for row in (theirs, mine))
        moved = _Move(pair.said("same", column), before, after, gate.room(column, before))
        bad = 1 if better == "lower" else -1
        yield moved.tested(bad, lambda: difference(mine.sample(column), theirs.sample(column)))
    elif theirs.first.method != RETRAIN:  # it is the gold
        yield _near_gold(pair, column, gate)


def _other_formula(pair: _Pair, column: str, better: str) -> str:
    """Why the numbers of a column are of different things; empty when they are not."""
    wanted = pair.theirs.first.formulas.get(column)
    for record in (one.record for one in (*pair.mine.kept, *pair.theirs.kept)):
        if column not in record.better:
            return "not scored with every seed of both sides"
        if (formula := record.formulas.get(column)) != wanted:
            return f"formula {formula}, not {wanted}"
        if record.better[column] != better:
            return f"{record.better[column]} is better, not {better}"
    return ""


def _no_value(pair: _Pair, column: str) -> str:
    """Why the seeds that have a value differ: a mean over some of them is of something else."""
    for side, row, other in (
        ("candidate", pair.mine, pair.theirs),
        ("reference", pair.theirs, pair.mine),
    ):
        if more := row.lacking(column) - other.lacking(column):
            said = f"no value in the {side} with seed {', '.join(map(str, sorted(more)))}"
            return ": ".join(filter(None, (said, row.gap(column))))
    return ""


def _other_items(pair: _Pair, column: str) -> str:
    """Why the numbers of items differ, where answers without a value do not explain it."""
    kept = (*pair.mine.kept, *pair.theirs.kept)
    rooms = [one.room(column) for one in kept if one.value(column) is not None]
    known, most = max(known for known, _ in rooms), min(most for _, most in rooms)
    return f"of {most:g} items and of {known}" if known > most else ""


def _near_gold(pair: _Pair, column: str, gate: Gate) -> Finding | _Comparison:
    """Of the distances to the retrain row of the same side, which tell no more than their seeds."""
    rows = (pair.mine, pair.theirs)
    ours, others = (row.distances(column, gold) for row, gold in zip(rows, pair.golds, strict=True))
    after, before = (fmean(row.scores(column).values()) for row in rows)
    room = gate.room(column, before)
    if not ours and not others:
        moved = _Move(pair.said("same", column, f"no value of {RETRAIN}"), before, after, room)
        return moved.tested(1, lambda: None)
    if not ours or not others:
        side = "reference" if ours else "candidate"
        return pair.said("not comparable", column, f"no value of {RETRAIN} in the {side}")
    said = pair.said("same", column, f"distance to {RETRAIN}")
    moved = _Move(said, fmean(others.values()), fmean(ours.values()), room)
    return moved.tested(1, lambda: difference(sample(ours, {}), sample(others, {})))


def _and(*said: str) -> str:
    return "; ".join(filter(None, said))


def _unfinished(row: Row) -> str:
    """What went wrong in a row that has nothing to be compared with."""
    wrong = [one.record for one in row.kept if one.record.status != "done"]
    return _and(*(f"seed {record.seed} {record.status}" for record in wrong))
