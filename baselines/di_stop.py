"""Deliberate imagination until held-out text suffers (early stop; Dong et al., 2024).

Training ends after the first epoch in which the perplexity of the suite's `watch.text` is above
`rise` times what it was at the start (arXiv 2402.10052).
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from di_bench.api import LM, Fit, Method, Pair, Recipe, distil


@dataclass(frozen=True)
class EarlyStop(Method):
    watches: ClassVar[tuple[str, ...]] = ("text",)
    strength: float = 10.0
    """Logits taken off the true token of the teacher; 3 to 30 in the paper."""
    rise: float = 1.03
    """How far perplexity may rise, as a factor; 1.03 in the paper's code."""
    recipe: Recipe = Recipe(lr=1e-4, epochs=10)

    def unlearn(self, lm: LM, fit: Fit) -> LM:
        teacher = fit.reference(lm, "forget")
        limit = self.rise * fit.perplexity(lm)

        def loss(lm: LM, batch: Pair) -> Tensor:
            return distil(lm, teacher.lowered(batch.forget, self.strength), batch.forget)

        return fit(lm, loss, self.recipe, stop=lambda lm: fit.perplexity(lm) > limit)
