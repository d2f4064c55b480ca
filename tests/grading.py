"""Rows by hand, and what a metric says of them."""

from collections.abc import Sequence

from di_bench.metrics import metric
from di_bench.metrics.metric import Score
from di_bench.transcript import Row, Rows


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
