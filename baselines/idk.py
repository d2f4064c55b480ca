"""Refusals learnt in place of the answers, beside retain (IdkNLL; Maini et al., 2024)."""

from dataclasses import dataclass

from torch import Tensor

from di_bench.api import LM, Fit, Method, Pair, Recipe, nll


@dataclass(frozen=True)
class Refusal(Method):
    retain: float = 1.0
    """Weight of the loss on retain."""
    recipe: Recipe = Recipe(lr=1e-5)

    def unlearn(self, lm: LM, fit: Fit) -> LM:
        def loss(lm: LM, batch: Pair) -> Tensor:
            return nll(lm, batch.refusal) + self.retain * nll(lm, batch.retain)

        return fit(lm, loss, self.recipe)
