"""Gradient ascent: climb the loss on what must go (Jang et al., 2023, arXiv 2210.01504)."""

from dataclasses import dataclass

from torch import Tensor

from di_bench.api import LM, Fit, Method, Pair, Recipe, nll


@dataclass(frozen=True)
class GradientAscent(Method):
    recipe: Recipe = Recipe(lr=1e-5)

    def unlearn(self, lm: LM, fit: Fit) -> LM:
        def loss(lm: LM, batch: Pair) -> Tensor:
            return -nll(lm, batch.forget)

        return fit(lm, loss, self.recipe)
