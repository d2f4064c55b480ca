"""Deliberate imagination with more weight on the fact (soft focus; Dong et al., 2024).

The fact is where an item's `focus` says; where it says nothing, tokens that the target finds likely
and the base does not (`by: surprise`), or spaCy's `entities` or `noun_chunks`, as in the paper
(arXiv 2402.10052).
"""

from dataclasses import dataclass

from torch import Tensor

from di_bench.api import LM, By, Fit, Method, Pair, Recipe, focused, token_distil


@dataclass(frozen=True)
class SoftFocus(Method):
    strength: float = 10.0
    """Logits taken off the true token of the teacher; 3 to 30 in the paper."""
    weight: float = 10.0
    """Of a token in focus; 1 is that of any other. 10 in the paper."""
    by: By = "surprise"
    """How to find the fact in an item that does not name it."""
    pipeline: str = "en_core_web_sm"
    """spaCy's, where `by` asks it."""
    recipe: Recipe = Recipe(lr=1e-4, epochs=10)

    def unlearn(self, lm: LM, fit: Fit) -> LM:
        fit.focus(lm, self.by, self.pipeline)
        teacher = fit.reference(lm, "forget")

        def loss(lm: LM, batch: Pair) -> Tensor:
            lowered = teacher.lowered(batch.forget, self.strength)
            soft = token_distil(lm, lowered, batch.forget)
            return focused(soft, batch.forget, outside=1.0, inside=self.weight)

        return fit(lm, loss, self.recipe)
