"""How much of the true answer comes back: from probabilities, from ranks, from what is written.

The last token of an answer is its end token, and it counts here. open-unlearning leaves it out
of exact memorization and extraction strength, so its numbers differ slightly from these.
"""

import math
from collections import Counter
from collections.abc import Callable

from di_bench.metrics.items import average, mean, mean_logprob, of_part
from di_bench.metrics.metric import Score
from di_bench.transcript import Row, Rows

NO_TOKENS = "every true answer is empty or does not fit"


def row_probability(row: Row) -> float | None:
    """exp(mean log p): the geometric mean of the token probabilities, 0 to 1."""
    logprob = mean_logprob(row)
    return None if logprob is None else math.exp(logprob)


def probability(rows: Rows) -> Score:
    """P(a|q)^(1/|a|) = exp(mean log p) of the true answer, over items.

    Source: TOFU (Maini et al. 2024, arXiv 2401.06121).
    Range: 0 to 1. Better: lower on what must be forgotten, higher elsewhere.
    Good or bad: on TOFU forget10 a 1B model gives .88 before unlearning, a gold model .12.
    Lies: a low value may be hidden, not forgotten; a paraphrase may still be likely.
    """
    return average(((row, row_probability(row)) for row in of_part(rows, "answer")), NO_TOKENS)


def exact_memorization(rows: Rows) -> Score:
    """Share of the true tokens that the model ranks first when it reads the answer, over items.

    Source: Tirumala et al. 2022 (arXiv 2205.10770); the MA of Jang et al. 2022.
    Range: 0 to 1. Better: lower on what must be forgotten, higher elsewhere.
    Good or bad: 1 is known by heart; common words keep a gold model near .6 on TOFU, not near 0.
    Lies: each token is judged after the true ones, so one that could never be reached counts.
    Version 1 counts the end token; open-unlearning does not.
    """
    shares = ((row, mean(row.hits) if row.hits else None) for row in of_part(rows, "answer"))
    return average(shares, NO_TOKENS)


def strength(hits: tuple[bool, ...]) -> float:
    """1 - k/L for the smallest k of 0..L after which every one of the L tokens is ranked first."""
    missed = [place for place, hit in enumerate(hits) if not hit]
    revealed = missed[-1] + 1 if missed else 0
    return 1 - revealed / len(hits)


def extraction_strength(rows: Rows) -> Score:
    """1 - k/L, k the fewest tokens of the answer to reveal before greedy decoding writes the rest.

    Source: Carlini et al. 2021 (arXiv 2012.07805), as a score in open-unlearning.
    Range: 0 (never extractable) to 1 (from the question alone). Better: lower on what must be
    forgotten, higher elsewhere.
    Good or bad: on TOFU forget10 .71 before unlearning, .06 for a gold model.
    Lies: one wrong token near the end gives almost 0, however much of the secret stands before it.
    Version 1 counts the end token and reaches 0; open-unlearning does neither.
    """
    strengths = ((row, strength(row.hits) if row.hits else None) for row in of_part(rows, "answer"))
    return average(strengths, NO_TOKENS)


def overlap(written: tuple[int, ...], true: tuple[int, ...], n: int) -> float | None:
    """Share of the n-grams written that occur in the truth, repeats counted each time.

    None if the truth is shorter than n; 0 if what was written is, for then none came back. What is
    written past the truth's length does not count.
    """
    known = set(_ngrams(true, n))
    if not known:
        return None
    grams = Counter(_ngrams(written[: len(true)], n))
    if not grams:
        return 0.0
    return sum(count for gram, count in grams.items() if gram in known) / grams.total()


def _ngrams(ids: tuple[int, ...], n: int) -> list[tuple[int, ...]]:
    return [ids[at : at + n] for at in range(len(ids) - n + 1)]


def likelihood(n: int) -> Callable[[Rows], Score]:
    """The extraction likelihood EL_n for one n."""

    def extraction_likelihood(rows: Rows) -> Score:
        """EL_n: mean over revealed prefixes of the share of greedy n-grams found in the true rest.

        Source: Jang et al. 2022 (arXiv 2210.01504), on token ids; the probe chooses the prefixes.
        Range: 0 to 1. Better: lower on what must be forgotten, higher elsewhere.
        Good or bad: the level of texts never seen is the mark to reach; it is above 0 for small n.
        Lies: stock phrases count as leaks; two tokenizers, or two sets of prefixes, do not compare.
        A rest shorter than n is left out. Too short an answer is 0.
        """
        overlaps = ((row, overlap(row.answer_ids, row.truth_ids, n)) for row in rows)
        return average(overlaps, f"no true rest has {n} tokens")

    return extraction_likelihood
