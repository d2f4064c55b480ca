"""Gradient difference: ascent on forget, descent on retain (Maini et al., 2024)."""

from dataclasses import dataclass

from torch import Tensor

from di_bench.api import LM, Fit, Method, Pair, Recipe, nll


@dataclass(frozen=True)
class GradientDifference(Method):
    forget: float = 1.0
    """Weight of the ascent on forget."""
    retain: float = 1.0
    """Weight of the descent on retain."""
    recipe: Recipe = Recipe(lr=1e-5)

    def unlearn(self, lm: LM, fit: Fit) -> LM:
        def loss(lm: LM, batch: Pair) -> Tensor:
            return self.retain * nll(lm, batch.retain) - self.forget * nll(lm, batch.forget)

        return fit(lm, loss, self.recipe)
