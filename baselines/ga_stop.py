"""Gradient ascent until no more is known by heart than of unseen text (Jang et al., 2023).

Training ends after the first epoch in which EL_n and MA of forget are both at or below those of the
suite's `watch.unseen` before it began (arXiv 2210.01504).
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from di_bench.api import LM, Fit, Method, Pair, Recipe, nll


@dataclass(frozen=True)
class StoppedAscent(Method):
    watches: ClassVar[tuple[str, ...]] = ("unseen",)
    n: int = 10
    """Tokens of an n-gram of EL_n; 10 in the paper. Shorter answers have none."""
    stride: int = 16
    """Every how many answer tokens the model is made to go on from; 1 in the paper."""
    recipe: Recipe = Recipe(lr=1e-5)

    def unlearn(self, lm: LM, fit: Fit) -> LM:
        unseen = fit.recall(lm, "unseen", self.n, self.stride)

        def loss(lm: LM, batch: Pair) -> Tensor:
            return -nll(lm, batch.forget)

        def forgotten(lm: LM) -> bool:
            return fit.recall(lm, "forget", self.n, self.stride).within(unseen)

        return fit(lm, loss, self.recipe, stop=forgotten)
