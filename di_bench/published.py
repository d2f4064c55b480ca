"""Figures that others published, with their sources, and which belong beside a board of ours.

`published.csv` holds them under their own names; the tables below say what those names are here. A
figure belongs to a board only where suite, forget set and model are the same.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from di_bench.asks import Judge
from di_bench.axes import corpora
from di_bench.metrics import VERSIONS
from di_bench.suite import Suite

FILE = Path(__file__).with_name("published.csv")


@dataclass(frozen=True)
class Figure:
    """One number, as it was published."""

    benchmark: str
    split: str
    model: str
    method: str
    config: str
    metric: str
    value: float
    source: str
    note: str
    """How it came about, where that matters."""


@dataclass(frozen=True)
class Meaning:
    """What a published metric is here."""

    formula: str
    side: str
    """The split it is of: part of the name of the split that our column reads."""
    scale: float = 1.0
    """Ours is so many times the published number."""
    turned: bool = False
    """Ours is 1 less the published number."""
    said: str = ""
    """What of it is not ours, beside the formula's version; stands behind it."""

    def ours(self, value: float) -> float:
        """The published number on our scale."""
        return 1 - value if self.turned else value * self.scale


BENCHMARKS = {"tofu": "TOFU", "muse": "MUSE", "extraction": "ExtractionChallenge"}
"""Our suite to the published benchmark."""

SPLITS = {
    "locuslab/TOFU forget01 train": "forget01",
    "locuslab/TOFU forget05 train": "forget05",
    "locuslab/TOFU forget10 train": "forget10",
    "locuslab/TOFU forget01_perturbed train": "forget01",
    "locuslab/TOFU forget05_perturbed train": "forget05",
    "locuslab/TOFU forget10_perturbed train": "forget10",
    "muse-bench/MUSE-News raw forget": "News",
    "muse-bench/MUSE-Books raw forget": "Books",
    "MUSE News raw/forget-00000-of-00001.parquet": "News",
    "MUSE Books raw/forget-00000-of-00001.parquet": "Books",
    "train_preprefix.npy train_prefix.npy train_suffix.npy": "15k train",
}
"""Where our forget set is from (`forget_set` words it so) to the published split."""

MODELS = {
    "meta-llama/Llama-3.2-1B-Instruct": "Llama-3.2-1B-Instruct",
    "meta-llama/Llama-3.2-3B-Instruct": "Llama-3.2-3B-Instruct",
    "meta-llama/Llama-3.1-8B-Instruct": "Llama-3.1-8B-Instruct",
    "meta-llama/Llama-2-7b-chat-hf": "Llama-2-7b-chat",
    "microsoft/phi-1_5": "phi-1_5",
    "meta-llama/Llama-2-7b-hf": "Llama-2-7B",
    "muse-bench/MUSE-Books_target": "ICLM-7B",
    "EleutherAI/gpt-neo-125m": "gpt-neo-125m",
    "EleutherAI/gpt-neo-1.3B": "gpt-neo-1.3B",
    "EleutherAI/gpt-neo-2.7B": "gpt-neo-2.7B",
}
"""Our model to its published name."""

_OU = "open-unlearning"
METRICS: Mapping[str, Meaning] = {
    "forget_quality": Meaning("forget_quality@ks-geo", "forget"),
    "model_utility": Meaning("model_utility@9-geo", "retain"),
    "model_utility(TR geometric)": Meaning("model_utility@9-geo", "retain"),
    "model_utility(TR arithmetic)": Meaning("model_utility@9-arith", "retain"),
    "MU": Meaning("model_utility@9-geo", "retain", said="if it is open-unlearning's"),
    "forget_truth_ratio": Meaning("truth_ratio@geo", "forget"),
    "forget_Q_A_Prob": Meaning("probability@1", "forget"),
    "forget_Q_A_ROUGE": Meaning("rouge@recall-stemmed", "forget"),
    "1-Prob": Meaning("probability@1", "forget", turned=True),
    "1-ROUGE": Meaning("rouge@recall-stemmed", "forget", turned=True),
    "1-ES": Meaning(f"extraction_strength@{_OU}", "forget", turned=True),
    "one_minus_es": Meaning(f"extraction_strength@{_OU}", "forget", turned=True),
    "one_minus_em": Meaning(f"exact_memorization@{_OU}", "forget", turned=True),
    "s_mink": Meaning("s_mia@1", "forget", said="of open-unlearning's Min-K"),
    "VerbMem_f": Meaning("verbmem@muse", "forget", 0.01),
    "KnowMem_f": Meaning("knowmem@muse", "forget", 0.01, said="asked behind ten examples"),
    "KnowMem_r": Meaning("knowmem@muse", "retain", 0.01, said="asked behind ten examples"),
    "PrivLeak": Meaning("privleak@muse", "forget"),
    "forget_verbmem_ROUGE": Meaning("verbmem@muse", "forget", said="with a stemmer in ROUGE"),
    "forget_knowmem_ROUGE": Meaning("knowmem@muse", "forget", said="with a stemmer in ROUGE"),
    "retain_knowmem_ROUGE": Meaning("knowmem@muse", "retain", said="with a stemmer in ROUGE"),
    "privleak": Meaning(f"privleak@{_OU}", "forget"),
    "ma": Meaning("exact_memorization@di-paper", "forget"),
    "el_3": Meaning("el_3@di-paper", "forget"),
    "el_5": Meaning("el_5@di-paper", "forget"),
    "el_10": Meaning("el_10@di-paper", "forget"),
    "similarity_ul": Meaning("similarity@base-features", "forget", said="of MiniLM's features"),
    "wikitext_perplexity": Meaning("oracle_perplexity@base-1", "prose", said="read by GPT-J 6B"),
    "wikitext_mauve": Meaning("mauve@base-features", "prose", said="of another judge's features"),
    "wikitext_coherence": Meaning("coherence@base-features", "prose", said="of SimCSE's features"),
    "wikitext_rep_3": Meaning("rep_3@1", "prose"),
    "wikitext_div_2": Meaning("div_2@di-paper", "prose"),
}
"""Published metric to what it is here."""

METHODS = {
    "none": "none", "full": "none", "Finetuned": "none", "finetuned": "none", "Target": "none",
    "Retain": "retrain", "retain": "retrain", "Retrain": "retrain",
    "GradAscent": "ga", "GA": "ga", "UL": "ga", "GradDiff": "gd", "graddiff": "gd", "GA_GDR": "gd",
    "GA_KLR": "kl", "idknll": "idk", "IdkDPO": "dpo", "idkdpo": "dpo", "DPO": "dpo",
    "NPO": "npo", "npo": "npo", "NPO_GDR": "npo", "NPO_KLR": "npo_kl", "SimNPO": "simnpo",
    "simnpo": "simnpo", "altpo": "altpo", "RMU": "rmu", "rmu": "rmu",
    "TaskVector": "task_arithmetic", "TA": "task_arithmetic", "WHP": "whp", "CD": "contrastive",
    "DP": "dp_decoding", "DI": "di", "undial": "di_retain",
}  # fmt: skip
"""Published method to the packaged one nearest to it; GROM is none of ours."""


@cache
def figures() -> tuple[Figure, ...]:
    """Every figure of the package, in the order of the file."""
    with FILE.open(encoding="utf-8", newline="") as file:
        return tuple(
            Figure(**{k: v for k, v in row.items() if k != "value"}, value=float(row["value"]))
            for row in csv.DictReader(file)
        )


def forget_set(suite: Suite, axis: str = "") -> str:
    """Where what is forgotten comes from, on a part of the axis, worded as in `SPLITS`.

    Empty for the built-in world, several sources, requests in turn, and a part of a source.
    """
    spec = corpora(suite.corpus, suite.forget_sizes).get(axis)
    if spec is None or suite.requests:
        return ""
    split = spec.splits["forget"]
    if split.arrays:  # the challenge's papers all forget a few of its rows
        return " ".join(split.arrays)
    if split.skip or split.limit or split.where:
        return ""
    if split.file:
        return f"{spec.name} {split.file}"
    return f"{split.hub or spec.hub} {split.config} {split.split}" if split.split else ""


def known(suite: Suite, axis: str, models: Iterable[str]) -> Mapping[str, list[Figure]]:
    """Our models to the figures that belong beside them; models without any are left out."""
    place = (BENCHMARKS.get(suite.name), SPLITS.get(forget_set(suite, axis)))
    found: dict[str, list[Figure]] = {}
    for one in figures():
        if (one.benchmark, one.split) == place:
            for model in models:
                if MODELS.get(model) == one.model:
                    found.setdefault(model, []).append(one)
    return found


def column(suite: Suite, metric: str) -> str | None:
    """The column of a board that a published metric belongs in; of its own formula, if one is."""
    meaning = METRICS[metric]
    name = VERSIONS[meaning.formula].name
    found = [c for c in suite.shown if _reads(suite, c, name, meaning.side)]
    same = [c for c in found if suite.reads(c)[0].formula == meaning.formula]
    return next(iter(same or found), None)


def _reads(suite: Suite, column: str, name: str, side: str) -> bool:
    """Whether a column is of a metric of that name, read on that side."""
    metric, probes = suite.reads(column)
    probe = suite.probes[probes[0]]
    probe = suite.probes[probe.of] if isinstance(probe, Judge) else probe
    return metric.name == name and side in getattr(probe, "split", "").split("_")


def why_none(suite: Suite, axes: Sequence[str], models: Sequence[str]) -> str:
    """Why no figure belongs beside a board, in one line."""
    if suite.name not in BENCHMARKS:
        return f"no figures for the suite {suite.name}; there are some for {', '.join(BENCHMARKS)}"
    if models and all(model.startswith("builtin/") for model in models):
        return "no figures of built-in models, and those of others are never put beside them"
    splits = {SPLITS[at] for axis in axes if (at := forget_set(suite, axis)) in SPLITS}
    of = [one for one in figures() if one.benchmark == BENCHMARKS[suite.name]]
    if not splits:
        there = ", ".join(dict.fromkeys(one.split for one in of))
        return f"no figures for what this suite forgets; there are some for {there}"
    there = ", ".join(dict.fromkeys(one.model for one in of if one.split in splits))
    return f"no figures of {', '.join(models)} here; there are some of {there}"
