"""Weighted gradient ascent: tokens already forgotten are climbed less (Wang et al., 2025).

-p^beta * loss of each token, the weight not learnt from, beside retain (arXiv 2502.19301).
"""

from dataclasses import dataclass

from torch import Tensor

from di_bench.api import LM, Fit, Method, Pair, Recipe, nll, token_nll, weighted_ascent


@dataclass(frozen=True)
class WeightedAscent(Method):
    beta: float = 1.0
    """Power of a token's probability; 5 in the authors' code, 1 in open-unlearning."""
    retain: float = 1.0
    """Weight of the loss on retain."""
    recipe: Recipe = Recipe(lr=1e-5)

    def unlearn(self, lm: LM, fit: Fit) -> LM:
        def loss(lm: LM, batch: Pair) -> Tensor:
            known = token_nll(lm, batch.forget)
            climb = weighted_ascent(known, (-self.beta * known).exp(), batch.forget)
            return climb + self.retain * nll(lm, batch.retain)

        return fit(lm, loss, self.recipe)
