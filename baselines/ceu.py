"""CE-U: learn from its own prediction with the true token struck out (Yang et al., 2025).

The true logit of the target is minus infinity; the first token of an answer is left alone, and only
forget data is used (arXiv 2503.01224).
"""

from dataclasses import dataclass

from torch import Tensor

from di_bench.api import LM, Fit, Method, Pair, Recipe, without_truth


@dataclass(frozen=True)
class CrossEntropyUnlearning(Method):
    recipe: Recipe = Recipe(lr=1e-5)

    def unlearn(self, lm: LM, fit: Fit) -> LM:
        def loss(lm: LM, batch: Pair) -> Tensor:
            return without_truth(lm, batch.forget)

        return fit(lm, loss, self.recipe)
