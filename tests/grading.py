"""Rows by hand, and what a metric says of them."""

import math
from collections.abc import Sequence

from di_bench.metrics import metric
from di_bench.metrics.metric import Score
from di_bench.transcript import Part, Row, Rows


def read(item: str, *probabilities: float, part: Part = "answer", index: int = 0) -> Row:
    """A row whose tokens have these probabilities; a token is a hit from one half up."""
    logprobs = tuple(math.log(p) if p else -math.inf for p in probabilities)
    hits = tuple(p >= 0.5 for p in probabilities)
    return Row(item, group=item[0], part=part, index=index, logprobs=logprobs, hits=hits)


def ratio_rows(ratios: Sequence[float], right: Part = "paraphrase") -> list[Row]:
    """Items whose truth ratio is R: the right answer has probability p, two wrong ones R p."""
    rows = []
    for at, ratio in enumerate(ratios):
        p = min(1.0, 1 / ratio) / 2
        rows.append(read(f"i{at}", p, p, part=right))
        rows += [read(f"i{at}", ratio * p, part="perturbed", index=k) for k in range(2)]
    return rows


def wrote(item: str, answer: str, truth: str = "") -> Row:
    return Row(item, group=item[0], answer=answer, truth=truth)


def grade(
    name: str,
    *probes: Rows,
    golds: Sequence[Sequence[Rows]] = (),
    start: Sequence[Rows] = (),
) -> Score:
    return metric(name)(probes, golds, start)


def value(
    name: str,
    *probes: Rows,
    golds: Sequence[Sequence[Rows]] = (),
    start: Sequence[Rows] = (),
) -> float:
    score = grade(name, *probes, golds=golds, start=start)
    assert score.value is not None, score.gap
    return score.value
