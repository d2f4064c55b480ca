"""Negative preference optimisation: ascent that slows as the text fades (Zhang et al., 2024)."""

from dataclasses import dataclass

from torch import Tensor

from di_bench.api import LM, Fit, Method, Pair, Recipe, nll, npo, sequence_logprob


@dataclass(frozen=True)
class NPO(Method):
    beta: float = 0.1
    """How soon the ascent slows down; 0 would be gradient ascent. 0.1 in the paper."""
    retain: float = 1.0
    """Weight of the loss on retain; 0 is plain NPO."""
    recipe: Recipe = Recipe(lr=1e-5, epochs=10)

    def unlearn(self, lm: LM, fit: Fit) -> LM:
        start = fit.reference(lm, "forget")

        def loss(lm: LM, batch: Pair) -> Tensor:
            now = sequence_logprob(lm, batch.forget)
            forget = npo(now, start.logprob(batch.forget), self.beta, batch.forget)
            return forget + self.retain * nll(lm, batch.retain) if self.retain else forget

        return fit(lm, loss, self.recipe)
