"""Attacks that guess membership: each gives a text a number, lower for members.

The sign is open-unlearning's, as its logs have it. A text of no tokens has no number.
"""

import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace

from di_bench.metrics.items import mean, mean_logprob
from di_bench.transcript import Row

Attack = Callable[[Row], float | None]
"""Lower for members; None where there are no tokens to judge by."""
LOWEST = 0.4
"""Share of tokens that Min-K and Min-K++ look at, as TOFU's and MUSE's harnesses set it."""


def loss(row: Row) -> float | None:
    """Mean negative log-probability per token, in nats (Yeom et al. 2018, arXiv 1709.01604)."""
    logprob = mean_logprob(row)
    return None if logprob is None else -logprob


def zlib_ratio(row: Row) -> float | None:
    """The loss over the bytes the text takes compressed (Carlini et al. 2021)."""
    value = loss(row)
    return None if value is None else value / len(zlib.compress(row.truth.encode(errors="replace")))


def min_k(row: Row) -> float | None:
    """Minus the mean of the lowest log-probabilities (Shi et al. 2024, arXiv 2310.16789)."""
    return None if mean_logprob(row) is None else -_lowest(row.logprobs)


def min_k_plus_plus(row: Row) -> float | None:
    """As Min-K, of log-probabilities in standard deviations from their mean under the prediction.

    Zhang et al. 2024 (arXiv 2404.02936); a variance below 1e-6 counts as 1e-6.
    """
    if mean_logprob(row) is None:
        return None
    told = zip(row.logprobs, row.entropies, row.variances, strict=True)
    return -_lowest([(p + entropy) / math.sqrt(max(var, 1e-6)) for p, entropy, var in told])


def _lowest(values: Sequence[float]) -> float:
    if any(map(math.isnan, values)):  # sorting would put it anywhere, and so out of sight
        return math.nan
    return mean(sorted(values)[: max(1, int(len(values) * LOWEST))])


def _shortened(row: Row) -> Row:
    kept = {name: getattr(row, name)[:-1] for name in ("logprobs", "entropies", "variances")}
    return replace(row, **kept)


def but_the_last(attack: Attack) -> Attack:
    """An attack that does not see the last token of an answer, which is taken for its end."""

    def seen(row: Row) -> float | None:
        return None if mean_logprob(row) is None else attack(_shortened(row))

    return seen
