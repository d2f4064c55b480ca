"""Contrastive decoding: subtract a second model that knows forget better (after Li et al., 2023).

z - weight * ReLU(z_memory - z) wherever the model is read; its own weights stay. A baseline of Dong
et al., 2024 (arXiv 2402.10052).
"""

from dataclasses import dataclass

from torch import Tensor

from di_bench.api import LM, Fit, Method, Pair, Recipe, decoding, generic, nll, twin


@dataclass(frozen=True)
class ContrastiveDecoding(Method):
    weight: float = 1.0
    """Of what the memory adds; .1 to 3 in the DI paper."""
    recipe: Recipe = Recipe(lr=1e-4, epochs=10)

    def unlearn(self, lm: LM, fit: Fit) -> LM:
        def loss(lm: LM, batch: Pair) -> Tensor:
            return nll(lm, batch.forget)

        memory = fit(twin(lm), loss, self.recipe)
        return decoding(lm, lambda own, other: generic(own, other, self.weight), beside=memory)
