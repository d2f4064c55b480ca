"""FLAT: refusals over answers by total variation, on forget data alone (Wang et al., 2025).

-tanh(P_refusal) / 2 + tanh(P_answer) / 2 with P an answer's mean token probability (2410.11143).
"""

from dataclasses import dataclass

from torch import Tensor

from di_bench.api import LM, Fit, Method, Pair, Recipe, answer_probability, flat


@dataclass(frozen=True)
class Flat(Method):
    recipe: Recipe = Recipe(lr=1e-5)

    def unlearn(self, lm: LM, fit: Fit) -> LM:
        def loss(lm: LM, batch: Pair) -> Tensor:
            good = answer_probability(lm, batch.refusal)
            return flat(good, answer_probability(lm, batch.forget), batch.forget)

        return fit(lm, loss, self.recipe)
