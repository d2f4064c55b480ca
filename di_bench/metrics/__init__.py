"""Every metric, by name and version. `metric.py` says what a metric is; other files hold formulas.

Importing this loads the standard library alone: `plan` and `--help` read the table.
"""

from collections.abc import Callable, Mapping

from di_bench.errors import SuiteError, nearest
from di_bench.metrics import extraction, gold, membership, privacy, utility
from di_bench.metrics.definitions import DEFINITIONS
from di_bench.metrics.extraction import extraction_strength, extraction_strength_above_zero
from di_bench.metrics.fluency import fluency, oracle_perplexity
from di_bench.metrics.generation import (
    distinctness,
    diversity,
    exact_match,
    knowmem,
    repetition,
    rouge,
    rouge_f1,
    token_entropy,
    variety,
    verbmem,
)
from di_bench.metrics.likeness import coherence, mauve, similarity
from di_bench.metrics.memorization import (
    exact_memorization,
    exact_memorization_without_end,
    memorization_accuracy,
    probability,
    windowed_accuracy,
)
from di_bench.metrics.metric import Ask, Direction, Metric, Need, Score
from di_bench.metrics.understanding import nlu, wmdp

_OU = "open-unlearning"
_ONE: tuple[Ask, ...] = ("read",)
_PAIR: tuple[Ask, ...] = ("read", "read")
_SIX: tuple[Ask, ...] = ("read", "write") * 3


_Compared = tuple[str, str, Direction, tuple[Ask, ...], Callable[..., Score], Need | None]
_COMPARED: tuple[_Compared, ...] = (
    ("forget_quality", "ks-geo", "higher", _ONE, gold.forget_quality, "gold"),
    ("forget_quality", "ks-arith", "higher", _ONE, gold.forget_quality_arith, "gold"),
    ("gold_distance", "ks-geo", "lower", _ONE, gold.gold_distance, "golds"),
    ("mia_loss", "1", "gold", _PAIR, membership.mia_loss, None),
    ("mia_zlib", "1", "gold", _PAIR, membership.mia_zlib, None),
    ("mia_min_k", "1", "gold", _PAIR, membership.mia_min_k, None),
    ("mia_min_k", _OU, "gold", _PAIR, membership.mia_min_k_short, None),
    ("mia_min_k_plus_plus", "1", "gold", _PAIR, membership.mia_min_k_plus_plus, None),
    ("mia_min_k_plus_plus", _OU, "gold", _PAIR, membership.mia_min_k_plus_plus_short, None),
    ("mia_reference", "1", "gold", _PAIR, membership.mia_reference, "gold"),
    ("mia_gradnorm", "1", "gold", ("gradient", "gradient"), membership.mia_gradnorm, None),
    ("privleak", "muse", "gold", _PAIR, privacy.privleak, "gold"),
    ("privleak", _OU, "gold", _PAIR, privacy.privleak_short, "gold"),
    ("s_mia", "1", "higher", _PAIR, privacy.s_mia, "gold and start"),
)
_TABLE = (
    Metric("probability", "1", "memory", ("read",), probability),
    Metric("exact_memorization", "1", "memory", ("read",), exact_memorization),
    Metric("exact_memorization", _OU, "memory", ("read",), exact_memorization_without_end),
    Metric("exact_memorization", "jang", "memory", ("read",), memorization_accuracy),
    Metric("exact_memorization", "di-paper", "memory", ("read",), windowed_accuracy),
    Metric("extraction_strength", "1", "memory", ("read",), extraction_strength),
    Metric("extraction_strength", _OU, "memory", ("read",), extraction_strength_above_zero),
    *(
        Metric(f"el_{n}", version, "memory", ("write",), formula(n))
        for n in (3, 5, 10)
        for version, formula in (
            ("1", extraction.likelihood),
            ("jang", extraction.jang_likelihood),
            ("di-paper", extraction.set_likelihood),
        )
    ),
    Metric("extractable", "1", "memory", ("write",), extraction.extractable),
    Metric("discoverable", "n100-p.5", "memory", ("read",), extraction.discoverability(100, 0.5)),
    Metric("rouge", "recall-stemmed", "memory", ("write",), rouge),
    Metric("rouge_f1", "stemmed", "memory", ("write",), rouge_f1),
    Metric("exact_match", "1", "memory", ("write",), exact_match),
    Metric("verbmem", "muse", "memory", ("write",), verbmem),
    Metric("knowmem", "muse", "memory", ("write",), knowmem),
    Metric("truth_ratio", "geo", "gold", ("read",), gold.truth_ratio),
    Metric("truth_ratio", "arith", "gold", ("read",), gold.truth_ratio_arith),
    *(Metric(*entry, averages=False) for entry in _COMPARED),
    Metric("model_utility", "9-geo", "higher", _SIX, utility.model_utility, averages=False),
    Metric("model_utility", "9-arith", "higher", _SIX, utility.model_utility_arith, averages=False),
    Metric("perplexity", "1", "lower", ("read",), utility.perplexity, averages=False),
    Metric("rep_2", "1", "lower", ("write",), repetition(2)),
    Metric("rep_3", "1", "lower", ("write",), repetition(3)),
    Metric("rep_4", "1", "lower", ("write",), repetition(4)),
    Metric("diversity", "1", "higher", ("write",), diversity),
    Metric("div_2", "di-paper", "higher", ("write",), variety(2)),
    Metric("div_3", "di-paper", "higher", ("write",), variety(3)),
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
    Metric("nlu", "acc", "higher", ("tasks",), nlu, averages=False, many=True),
    Metric("wmdp", "acc", "lower", ("tasks",), wmdp, averages=False, many=True),
)
VERSIONS: Mapping[str, Metric] = {f"{entry.name}@{entry.version}": entry for entry in _TABLE}
"""Every formula, by `name@version`."""
METRICS: Mapping[str, Metric] = {
    name: next(entry for entry in _TABLE if entry.name == name)
    for name in dict.fromkeys(entry.name for entry in _TABLE)
}
"""The version a bare name means: the first in the table."""


def metric(name: str, definitions: str | None = None) -> Metric:
    """The metric `name`, of its own version, of what `definitions` take, or `name@version`.

    Raises SuiteError for what there is not.
    """
    if "@" in name:
        if name not in VERSIONS:
            raise SuiteError(f"unknown metric {name!r}; {nearest(name, VERSIONS)}")
        return VERSIONS[name]
    if name not in METRICS:
        raise SuiteError(f"unknown metric {name!r}; {nearest(name, METRICS)}")
    version = DEFINITIONS[definitions].get(name) if definitions else None
    return VERSIONS[f"{name}@{version}"] if version else METRICS[name]
