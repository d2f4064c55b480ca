"""The gold model, which never saw what must be forgotten. The ceiling that methods aim for."""

from dataclasses import dataclass

from di_bench.api import LM, Fit, Method


@dataclass(frozen=True)
class Retrain(Method):
    def unlearn(self, lm: LM, fit: Fit) -> LM:
        return fit.gold()
