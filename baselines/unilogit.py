"""Unilogit: its own prediction, with 1/V for the true token, is the target (Vasilev et al., 2025).

Reverse KL from the model to that target, made anew from the current model (arXiv 2505.06027).
"""

from dataclasses import dataclass

from torch import Tensor

from di_bench.api import LM, Fit, Method, Pair, Recipe, nll, uniform_target


@dataclass(frozen=True)
class Unilogit(Method):
    retain: float = 1.0
    """Weight of the loss on retain."""
    recipe: Recipe = Recipe(lr=1e-5)

    def unlearn(self, lm: LM, fit: Fit) -> LM:
        def loss(lm: LM, batch: Pair) -> Tensor:
            return uniform_target(lm, batch.forget) + self.retain * nll(lm, batch.retain)

        return fit(lm, loss, self.recipe)
