"""No unlearning: the model as it was. The floor that every other row is read against."""

from dataclasses import dataclass

from di_bench.api import LM, Fit, Method


@dataclass(frozen=True)
class Nothing(Method):
    def unlearn(self, lm: LM, fit: Fit) -> LM:
        return lm
