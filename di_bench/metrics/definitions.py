"""Whose formulas to use: the versions of metrics that papers and their harnesses computed.

A suite's `definitions:` names one; a metric that is not in its table keeps its own version. What a
probe decides (prefixes, sampling, lengths, whether an end token's gradient counts) is in the suite.
"""

from collections.abc import Mapping

DEFINITIONS: Mapping[str, Mapping[str, str]] = {
    # Maini et al. 2024 (arXiv 2401.06121): the arithmetic mean of wrong answers in every R. Its
    # `aggregate_eval_stat.py`, and most tables since, have the geometric one, which is the default.
    "tofu@paper": {
        "truth_ratio": "arith",
        "forget_quality": "ks-arith",
        "model_utility": "9-arith",
    },
    # Dorna et al. 2025 (arXiv 2506.12618): last labels left out of some, R geometric, PrivLeak with
    # an addend. GradNorm there wants `{ask: gradient, last: false}`.
    "tofu@open-unlearning": {
        "exact_memorization": "open-unlearning",
        "extraction_strength": "open-unlearning",
        "truth_ratio": "geo",
        "forget_quality": "ks-geo",
        "model_utility": "9-geo",
        "mia_min_k": "open-unlearning",
        "mia_min_k_plus_plus": "open-unlearning",
        "privleak": "open-unlearning",
    },
    # Shi et al. 2024 (arXiv 2407.06460): ROUGE-L F1 without a stemmer, PrivLeak on Min-40 %.
    "muse@paper": {"verbmem": "muse", "knowmem": "muse", "privleak": "muse"},
    # Jang et al. 2022 (arXiv 2210.01504): their EL_n and MA, from every prefix (`stride: 1`).
    "jang": {"el_3": "jang", "el_5": "jang", "el_10": "jang", "exact_memorization": "jang"},
    # Dong et al. 2024 (arXiv 2402.10052): EL_n on sets, MA after every 40 tokens, Div-n over words.
    # Sampling from prefixes of 40 to 160 tokens is the probe's; its coherence wants SimCSE.
    "di-paper": {
        "exact_memorization": "di-paper",
        "el_3": "di-paper",
        "el_5": "di-paper",
        "el_10": "di-paper",
        "div_2": "di-paper",
        "div_3": "di-paper",
    },
}
