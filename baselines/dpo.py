"""Direct preference optimisation: a refusal is preferred to the answer (Maini et al., 2024)."""

from dataclasses import dataclass

from torch import Tensor

from di_bench.api import LM, Fit, Method, Pair, Recipe, dpo, nll, sequence_logprob


@dataclass(frozen=True)
class RefusalPreference(Method):
    beta: float = 0.1
    """How sharply a change from the start is felt; 0.1 in the paper."""
    retain: float = 1.0
    """Weight of the loss on retain."""
    recipe: Recipe = Recipe(lr=1e-5)

    def unlearn(self, lm: LM, fit: Fit) -> LM:
        start = fit.reference(lm, "forget", "refusal")

        def loss(lm: LM, batch: Pair) -> Tensor:
            better = sequence_logprob(lm, batch.refusal) - start.logprob(batch.refusal)
            worse = sequence_logprob(lm, batch.forget) - start.logprob(batch.forget)
            preferred = dpo(better, worse, self.beta, batch.forget)
            return preferred + self.retain * nll(lm, batch.retain)

        return fit(lm, loss, self.recipe)
