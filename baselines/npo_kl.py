"""Negative preference optimisation, held near the start on retain (Zhang et al., 2024)."""

from dataclasses import dataclass

from torch import Tensor

from di_bench.api import LM, Fit, Method, Pair, Recipe, kl, npo, sequence_logprob


@dataclass(frozen=True)
class NPOKL(Method):
    beta: float = 0.1
    """How soon the ascent slows down; 0.1 in the paper."""
    retain: float = 1.0
    """Weight of KL(start || model) on retain."""
    recipe: Recipe = Recipe(lr=1e-5, epochs=10)

    def unlearn(self, lm: LM, fit: Fit) -> LM:
        start = fit.reference(lm, "forget", "retain")

        def loss(lm: LM, batch: Pair) -> Tensor:
            now = sequence_logprob(lm, batch.forget)
            forget = npo(now, start.logprob(batch.forget), self.beta, batch.forget)
            near = kl(start.logits(batch.retain), lm, batch.retain)
            return forget + self.retain * near

        return fit(lm, loss, self.recipe)
