"""Ascent on forget, held near the start on retain: KL(start || model) (Maini et al., 2024)."""

from dataclasses import dataclass

from torch import Tensor

from di_bench.api import LM, Fit, Method, Pair, Recipe, kl, nll


@dataclass(frozen=True)
class KLMinimisation(Method):
    retain: float = 1.0
    """Weight of the divergence from the start on retain."""
    recipe: Recipe = Recipe(lr=1e-5)

    def unlearn(self, lm: LM, fit: Fit) -> LM:
        start = fit.reference(lm, "retain")

        def loss(lm: LM, batch: Pair) -> Tensor:
            near = kl(start.logits(batch.retain), lm, batch.retain)
            return self.retain * near - nll(lm, batch.forget)

        return fit(lm, loss, self.recipe)
