"""Every metric, by name. `metric.py` says what a metric is; the other files hold the formulas.

Importing this loads the standard library alone: `plan` and `--help` read the table.
"""

from collections.abc import Mapping

from di_bench.errors import SuiteError, nearest
from di_bench.metrics.generation import distinctness, repetition, rouge
from di_bench.metrics.gold import forget_quality, truth_ratio, truth_ratio_arith
from di_bench.metrics.likeness import mauve
from di_bench.metrics.memorization import (
    exact_memorization,
    extraction_strength,
    likelihood,
    probability,
)
from di_bench.metrics.metric import Metric
from di_bench.metrics.understanding import nlu
from di_bench.metrics.utility import model_utility, perplexity

_TABLE = (
    Metric("probability", "1", "memory", ("read",), probability),
    Metric("exact_memorization", "1", "memory", ("read",), exact_memorization),
    Metric("extraction_strength", "1", "memory", ("read",), extraction_strength),
    Metric("el_3", "1", "memory", ("write",), likelihood(3)),
    Metric("el_10", "1", "memory", ("write",), likelihood(10)),
    Metric("rouge", "recall-stemmed", "memory", ("write",), rouge),
    Metric("truth_ratio", "geo", "gold", ("read",), truth_ratio),
    Metric("truth_ratio_arith", "arith", "gold", ("read",), truth_ratio_arith),
    Metric(
        "forget_quality",
        "ks-geo",
        "higher",
        ("read",),
        forget_quality,
        needs="gold",
        averages=False,
    ),
    Metric(
        "model_utility", "9-geo", "higher", ("read", "write") * 3, model_utility, averages=False
    ),
    Metric("perplexity", "1", "lower", ("read",), perplexity, averages=False),
    Metric("rep_4", "1", "lower", ("write",), repetition(4)),
    Metric("distinct_2", "1", "higher", ("write",), distinctness(2), averages=False),
    Metric("mauve", "base-features", "higher", ("judge",), mauve, averages=False),
    Metric("nlu", "acc", "higher", ("tasks",), nlu, averages=False),
)
METRICS: Mapping[str, Metric] = {entry.name: entry for entry in _TABLE}


def metric(name: str) -> Metric:
    """The metric of that name; `SuiteError` if there is none."""
    if name not in METRICS:
        raise SuiteError(f"unknown metric {name!r}; {nearest(name, METRICS)}")
    return METRICS[name]
