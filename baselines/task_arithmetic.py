"""Task arithmetic: learn forget better still, then go as far the other way (Ilharco et al., 2023).

start - scale * (learnt - start), on the difference of weights and not on the weights themselves
(arXiv 2212.04089). Under an adapter the difference is the product B A.
"""

from dataclasses import dataclass

from torch import Tensor

from di_bench.api import LM, Fit, Method, Pair, Recipe, extrapolate, nll, trained


@dataclass(frozen=True)
class TaskArithmetic(Method):
    scale: float = 1.0
    """How far to go the other way; 5 in MUSE (Shi et al., 2024)."""
    recipe: Recipe = Recipe(lr=1e-5, epochs=10)

    def unlearn(self, lm: LM, fit: Fit) -> LM:
        start = trained(lm)

        def loss(lm: LM, batch: Pair) -> Tensor:
            return nll(lm, batch.forget)

        return extrapolate(fit(lm, loss, self.recipe), start, -self.scale)
