"""Who's Harry Potter: learn what a model says without what more training adds (Eldan et al., 2023).

A reinforced model learns forget by heart; the target is z - alpha ReLU(z_reinforced - z) on forget
(arXiv 2310.02238). Its anchored entity replacements need a list of terms and are not built.
"""

from dataclasses import dataclass, replace

from torch import Tensor

from di_bench.api import LM, Fit, Method, Pair, Recipe, distil, generic, nll, twin


@dataclass(frozen=True)
class GenericPrediction(Method):
    alpha: float = 5.0
    """How much of what reinforcing added is taken off; 5 in the paper, 1 in MUSE."""
    reinforce: int = 3
    """Epochs of the reinforced model; 3 in the paper."""
    recipe: Recipe = Recipe(lr=1e-5)

    def unlearn(self, lm: LM, fit: Fit) -> LM:
        def learn(lm: LM, batch: Pair) -> Tensor:
            return nll(lm, batch.forget)

        start = fit.reference(lm, "forget")
        strong = fit(twin(lm), learn, replace(self.recipe, epochs=self.reinforce))
        reinforced = fit.reference(strong, "forget")
        del strong

        def loss(lm: LM, batch: Pair) -> Tensor:
            before, after = start.logits(batch.forget), reinforced.logits(batch.forget)
            return distil(lm, generic(before, after, self.alpha), batch.forget)

        return fit(lm, loss, self.recipe)
