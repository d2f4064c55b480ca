"""The regression gate: whether a candidate is worse than a reference, where they compare at all.

Rows compare when corpus, model, setup and seeds allow it, columns when formula and items do.
Whatever does not is said and not judged; a gap that both sides have is no difference.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import isinf
from statistics import fmean

from di_bench.finding import Finding, Verdict
from di_bench.gatefile import Gate
from di_bench.method import RETRAIN
from di_bench.record import unlike
from di_bench.regression import Comparison, Move, judged
from di_bench.side import Row, Side
from di_bench.stats import Difference, difference, sample


@dataclass(frozen=True)
class _Pair:
    """A row on both sides, each with its gold."""

    mine: Row
    theirs: Row
    golds: tuple[Row | None, Row | None]

    def said(self, verdict: Verdict, column: str = "", why: str = "") -> Finding:
        lone = min(len(self.mine.seeds), len(self.theirs.seeds)) == 1
        again = self.mine.runs == self.theirs.runs
        return Finding(*self.theirs.key, column, verdict, why=why, lone=lone, again=again)


def check(candidate: Side, reference: Side, gate: Gate) -> list[Finding]:
    """Every column of every row of the reference against the candidate, and the gate's claims.

    In the order of the reference; rows that only the candidate has, and claims, come after.
    """
    found: list[Finding | Comparison] = []
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
    return [*judged(found, gate.alpha), *claimed]


def _row(pair: _Pair, gate: Gate) -> Iterator[Finding | Comparison]:
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
    why = unlike([one.record for one in (*mine.kept, *theirs.kept)])
    for side, row in (("candidate", mine), ("reference", theirs)):
        why += [f"seed {one.record.seed} failed in the {side}" for one in row.of("failed")]
    if set(mine.seeds) < set(theirs.seeds):
        missing = ", ".join(str(seed) for seed in theirs.seeds if seed not in mine.seeds)
        why.append(f"seed {missing} is missing in the candidate (--seed compares some)")
    return "; ".join(why)


def _column(pair: _Pair, column: str, better: str, gate: Gate) -> Iterator[Finding | Comparison]:
    mine, theirs = pair.mine, pair.theirs
    if why := _other_formula(pair, column, better):
        yield pair.said("not comparable", column, why)
    elif not any(one.value(column) is not None for one in (*mine.kept, *theirs.kept)):
        return
    elif why := _no_value(pair, column) or _other_items(pair, column):
        yield pair.said("not comparable", column, why)
    elif better != "gold":
        before, after = (fmean(row.scores(column).values()) for row in (theirs, mine))
        moved = Move(pair.said("same", column), before, after, gate.room(column, before))
        bad = 1 if better == "lower" else -1
        yield moved.tested(bad, lambda: _test(mine, theirs, column))
    elif theirs.first.method != RETRAIN:  # it is the gold
        yield _near_gold(pair, column, gate)


def _test(mine: Row, theirs: Row, column: str) -> Difference | None:
    """None where one seed stands against another: items cannot tell what seeds do by chance."""
    if min(len(mine.seeds), len(theirs.seeds)) == 1 and mine.seeds != theirs.seeds:
        return None
    return difference(mine.sample(column), theirs.sample(column))


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


def _near_gold(pair: _Pair, column: str, gate: Gate) -> Finding | Comparison:
    """Of the distances to the retrain row of the same side, which tell no more than their seeds."""
    rows = (pair.mine, pair.theirs)
    ours, others = (row.distances(column, gold) for row, gold in zip(rows, pair.golds, strict=True))
    after, before = (fmean(row.scores(column).values()) for row in rows)
    room = gate.room(column, before)
    if not ours and not others:
        moved = Move(pair.said("same", column, f"no value of {RETRAIN}"), before, after, room)
        return moved.tested(1, lambda: None)
    if not ours or not others:
        side = "reference" if ours else "candidate"
        return pair.said("not comparable", column, f"no value of {RETRAIN} in the {side}")
    said = pair.said("same", column, f"distance to {RETRAIN}")
    moved = Move(said, fmean(others.values()), fmean(ours.values()), room)
    return moved.tested(1, lambda: difference(sample(ours, {}), sample(others, {})))


def _unfinished(row: Row) -> str:
    """What went wrong in a row that has nothing to be compared with."""
    wrong = [one.record for one in row.kept if one.record.status != "done"]
    return "; ".join(f"seed {record.seed} {record.status}" for record in wrong)
