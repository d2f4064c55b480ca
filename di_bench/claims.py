"""Absolute claims on rows of the candidate: `utility >= 0.95 of none`.

A claim is about the mean over seeds, and broken when the mean does not meet it. Its interval is
shown and need not clear the bound: a claim says what a build must reach, not what is beyond doubt.
"""

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from di_bench.finding import Finding, Verdict
from di_bench.side import Row, Side
from di_bench.stats import interval

SIGNS: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_CLAIM = re.compile(
    r"([^\s<>=]+)\s*(>=|<=|>|<)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?:\s+of\s+(\S+))?",
    re.ASCII,
)


@dataclass(frozen=True)
class Claim:
    """A bound on a column: a number, or so many times what another row has."""

    column: str
    sign: str
    number: float
    of: str
    """The other row (`none`, `retrain`, a method); empty where the number is the bound."""
    text: str

    def judge(self, side: Side, row: Row) -> Finding:
        """Whether a row meets it. A seed that diverged meets nothing."""
        value, bound = row.mean(self.column), self._bound(side, row)
        verdict, why = self._verdict(row, value, bound)
        return Finding(
            *row.key,
            self.column,
            verdict,
            bound,
            value,
            claim=self.text,
            why=why,
            lone=len(row.seeds) == 1,
        )

    def _verdict(self, row: Row, value: float | None, bound: float | None) -> tuple[Verdict, str]:
        for status in ("diverged", "failed"):
            if wrong := row.of(status):
                said = f"seed {wrong[0].record.seed} {status}"
                return ("broken" if status == "diverged" else "not comparable"), said
        if self.column not in row.first.better:
            return "not comparable", "the row has no such column"
        if value is None:
            return "not comparable", row.gap(self.column) or "a seed has no value"
        if bound is None:
            return "not comparable", f"no value of {self.of} beside it"
        near = math.isclose(value, bound, rel_tol=1e-9)  # .8 times .9 is a digit above .72
        if "=" in self.sign if near else SIGNS[self.sign](value, bound):
            return "holds", ""
        found = interval(row.sample(self.column))
        sure = f"; 95 % interval {found.low:.4g} to {found.high:.4g}" if found else ""
        return "broken", f"must be {self.sign} {bound:.4g}{sure}"

    def _bound(self, side: Side, row: Row) -> float | None:
        if not self.of:
            return self.number
        other = side.other(row, self.of)
        mean = other.mean(self.column) if other else None
        return None if mean is None else self.number * mean


def claim(text: str) -> Claim:
    """A claim as a gate file has it. Raises ValueError when it is not one."""
    found = _CLAIM.fullmatch(text.strip())
    if found is None or not math.isfinite(float(found[3])):
        raise ValueError(
            f"{text!r:.80} is no claim; write it as `utility >= 0.9` or `utility >= 0.9 of none`, "
            f"with one of {', '.join(SIGNS)}"
        )
    return Claim(found[1], found[2], float(found[3]), found[4] or "", " ".join(text.split()))
