"""Maximum entropy on forget, gradient descent on retain (ME+GD; Yuan et al., 2024).

KL(uniform || model), as the authors' code has it; their text has KL(model || uniform) (2410.08109).
"""

from dataclasses import dataclass

from torch import Tensor

from di_bench.api import LM, Fit, Method, Pair, Recipe, nll, to_uniform


@dataclass(frozen=True)
class MaximumEntropy(Method):
    forget: float = 0.1
    """Weight of the divergence on forget; .1 in the paper."""
    retain: float = 1.0
    """Weight of the loss on retain."""
    recipe: Recipe = Recipe(lr=1e-5)

    def unlearn(self, lm: LM, fit: Fit) -> LM:
        def loss(lm: LM, batch: Pair) -> Tensor:
            even = to_uniform(lm, batch.forget)
            return self.forget * even + self.retain * nll(lm, batch.retain)

        return fit(lm, loss, self.recipe)
