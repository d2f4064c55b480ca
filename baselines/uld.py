"""ULD: a small assistant learns forget and unlearns retain, and is subtracted (Ji et al., 2024).

z + weight * z_assistant over the likelier tokens, wherever the model is read; its weights stay. The
assistant is the first layers of the model itself (arXiv 2406.08607).
"""

from dataclasses import dataclass

from torch import Tensor

from di_bench.api import LM, Fit, Method, Pair, Recipe, decoding, nll, offset, to_uniform, twin


@dataclass(frozen=True)
class LogitDifference(Method):
    weight: float = -0.8
    """Of the assistant's logits; -.8 in the paper."""
    keep: float = 0.01
    """Odds against the likeliest token from which a token is touched; .01 in the paper."""
    layers: int | None = None
    """Of the assistant; half of the model's when not given (8 of 32 there)."""
    retain: float = 5.0
    """Weight of KL(uniform || assistant) on retain; 5 in the paper's code."""
    recipe: Recipe = Recipe(lr=1e-3, epochs=10)

    def unlearn(self, lm: LM, fit: Fit) -> LM:
        def loss(lm: LM, batch: Pair) -> Tensor:
            return nll(lm, batch.forget) + self.retain * to_uniform(lm, batch.retain)

        small = twin(lm, max(1, lm.depth // 2) if self.layers is None else self.layers)
        assistant = fit(small, loss, self.recipe)
        return decoding(
            lm, lambda own, other: offset(own, other, self.weight, self.keep), beside=assistant
        )
