"""How much of the true answer is known when it is read: from probabilities and from ranks.

The last token of an answer is its end token, and it counts here. open-unlearning leaves it out
of exact memorization; that is a version of its own.
"""

import math
from collections.abc import Callable

from di_bench.metrics.items import average, checked, mean, mean_logprob, of_part
from di_bench.metrics.metric import Score
from di_bench.transcript import Row, Rows

NO_TOKENS = "every true answer is empty or does not fit"
WINDOW = 40
"""Tokens between the places that the paper of deliberate imagination looks at."""


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
    Good or bad: 1 is known by heart; common words keep a 1B gold model near .6 on TOFU, not near 0.
    Lies: each token is judged after the true ones, so one that could never be reached counts.
    Version 1 counts the end token; open-unlearning does not.
    """
    return _share_of(rows, lambda hits: hits)


def exact_memorization_without_end(rows: Rows) -> Score:
    """Share of the true tokens but the last that the model ranks first, over items.

    Source: open-unlearning (Dorna et al. 2025, arXiv 2506.12618), which takes the last token of
    every answer for its end token and leaves it out; on a text that was cut it is not one.
    Range: 0 to 1. Better: lower on what must be forgotten, higher elsewhere.
    Good or bad: on TOFU forget10 a 1B model has .97 before unlearning, its gold model .58.
    Lies: as version 1 does. An answer of one token is left out, as one of none is.
    """
    return _share_of(rows, lambda hits: hits[:-1])


def memorization_accuracy(rows: Rows) -> Score:
    """MA = 1/(T-1) sum_t 1[argmax p(.|x_<t) = x_t] over the tokens of a document after its first.

    Source: Jang et al. 2022 (arXiv 2210.01504). The formula is that of version 1: a row has a value
    for each token that something predicts. So T-1 of them where the tokenizer puts no beginning
    token before a document and the items are ready `ids`, as theirs were (GPT-Neo, 200 tokens).
    Range: 0 to 1. Better: lower on what must be forgotten, higher elsewhere.
    Good or bad: on texts never seen GPT-Neo 125M has .30, which is their mark of forgetting.
    Lies: with a beginning token the first counts too, and with a text in place of ids its end does.
    """
    return _share_of(rows, lambda hits: hits)


def windowed_accuracy(rows: Rows) -> Score:
    """Share of the tokens after 40, 80, 120, ... tokens of a document that are ranked first.

    Source: Dong et al. 2024 (arXiv 2402.10052), whose code asks for one token after each prefix of
    `range(1, T // 40)` times 40 tokens and calls it MA: 40, 80, 120 and 160 of their T = 200, and
    never the start of the last window. Needs a document of ready `ids`, as theirs were: there the
    first token has no prediction, and row place 39 is the token after 40.
    Range: 0 to 1. Better: lower on what must be forgotten, higher elsewhere.
    Good or bad: in their tables GPT-Neo 125M has .79 before unlearning, 1.3B .95.
    Lies: four tokens a document are few. A document of fewer than 80 tokens is left out.
    """
    return _share_of(rows, _after_windows)


def _after_windows(hits: tuple[bool, ...]) -> tuple[bool, ...]:
    tokens = len(hits) + 1
    return tuple(hits[WINDOW * window - 1] for window in range(1, tokens // WINDOW))


def _share_of(rows: Rows, counted: Callable[[tuple[bool, ...]], tuple[bool, ...]]) -> Score:
    graded = ((row, counted(checked(row).hits)) for row in of_part(rows, "answer"))
    return average(((row, mean(hits) if hits else None) for row, hits in graded), NO_TOKENS)
