"""SimNPO: negative preferences by an answer's mean loss, without a reference (Fan et al., 2024).

arXiv 2410.07163. The paper's margin gamma is beta * delta.
"""

from dataclasses import dataclass

from torch import Tensor

from di_bench.api import LM, Fit, Method, Pair, Recipe, answer_nll, nll, simnpo


@dataclass(frozen=True)
class SimNPO(Method):
    beta: float = 4.5
    """How soon the ascent slows down; 4.5 on forget10, 2.5 on forget05 in the paper."""
    delta: float = 0.0
    """Mean loss, in nats a token, at which it has half slowed down."""
    forget: float = 0.125
    """Weight of the loss on forget; .125 on forget10 in the paper."""
    retain: float = 1.0
    """Weight of the loss on retain."""
    recipe: Recipe = Recipe(lr=1e-5, epochs=10)

    def unlearn(self, lm: LM, fit: Fit) -> LM:
        def loss(lm: LM, batch: Pair) -> Tensor:
            faded = simnpo(answer_nll(lm, batch.forget), self.beta, self.delta, batch.forget)
            return self.forget * faded + self.retain * nll(lm, batch.retain)

        return fit(lm, loss, self.recipe)
