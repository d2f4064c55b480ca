"""What must survive unlearning: TOFU's model utility, and the perplexity of held-out prose."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from di_bench.metrics.generation import rouge
from di_bench.metrics.gold import Over, log_mean_exp, truthfulness
from di_bench.metrics.items import average, mean, mean_logprob, of_part
from di_bench.metrics.memorization import NO_TOKENS, probability, row_probability
from di_bench.metrics.metric import GapError, ItemScore, Score
from di_bench.transcript import Row, Rows

SPLITS = ("retain", "real_authors", "world_facts")


def normalised_probability(rows: Rows) -> Score:
    """p(a) / (p(a) + sum_i p(wrong_i)) over items, p per token.

    Source: TOFU (Maini et al. 2024, arXiv 2401.06121). Range: 0 to 1. Better: higher.
    """
    wrong: dict[str, list[float]] = {}
    for row in rows:
        share = row_probability(row) if row.part == "perturbed" else None
        if share is not None:
            wrong.setdefault(row.item, []).append(share)

    def value(row: Row) -> float | None:
        right = row_probability(row)
        if right is None or row.item not in wrong:
            return None
        total = right + math.fsum(wrong[row.item])
        if total == 0:
            raise GapError(f"item {row.item!r} has probability zero for every answer")
        return right / total

    answers = of_part(rows, "answer")
    return average(((row, value(row)) for row in answers), "no item has a perturbed answer")


def model_utility(*probes: Rows) -> Score:
    """Harmonic mean of {probability, ROUGE-L recall, max(0, 1 - R)} x {retain, authors, facts}.

    Source: TOFU (Maini et al. 2024, arXiv 2401.06121); probability is normalised over the perturbed
    answers except on retain, R is geometric. The nine means are the parts: `retain.rouge`, ...
    Range: 0 to 1. Better: higher. One zero part makes it 0.
    Good or bad: a 1B model fine-tuned on TOFU gives .60, its gold models .59.
    Lies: the smallest part rules; six of nine are mostly what the base model knew.
    Its probes: retain read and written, real authors read and written, world facts likewise.
    The items are those of all nine parts, named `retain.rouge/<id>`; their plain mean is not it.
    """
    return _utility(probes, mean)


def model_utility_arith(*probes: Rows) -> Score:
    """As the geometric form, with R = [mean_i p(wrong_i)] / p(right) in its truth ratios.

    Source: TOFU (Maini et al. 2024, arXiv 2401.06121), as `get_model_utility` in its code has it.
    Range: 0 to 1. Better: higher. Parts, probes and items as of the geometric form.
    Good or bad: a 1B model fine-tuned on TOFU gives .56, its gold model .55: .04 under the other.
    Lies: as the geometric form, with which it does not compare.
    """
    return _utility(probes, log_mean_exp)


def _utility(probes: Sequence[Rows], over: Over) -> Score:
    likely = (probability, normalised_probability, normalised_probability)
    parts: dict[str, Score] = {}
    for at, (split, formula) in enumerate(zip(SPLITS, likely, strict=True)):
        parts |= _three(split, probes[2 * at], probes[2 * at + 1], formula, over)
    values = {name: score.value or 0.0 for name, score in parts.items()}
    return Score(harmonic_mean(list(values.values())), _named(parts), values)


def harmonic_mean(values: list[float]) -> float:
    """Count over sum(1/x), of numbers from 0 up; 0 if any is 0."""
    if min(values) <= 0:
        return 0.0
    return len(values) / math.fsum(1 / value for value in values)


def _three(
    split: str, read: Rows, written: Rows, likely: Callable[[Rows], Score], over: Over
) -> dict[str, Score]:
    formulas: dict[str, Callable[[Rows], Score]] = {
        "probability": likely,
        "rouge": rouge,
        "truth_ratio": partial(truthfulness, over=over),
    }
    scores = {}
    for name, formula in formulas.items():
        try:
            scores[f"{split}.{name}"] = formula(written if name == "rouge" else read)
        except GapError as gap:
            raise GapError(f"{split}.{name}: {gap}") from gap
    return scores


def _named(parts: Mapping[str, Score]) -> tuple[ItemScore, ...]:
    return tuple(
        replace(item, item=f"{name}/{item.item}")
        for name, score in parts.items()
        for item in score.items
    )


def perplexity(rows: Rows) -> Score:
    """exp(total NLL / total tokens) over all texts: every token weighs the same.

    Source: Jelinek et al. 1977. Documents have an empty prompt, so all of their tokens count.
    Range: 1 up. Better: lower.
    Good or bad: beside the base model's own value; a rise of a few percent is a real loss.
    Lies: tokenizers do not compare; prose like the forget set rises because it was forgotten.
    The items are each text's mean NLL, in nats per token; long texts weigh no more there.
    """
    texts = of_part(rows, "answer")
    items = average(((row, _loss(row)) for row in texts), NO_TOKENS)
    tokens = sum(len(row.logprobs) for row in texts)
    loss = -math.fsum(logprob for row in texts for logprob in row.logprobs) / tokens
    try:
        value = math.exp(loss)
    except OverflowError:
        value = math.inf
    return Score(value, items.items, {**items.parts, "tokens": float(tokens)})


def _loss(row: Row) -> float | None:
    logprob = mean_logprob(row)
    return None if logprob is None else -logprob
