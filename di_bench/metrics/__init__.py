"""Every metric, by name. `metric.py` says what a metric is; the other files hold the formulas.

Importing this loads the standard library alone: `plan` and `--help` read the table.
"""

from collections.abc import Mapping

from di_bench.errors import SuiteError, nearest
from di_bench.metrics.fluency import fluency, oracle_perplexity
from di_bench.metrics.generation import (
    distinctness,
    diversity,
    knowmem,
    repetition,
    rouge,
    rouge_f1,
    token_entropy,
    verbmem,
)
from di_bench.metrics.gold import forget_quality, truth_ratio, truth_ratio_arith
from di_bench.metrics.likeness import coherence, mauve, similarity
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
    Metric("rouge_f1", "stemmed", "memory", ("write",), rouge_f1),
    Metric("verbmem", "muse", "memory", ("write",), verbmem),
    Metric("knowmem", "muse", "memory", ("write",), knowmem),
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
    Metric("rep_2", "1", "lower", ("write",), repetition(2)),
    Metric("rep_3", "1", "lower", ("write",), repetition(3)),
    Metric("rep_4", "1", "lower", ("write",), repetition(4)),
    Metric("diversity", "1", "higher", ("write",), diversity),
    Metric("distinct_1", "1", "higher", ("write",), distinctness(1), averages=False),
    Metric("distinct_2", "1", "higher", ("write",), distinctness(2), averages=False),
    Metric("distinct_3", "1", "higher", ("write",), distinctness(3), averages=False),
    Metric("token_entropy", "1", "higher", ("write",), token_entropy),
    Metric("mauve", "base-features", "higher", ("judge",), mauve, averages=False, keeps="features"),
    Metric("coherence", "base-features", "higher", ("judge",), coherence, keeps="prompts"),
    Metric("similarity", "base-features", "memory", ("judge",), similarity, keeps="features"),
    Metric(
        "oracle_perplexity",
        "base-1",
        "lower",
        ("judge",),
        oracle_perplexity,
        averages=False,
        keeps="likelihood",
    ),
    Metric("fluency", "base-p95", "higher", ("judge",), fluency, keeps="likelihood"),
    Metric("nlu", "acc", "higher", ("tasks",), nlu, averages=False),
)
METRICS: Mapping[str, Metric] = {entry.name: entry for entry in _TABLE}


def metric(name: str) -> Metric:
    """The metric of that name; `SuiteError` if there is none."""
    if name not in METRICS:
        raise SuiteError(f"unknown metric {name!r}; {nearest(name, METRICS)}")
    return METRICS[name]
