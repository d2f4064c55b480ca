"""SatImp: ascent weighted by saturation and importance of each token (Yang et al., 2025).

-p^saturation (1 - p)^importance * loss, the weight not learnt from, beside retain (2505.11953).
"""

from dataclasses import dataclass

from torch import Tensor

from di_bench.api import LM, Fit, Method, Pair, Recipe, nll, token_nll, weighted_ascent


@dataclass(frozen=True)
class SatImp(Method):
    saturation: float = 5.0
    """Power of p; 5 in the authors' code."""
    importance: float = 0.1
    """Power of 1 - p; .1 in the authors' code, 1 in open-unlearning."""
    retain: float = 1.0
    """Weight of the loss on retain."""
    recipe: Recipe = Recipe(lr=1e-5)

    def unlearn(self, lm: LM, fit: Fit) -> LM:
        def loss(lm: LM, batch: Pair) -> Tensor:
            known = token_nll(lm, batch.forget)
            p = (-known.detach()).exp()
            weight = p**self.saturation * (1 - p) ** self.importance
            climb = weighted_ascent(known, weight, batch.forget)
            return climb + self.retain * nll(lm, batch.retain)

        return fit(lm, loss, self.recipe)
