"""Deliberate imagination: learn from yourself with the memory turned down (Dong et al., 2024).

The teacher is the model as it was, with `strength` taken off the logit of each true token (arXiv
2402.10052, later UNDIAL). Only forget data is used.
"""

from dataclasses import dataclass

from torch import Tensor

from di_bench.api import LM, Fit, Method, Pair, Recipe, distil


@dataclass(frozen=True)
class DeliberateImagination(Method):
    strength: float = 10.0
    """Logits taken off the true token of the teacher; 3 to 30 in the paper."""
    recipe: Recipe = Recipe(lr=1e-4, epochs=10)

    def unlearn(self, lm: LM, fit: Fit) -> LM:
        teacher = fit.reference(lm, "forget")

        def loss(lm: LM, batch: Pair) -> Tensor:
            return distil(lm, teacher.lowered(batch.forget, self.strength), batch.forget)

        return fit(lm, loss, self.recipe)
