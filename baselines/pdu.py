"""PDU: flatten the logits of forget as far as a bound on retain allows (Entesari et al., 2025).

min (max z - mean z)^2 on forget, subject to a loss on retain of at most `bound`, by steps of the
weights and of the multiplier in turn (arXiv 2506.05314).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from di_bench.api import LM, Fit, Method, Pair, Recipe, confusion, nll


@dataclass(frozen=True)
class PrimalDual(Method):
    bound: float = 0.3
    """Largest mean loss on retain, in nats a token; .3 on TOFU in the paper."""
    multiplier: float = 100.0
    """Of the bound's excess, at the start; 100 on TOFU in the paper."""
    step: float = 5.0
    """How fast the multiplier follows the excess; 5 on TOFU in the paper."""
    warmup: int = 0
    """Steps before the multiplier moves; five epochs in the paper."""
    recipe: Recipe = Recipe(lr=1e-5, epochs=10)

    def unlearn(self, lm: LM, fit: Fit) -> LM:
        dual, done = self.multiplier, 0

        def loss(lm: LM, batch: Pair) -> Tensor:
            kept = nll(lm, batch.retain)
            batch.note("retain", kept)
            return confusion(lm, batch.forget) + dual * kept  # the bound itself has no gradient

        def after(noted: Mapping[str, float]) -> None:
            nonlocal dual, done
            done += 1
            if done > self.warmup:
                dual = max(0.0, dual + self.step * (noted["retain"] - self.bound))

        return fit(lm, loss, self.recipe, after=after)
