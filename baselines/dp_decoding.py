"""DP decoding: every prediction is mixed with an even one (Majmudar et al., 2022).

weight * p + (1 - weight) / V on probabilities, wherever the model is read; nothing is trained
(arXiv 2205.13621). The ranks of tokens stay, so greedy answers and accuracies do too.
"""

from dataclasses import dataclass

from di_bench.api import LM, Fit, Method, dampened, decoding


@dataclass(frozen=True)
class DPDecoding(Method):
    weight: float = 0.6
    """Of the model's own prediction; .2 to .8 in the DI paper."""

    def unlearn(self, lm: LM, fit: Fit) -> LM:
        return decoding(lm, lambda own: dampened(own, self.weight))
