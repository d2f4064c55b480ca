"""What a second model finds of the model's texts, token by token: likely, or out of all bounds.

The judge reads the human's texts too, so every number has its scale beside it.
"""

import math
from collections.abc import Sequence

from di_bench.metrics import judged
from di_bench.metrics.generation import varied
from di_bench.metrics.items import average, mean, mean_logprob
from di_bench.metrics.metric import GapError, Score
from di_bench.metrics.utility import perplexity
from di_bench.transcript import Row, Rows

FEWEST = 20
"""Human texts below which no bound is drawn from them."""
BOUND = 95
"""Percent of human texts that keep within a bound."""


def oracle_perplexity(rows: Rows) -> Score:
    """exp(total NLL / total tokens) of what the model wrote, given the prompt, under the judge.

    Source: Dong et al. 2024 (arXiv 2402.10052) with GPT-J; prompt and padding are not scored here.
    Range: 1 up. Better: lower.
    Good or bad: beside `human`, the same of the human's texts; gibberish is far above it.
    Lies: loops and stock phrases are far below `human`, and no better for it: read `fluency` and
    `diversity` beside it. Tokenizers, and so judges, do not compare.
    The items are each text's mean NLL, in nats per token. Texts of no tokens are left out.
    """
    score, human = _perplexity(judged.models(rows)), _perplexity(judged.humans(rows))
    if score is None:
        raise GapError("every text is empty")
    beside = {"human": human.value} if human and human.value and human.value < math.inf else {}
    return Score(score.value, score.items, {**score.parts, **beside})


def _perplexity(rows: Rows) -> Score | None:
    return perplexity(_read(rows)) if any(row.answer_ids for row in rows) else None


def fluency(rows: Rows) -> Score:
    """Share of the model's texts that lie where human texts lie: not unlikely, not repetitive.

    A text counts when the judge's mean NLL of it, and its 1 - Div (n = 2, 3, 4, the judge's
    tokens), are each at most the 95th percentile of the human's texts. An empty one does not.

    Source: ours, after Holtzman et al. 2020 (arXiv 1904.09751): human text is neither.
    Range: 0 to 1. Better: higher. The items are 0 or 1.
    Good or bad: `human` is the human's own share, .9 to 1; a collapsed model has 0. A small model
    is no human: on stories `builtin/nano` has .4 before unlearning, so read it beside that row.
    Lies: the same sound sentence to every prompt passes, see `distinct_2`; so does a lie. The
    bounds are of these prompts and this judge. Below 20 human texts there is no number.
    Parts: the bounds `nll` and `rep`, and the shares `empty`, `unlikely` and `repetitive`.
    """
    texts, human = _read(judged.models(rows)), _read(judged.humans(rows))
    own = [seen for seen in map(_seen, human) if seen]
    if len(own) < FEWEST:
        raise GapError(f"{len(own)} human texts are too few; {FEWEST} are the least")
    nll, rep = (_bound([pair[at] for pair in own]) for at in (0, 1))
    seen = [_seen(row) for row in texts]
    fluent = [float(pair is not None and pair[0] <= nll and pair[1] <= rep) for pair in seen]
    score = average(zip(texts, fluent, strict=True), "")
    parts = {
        "human": mean([float(pair[0] <= nll and pair[1] <= rep) for pair in own]),
        "nll": nll,
        "rep": rep,
        "empty": mean([float(pair is None) for pair in seen]),
        "unlikely": mean([float(pair is not None and pair[0] > nll) for pair in seen]),
        "repetitive": mean([float(pair is not None and pair[1] > rep) for pair in seen]),
    }
    return Score(score.value, score.items, parts)


def _read(rows: Rows) -> Rows:
    """The rows, if the judge could read each: a gap where a text did not fit its context."""
    for row in rows:
        if row.answer_ids and not row.logprobs:
            raise GapError(f"the judge's context is too short for the text of item {row.item!r}")
    return rows


def _seen(row: Row) -> tuple[float, float] | None:
    """Mean NLL and 1 - Div of a text; None for one of no tokens."""
    logprob = mean_logprob(row)
    return None if logprob is None else (-logprob, 1 - varied(row.answer_ids))


def _bound(values: Sequence[float]) -> float:
    """The smallest value that 95 % of them do not exceed."""
    bound = sorted(values)[-(-BOUND * len(values) // 100) - 1]  # rounded up, in whole numbers
    if not math.isfinite(bound):
        raise GapError("the judge finds more than one human text in twenty impossible")
    return bound
