"""RMU: states of forget are steered in a random direction, retain's held (Li et al., 2024).

arXiv 2403.03218. Here all trainable weights move, and only the states of answer tokens count.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from di_bench.api import LM, Fit, Method, Pair, Recipe, misdirection


@dataclass(frozen=True)
class Misdirection(Method):
    layer: int | None = None
    """The layer that is read, 1 the first; a third of the way up when not given (7 of 32 there)."""
    coefficient: float = 6.5
    """Length of the direction; 6.5 in the paper, 1 to 100 on TOFU."""
    retain: float = 1.0
    """Weight of the distance from the start on retain; 1200 in the paper, 1 on TOFU."""
    recipe: Recipe = Recipe(lr=1e-5)

    def unlearn(self, lm: LM, fit: Fit) -> LM:
        layer = max(1, round(lm.depth / 3)) if self.layer is None else self.layer
        start = fit.reference(lm, "retain", layer=layer)
        direction = torch.rand(start.states["retain"][0].shape[-1])  # from the run's seed
        target = (self.coefficient * direction / direction.norm()).to(lm.device)

        def loss(lm: LM, batch: Pair) -> Tensor:
            away = misdirection(lm.hidden(batch.forget, layer), target, batch.forget)
            kept, held = lm.hidden(batch.retain, layer), start.hidden(batch.retain)
            return away + self.retain * misdirection(kept, held, batch.retain)

        return fit(lm, loss, self.recipe)
