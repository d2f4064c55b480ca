"""AltPO: other answers of the model's own are preferred to the true one (Mekala et al., 2024).

The model writes the alternates itself before training (arXiv 2409.13474); here by sampling, with
the true answer left out, since small models follow no instruction to invent one.
"""

from dataclasses import dataclass

from torch import Tensor

from di_bench.api import LM, Fit, Method, Pair, Recipe, dpo, nll, sequence_logprob


@dataclass(frozen=True)
class AlternatePreference(Method):
    beta: float = 0.1
    """How sharply a change from the start is felt; .05 to .5 in the paper."""
    retain: float = 1.0
    """Weight of the loss on retain."""
    count: int = 5
    """Alternates to each question; epochs take them in turn. 5 in the paper."""
    temperature: float = 1.5
    """Of the sampling; doubled while a model has nothing else to say."""
    recipe: Recipe = Recipe(lr=1e-5)

    def unlearn(self, lm: LM, fit: Fit) -> LM:
        fit.imagine(lm, self.count, self.temperature)
        start = fit.reference(lm, "forget", "alternate")

        def loss(lm: LM, batch: Pair) -> Tensor:
            better = sequence_logprob(lm, batch.alternate) - start.logprob(batch.alternate)
            worse = sequence_logprob(lm, batch.forget) - start.logprob(batch.forget)
            preferred = dpo(better, worse, self.beta, batch.forget)
            return preferred + self.retain * nll(lm, batch.retain)

        return fit(lm, loss, self.recipe)
