"""Truth ratio and forget quality: how like a model that never saw the forget set.

R compares wrong answers with the right one: below 1 the model prefers the truth. It exists in two
definitions, a geometric mean over the wrong answers (TOFU's code, published numbers) and an
arithmetic one (TOFU's paper). Everything here works on log R, which neither under- nor overflows.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import combinations

from di_bench.metrics.items import average, mean, mean_logprob
from di_bench.metrics.metric import GapError, Score
from di_bench.transcript import Row, Rows

NO_PAIR = "no item has both a right and a perturbed answer"


def log_mean_exp(logs: Sequence[float]) -> float:
    """Log of the mean of exp, without leaving the range of a float."""
    top = max(logs)
    if top == -math.inf:
        return top
    return top + math.log(mean([math.exp(log - top) for log in logs]))


Over = Callable[[Sequence[float]], float]
"""The mean of log-probabilities: `mean` is geometric, `log_mean_exp` arithmetic."""


def log_ratios(rows: Rows, over: Over = mean) -> list[tuple[Row, float | None]]:
    """Log R of each item, or None if it lacks a side; `over` is `mean` or `log_mean_exp`.

    The right answer is the paraphrase where one was read, else the answer itself. The row beside
    each value is the item's first. Use the values themselves to compare distributions.
    """
    first: dict[str, Row] = {}
    logs: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        first.setdefault(row.item, row)
        logprob = mean_logprob(row)
        if logprob is not None:
            logs.setdefault((row.item, row.part), []).append(logprob)
    ratios: list[tuple[Row, float | None]] = []
    for item, row in first.items():
        right = logs.get((item, "paraphrase")) or logs.get((item, "answer"))
        wrong = logs.get((item, "perturbed"))
        ratio = over(wrong) - over(right) if right and wrong else None
        if ratio is not None and math.isnan(ratio):
            raise GapError(f"item {item!r} has probability zero for right and wrong answers")
        ratios.append((row, ratio))
    return ratios


def closeness(log_ratio: float) -> float:
    """min(R, 1/R), 0 to 1."""
    return math.exp(-abs(log_ratio))


def truth_ratio(rows: Rows) -> Score:
    """min(R, 1/R) over items, R = exp(mean_i log p(wrong_i) - log p(right)), p per token.

    Source: TOFU (Maini et al. 2024, arXiv 2401.06121); geometric, as its code and its peers print.
    Range: 0 to 1. Better: nearer the gold model's value, not higher.
    Good or bad: on TOFU forget10 a gold model gives .63, the model before unlearning .48.
    Lies: 1 means indifferent, which gibberish is too; R and 1/R look alike.
    """
    close = ((row, None if r is None else closeness(r)) for row, r in log_ratios(rows))
    return average(close, NO_PAIR)


def truth_ratio_arith(rows: Rows) -> Score:
    """min(R, 1/R) over items, R = [mean_i p(wrong_i)] / p(right), p per token.

    Source: TOFU (Maini et al. 2024, arXiv 2401.06121), equation 1 of the paper.
    Range: 0 to 1. Better: nearer the gold model's value, not higher.
    Good or bad: on TOFU forget10 a gold model gives .64, the model before unlearning .49.
    Lies: as the geometric form does, with which it does not compare; one likely wrong answer rules.
    """
    close = (
        (row, None if r is None else closeness(r)) for row, r in log_ratios(rows, log_mean_exp)
    )
    return average(close, NO_PAIR)


def deviations(own: Sequence[float], gold: Sequence[float]) -> tuple[int, int]:
    """By how many items own's values lie above gold's at most, and below; equal numbers of items.

    The larger of the two, over n, is the Kolmogorov-Smirnov D.
    """
    mine, theirs = sorted(own), sorted(gold)
    gaps = [bisect_right(theirs, x) - bisect_right(mine, x) for x in {*mine, *theirs}]
    return max(0, *gaps), -min(0, *gaps)


def log10_p(height: int, n: int) -> float:
    """log10 of the exact two-sided KS p-value for two samples of n and D = height / n.

    p = 2 sum_k (-1)^(k-1) C(2n, n-kh) / C(2n, n) (Gnedenko and Korolyuk 1951). For D = 1 it is the
    floor 2 / C(2n, n). Summed relative to its first term, so it never underflows.
    """
    if height == 0:
        return 0.0
    terms = [
        2 * math.lgamma(n + 1) - math.lgamma(n - reach + 1) - math.lgamma(n + reach + 1)
        for reach in range(height, n + 1, height)
    ]
    rest = math.fsum((1 - 2 * (k % 2)) * math.exp(t - terms[0]) for k, t in enumerate(terms))
    return min(0.0, (math.log(2 * rest) + terms[0]) / math.log(10))


def forget_quality_arith(rows: Rows, *, golds: Sequence[Sequence[Rows]]) -> Score:
    """As the geometric form, on R = [mean_i p(wrong_i)] / p(right).

    Source: TOFU (Maini et al. 2024, arXiv 2401.06121), as its paper and `utils.py` have it.
    Range: 0 to 1. Better: higher. Parts as of the geometric form.
    Good or bad: as the geometric form.
    Lies: as the geometric form, with which it does not compare.
    """
    return _forget_quality(rows, golds, log_mean_exp)


def forget_quality(rows: Rows, *, golds: Sequence[Sequence[Rows]]) -> Score:
    """Exact p of a two-sample Kolmogorov-Smirnov test between own and gold R (geometric).

    Source: TOFU (Maini et al. 2024, arXiv 2401.06121). Several golds: the geometric mean of the p.
    Range: 0 to 1. Better: higher. Parts: `D`, `log10_p` (means over golds), `n`, and `direction`,
    1 if own R is the larger (forgot more than gold), -1 if smaller (still remembers).
    Good or bad: pairs of TOFU golds give .87 to 1; .05 is far from a gold, not a pass.
    Lies: it falls with n and ends at 2/C(2n, n), so read D; it rewards garbage that shifts R right.
    There are no items: a p-value is no mean of them.
    """
    return _forget_quality(rows, golds, mean)


def _forget_quality(rows: Rows, golds: Sequence[Sequence[Rows]], over: Over) -> Score:
    own = _raw(rows, over)
    tested = [_against(own, gold[0], at, over) for at, gold in enumerate(golds)]
    count = len(own)
    exponent = mean([log10_p(max(sides), count) for sides in tested])
    lean = sum(max(up, down) * _sign(up - down) for up, down in tested)
    parts = {
        "D": mean([max(sides) / count for sides in tested]),
        "direction": float(_sign(lean)),
        "log10_p": exponent,
        "n": float(count),
    }
    return Score(10.0**exponent, parts=parts)


def gold_distance(rows: Rows, *, golds: Sequence[Sequence[Rows]]) -> Score:
    """D from golds of other seeds over D among golds: how far from a gold, in steps of their noise.

    D is the Kolmogorov-Smirnov distance of R (geometric). Its own seed's gold comes first and only
    enters the noise. Source: ours; the noise of retraining is what Maini et al. leave out.
    Range: 0 up. Better: lower; 1 is as far as another gold. Parts: `D`, `D_golds`, `pairs`.
    Good or bad: golds of TOFU differ by .02 to .06 in D; a few times that is plainly no gold.
    Lies: three golds are three pairs that share golds, so the noise itself is poorly known.
    There are no items: a distance between distributions is no mean of them.
    """
    if len(golds) < 2:
        raise GapError("golds of two grow seeds or more are needed to know their noise")
    own = _raw(rows, mean)
    ratios = [_raw(gold[0], mean) for gold in golds]
    far = [_height(own, gold) for gold in ratios[1:]]
    noise = [_height(one, other) for one, other in combinations(ratios, 2)]
    if not any(noise):
        raise GapError("the golds do not differ at all")
    parts = {"D": mean(far), "D_golds": mean(noise), "pairs": float(len(noise))}
    return Score(parts["D"] / parts["D_golds"], parts=parts)


def _height(own: dict[str, float], other: dict[str, float]) -> float:
    if own.keys() != other.keys():
        raise GapError("the golds were not asked about the same items")
    return max(deviations(list(own.values()), list(other.values()))) / len(own)


def _raw(rows: Rows, over: Over) -> dict[str, float]:
    ratios = {row.item: ratio for row, ratio in log_ratios(rows, over) if ratio is not None}
    if not ratios:
        raise GapError(NO_PAIR if rows else "there are no rows to grade")
    return ratios


def _against(own: dict[str, float], rows: Rows, at: int, over: Over) -> tuple[int, int]:
    try:
        gold = _raw(rows, over)
    except GapError as gap:
        raise GapError(f"gold model {at}: {gap}") from gap
    if own.keys() != gold.keys():
        raise GapError(f"gold model {at}: it was not asked about the same items")
    return deviations(list(own.values()), list(gold.values()))


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)


def truthfulness(rows: Rows, over: Over = mean) -> Score:
    """max(0, 1 - R) over items: what the truth ratio adds to model utility; R geometric by `mean`.

    Source: TOFU. Range: 0 to 1. Better: higher; 0 where a wrong answer is as likely as the right.
    """
    ratios = log_ratios(rows, over)
    gains = ((row, None if r is None else -math.expm1(min(r, 0.0))) for row, r in ratios)
    return average(gains, NO_PAIR)
