"""Deliberate imagination with the ordinary loss on retain beside it (after Dong et al., 2024)."""

from dataclasses import dataclass

from torch import Tensor

from di_bench.api import LM, Fit, Method, Pair, Recipe, distil, nll


@dataclass(frozen=True)
class DeliberateImaginationRetain(Method):
    strength: float = 10.0
    """Logits taken off the true token of the teacher; 3 to 30 in the paper."""
    retain: float = 1.0
    """Weight of the loss on retain."""
    recipe: Recipe = Recipe(lr=1e-4, epochs=10)

    def unlearn(self, lm: LM, fit: Fit) -> LM:
        teacher = fit.reference(lm, "forget")

        def loss(lm: LM, batch: Pair) -> Tensor:
            imagined = distil(lm, teacher.lowered(batch.forget, self.strength), batch.forget)
            return imagined + self.retain * nll(lm, batch.retain)

        return fit(lm, loss, self.recipe)
