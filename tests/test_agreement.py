"""Our numbers against another implementation's, on the same weights and the same real text.

Per item and as a whole, under the definitions of that implementation (open-unlearning). Where our
own versions differ by design, the difference is what the version says and nothing else.
"""

import json
import math
from functools import cache
from typing import Any

import pytest

from di_bench.asks import Gradient, Read, Write
from di_bench.gradient import gradient
from di_bench.lm import LM
from di_bench.metrics import metric
from di_bench.metrics.gold import log_ratios, truthfulness
from di_bench.metrics.memorization import row_probability
from di_bench.metrics.metric import Score
from di_bench.metrics.utility import normalised_probability
from di_bench.probe import read, write
from di_bench.source import CorpusSpec
from di_bench.template import Template
from di_bench.transcript import Row, Rows
from tests.conftest import SHARED

ORACLE = SHARED / "oracle"
pytestmark = pytest.mark.skipif(not ORACLE.is_dir(), reason="no ../shared/oracle to agree with")
SPLITS = {
    "forget": {"file": "forget10_perturbed.json"},
    "holdout": {"file": "holdout10.json"},
    "retain": {"file": "retain_perturbed.json"},
    "real_authors": {"file": "real_authors_perturbed.json"},
    "world_facts": {"file": "world_facts_perturbed.json"},
}
SHORT = {"forget": "forget", "retain": "retain", "real_authors": "ra", "world_facts": "wf"}
THEIRS = "tofu@open-unlearning"
CLOSE = 1e-4


@cache
def lm(model: str) -> LM:
    template = Template("chat", system="You are a helpful assistant.")
    return LM.load(ORACLE / model, template, dtype="float32")


@cache
def corpus() -> Any:  # noqa: ANN401 - a Corpus
    told = {"name": "TOFU", "path": ORACLE / "data", "splits": SPLITS}
    return CorpusSpec.model_validate(told).open()


@cache
def rows(model: str, split: str) -> Rows:
    """A split read."""
    return read(lm(model), Read(ask="read", split=split), corpus()[split], 512, lambda _: None)


@cache
def answers(model: str, split: str) -> Rows:
    asked = Write(ask="write", split=split, new_tokens=200)
    return write(lm(model), asked, corpus()[split], 0, lambda _: None)


@cache
def pulls(model: str, split: str) -> Rows:
    asked = Gradient(ask="gradient", split=split, last=False)
    return gradient(lm(model), asked, corpus()[split], 512, lambda _: None)


@cache
def theirs(model: str) -> dict[str, Any]:
    tree: dict[str, Any] = json.loads((ORACLE / model / "TOFU_EVAL.json").read_text("utf-8"))
    return tree


def values(table: dict[str, Any], key: str) -> list[Any]:
    """What their log has of each item, in order."""
    found = table["value_by_index"]
    return [found[index][key] for index in sorted(found, key=int)]


def ours(score: Score) -> list[float]:
    return [item.value for item in score.items]


def of_part(split: Rows, part: str) -> list[Row]:
    return [row for row in split if row.part == part]


@pytest.mark.parametrize("model", ["base", "retain", "undial"])
@pytest.mark.parametrize(
    "name", ["exact_memorization", "extraction_strength", "probability", "truth_ratio"]
)
def test_what_is_known_of_the_forget_set(model: str, name: str) -> None:
    log = theirs(model)
    score = metric(name, THEIRS)([rows(model, "forget")])
    known = {"probability": "forget_Q_A_Prob", "truth_ratio": "forget_truth_ratio"}.get(name, name)
    assert score.value == pytest.approx(log[known]["agg_value"], abs=CLOSE)
    key = "prob" if name == "probability" else "score"
    wanted = values(log[known], key)
    if name == "truth_ratio":
        wanted = [min(r, 1 / r) for r in wanted]
    assert ours(score) == pytest.approx(wanted, abs=CLOSE)


def test_our_own_extraction_strength_has_no_floor_and_counts_the_end() -> None:
    """What a version says, and nothing else, is between the two."""
    for row in of_part(rows("undial", "forget"), "answer"):
        (ou,) = ours(metric("extraction_strength", THEIRS)([[row]]))
        (own,) = ours(metric("extraction_strength")([[row]]))
        misses = [place for place, hit in enumerate(row.hits) if not hit]
        length = len(row.hits)
        revealed = misses[-1] + 1 if misses else 0
        assert own == pytest.approx(1 - revealed / length)
        body = [place for place in misses if place < length - 1]
        floored = min(body[-1] + 1 if body else 0, length - 2)
        assert ou == pytest.approx(1 - floored / (length - 1))


@pytest.mark.parametrize(
    ("split", "part"),
    [
        *((split, part) for split in SHORT for part in ("answer", "perturbed")),
        ("forget", "paraphrase"),
        ("retain", "paraphrase"),  # the general splits have none
    ],
)
def test_the_probability_of_every_answer(split: str, part: str) -> None:
    name = {"answer": "Prob", "paraphrase": "PARA_Prob", "perturbed": "PERT_Prob"}[part]
    logged = theirs("undial")[f"{SHORT[split]}_Q_A_{name}"]
    own = [row_probability(row) for row in of_part(rows("undial", split), part)]
    wanted = values(logged, "prob")
    if part == "perturbed":
        wanted = [p for each in wanted for p in each]
    assert own == pytest.approx(wanted, abs=CLOSE, rel=CLOSE)


@pytest.mark.parametrize("split", ["real_authors", "world_facts"])
def test_probability_among_wrong_answers(split: str) -> None:
    logged = theirs("undial")[f"{SHORT[split]}_Q_A_Prob_normalised"]
    score = normalised_probability(rows("undial", split))
    assert score.value == pytest.approx(logged["agg_value"], abs=CLOSE)
    assert ours(score) == pytest.approx(values(logged, "prob"), abs=CLOSE)


@pytest.mark.parametrize("split", ["retain", "real_authors", "world_facts"])
def test_truth_ratios_of_what_must_stay(split: str) -> None:
    logged = theirs("undial")[f"{SHORT[split]}_Truth_Ratio"]
    assert truthfulness(rows("undial", split)).value == pytest.approx(
        logged["agg_value"], abs=CLOSE
    )
    own = [ratio for _, ratio in log_ratios(rows("undial", split))]
    assert own == pytest.approx([math.log(r) for r in values(logged, "score")], abs=2 * CLOSE)


@pytest.mark.parametrize("split", SHORT)
def test_greedy_answers_agree_in_rouge(split: str) -> None:
    logged = theirs("undial")[f"{SHORT[split]}_Q_A_ROUGE"]
    own = answers("undial", split)
    score = metric("rouge", THEIRS)([own])
    assert score.value == pytest.approx(logged["agg_value"], abs=CLOSE)
    assert ours(score) == pytest.approx(values(logged, "rougeL_recall"), abs=CLOSE)
    f1 = metric("rouge_f1")([own])
    assert ours(f1) == pytest.approx(values(logged, "rougeL_f1"), abs=CLOSE)


def test_model_utility() -> None:
    three = [split for split in SHORT if split != "forget"]
    probes = [
        probe for split in three for probe in (rows("undial", split), answers("undial", split))
    ]
    score = metric("model_utility", THEIRS)(probes)
    assert score.value == pytest.approx(theirs("undial")["model_utility"]["agg_value"], abs=CLOSE)


@pytest.mark.parametrize("model", ["base", "undial"])
def test_forget_quality(model: str) -> None:
    score = metric("forget_quality", THEIRS)([rows(model, "forget")], [[rows("retain", "forget")]])
    wanted = theirs(model)["forget_quality"]["agg_value"]
    assert score.value == pytest.approx(wanted, rel=CLOSE, abs=0)


def pair(model: str) -> list[Rows]:
    return [rows(model, "forget"), rows(model, "holdout")]


@pytest.mark.parametrize("model", ["base", "retain", "undial"])
@pytest.mark.parametrize("attack", ["loss", "zlib", "min_k", "min_k_plus_plus", "reference"])
def test_membership_attacks(model: str, attack: str) -> None:
    logged = theirs(model)[f"mia_{attack}"]
    formula = metric(f"mia_{attack}", THEIRS)
    attacked(formula(pair(model), [pair("retain")] if formula.needs else []), logged)


def test_gradient_norms() -> None:
    score = metric("mia_gradnorm", THEIRS)([pulls("undial", "forget"), pulls("undial", "holdout")])
    attacked(score, theirs("undial")["mia_gradnorm"])


def attacked(score: Score, logged: dict[str, Any]) -> None:
    assert score.value == pytest.approx(logged["auc"], abs=CLOSE)
    wanted = [*values(logged["forget"], "score"), *values(logged["holdout"], "score")]
    assert ours(score) == pytest.approx(wanted, abs=CLOSE, rel=CLOSE)


@pytest.mark.parametrize("model", ["base", "undial"])
def test_privleak(model: str) -> None:
    score = metric("privleak", THEIRS)(pair(model), [pair("retain")])
    wanted = theirs(model)["privleak"]["agg_value"]
    assert score.value == pytest.approx(wanted, abs=CLOSE)
