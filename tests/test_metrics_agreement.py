"""Our formulas against published logs of TOFU, which hold every item's value.

The logs are not part of this repository. They give each answer's mean loss, not each token's, so
a row here has one token of that log-probability: the mean is the same.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from di_bench.metrics import metric
from di_bench.metrics.gold import log_ratios, truthfulness
from di_bench.metrics.utility import harmonic_mean
from di_bench.transcript import Row

SHARED = Path(__file__).parents[2] / "shared"
LOGS = SHARED / "data" / "tofu_logs"
ORACLE = SHARED / "oracle"
FULL = LOGS / "tofu_Llama-3.2-1B-Instruct_full" / "evals_forget10"
GOLD = LOGS / "tofu_Llama-3.2-1B-Instruct_retain90"
PHI = LOGS / "ft_epoch5_lr2e-05_phi_retain90_wd0.01" / "eval_log_aggregated.json"
SPLITS = {"retain": "retain", "real_authors": "ra", "world_facts": "wf"}

pytestmark = pytest.mark.skipif(
    not LOGS.is_dir(), reason="the published TOFU logs are not at ../shared/data/tofu_logs"
)
Log = Mapping[str, Any]  # parsed JSON of somebody else's making


def load(path: Path) -> Log:
    log: Log = json.loads(path.read_text(encoding="utf-8"))
    return log


@pytest.fixture(scope="module")
def full() -> Log:
    return load(FULL / "TOFU_EVAL.json")


@pytest.fixture(scope="module")
def gold() -> Log:
    return load(GOLD / "TOFU_EVAL.json")


def read(log: Log, split: str) -> list[Row]:
    """The rows that a `read` probe would have written for the log's losses."""
    rows = []
    for item, entry in log[f"{split}_Q_A_Prob"]["value_by_index"].items():
        rows.append(Row(item, logprobs=(-entry["avg_loss"],)))
        wrong = log[f"{split}_Q_A_PERT_Prob"]["value_by_index"][item]["avg_loss"]
        rows += [
            Row(item, part="perturbed", index=at, logprobs=(-x,)) for at, x in enumerate(wrong)
        ]
        if f"{split}_Q_A_PARA_Prob" in log:
            right = log[f"{split}_Q_A_PARA_Prob"]["value_by_index"][item]["avg_loss"]
            rows.append(Row(item, part="paraphrase", logprobs=(-right,)))
    return rows


def written(log: Log, split: str) -> list[Row]:
    entries = log[f"{split}_Q_A_ROUGE"]["value_by_index"]
    return [
        Row(item, truth=entry["ground_truth"], answer=entry["generation"])
        for item, entry in entries.items()
    ]


@pytest.mark.parametrize(
    ("split", "name"),
    [
        ("forget", "forget_truth_ratio"),
        ("retain", "retain_Truth_Ratio"),
        ("ra", "ra_Truth_Ratio"),
        ("wf", "wf_Truth_Ratio"),
    ],
)
def test_truth_ratio_of_every_item(full: Log, split: str, name: str) -> None:
    """Theirs adds 1e-10 to the right answer's probability, which shows where that is tiny."""
    right = "PARA_Prob" if f"{split}_Q_A_PARA_Prob" in full else "Prob"
    losses = full[f"{split}_Q_A_{right}"]["value_by_index"]
    theirs = {
        item: math.log(entry["score"]) + math.log1p(1e-10 * math.exp(losses[item]["avg_loss"]))
        for item, entry in full[name]["value_by_index"].items()
    }
    ours = {row.item: ratio for row, ratio in log_ratios(read(full, split))}
    assert ours == pytest.approx(theirs, abs=2e-6)


def test_truth_ratio_and_probability(full: Log, gold: Log) -> None:
    for log in (full, gold):
        rows = read(log, "forget")
        for name, theirs in (
            ("truth_ratio", "forget_truth_ratio"),
            ("probability", "forget_Q_A_Prob"),
        ):
            assert metric(name)([rows]).value == pytest.approx(log[theirs]["agg_value"], abs=1e-5)


def test_forget_quality(full: Log, gold: Log) -> None:
    rows = read(full, "forget")
    score = metric("forget_quality")([rows], [[read(gold, "forget")]])
    assert score.value == pytest.approx(3.90547e-22, rel=1e-4, abs=0)
    assert score.value == pytest.approx(full["forget_quality"]["agg_value"], rel=1e-9, abs=0)
    assert score.parts["direction"] == -1
    assert score.parts["n"] == 400


def told(log: Log, attack: str) -> list[list[Row]]:
    """Members and others whose number is what the log has, and an end token of probability 1."""
    return [
        [
            Row(item, logprobs=(-entry["score"], 0.0))
            for item, entry in log[attack][side]["value_by_index"].items()
        ]
        for side in ("forget", "holdout")
    ]


@pytest.mark.parametrize("attack", ["mia_loss", "mia_min_k"])
def test_membership(full: Log, gold: Log, attack: str) -> None:
    """Half the loss of every text, for the end token, orders them as the loss does."""
    name = "mia_min_k@open-unlearning" if attack == "mia_min_k" else attack
    for log in (full, gold):
        score = metric(name)(told(log, attack))
        assert score.value == pytest.approx(log[attack]["agg_value"], abs=1e-12)
        assert score.parts["n_members"] == score.parts["n_others"] == 400


def test_reference_attack(full: Log, gold: Log) -> None:
    """Near alone: the log's own losses of the gold are of another evaluation than the gold's log.

    They differ by .013 (one standard deviation) a text, with mean 0, which turns 4 of the 160,000
    pairs. Where both are of one evaluation every text agrees: the test below.
    """
    score = metric("mia_reference")(told(full, "mia_loss"), [told(gold, "mia_loss")])
    assert score.value == pytest.approx(full["mia_reference"]["agg_value"], abs=1e-4)


@pytest.mark.skipif(not ORACLE.is_dir(), reason="no ../shared/oracle to agree with")
@pytest.mark.parametrize("model", ["base", "undial", "retain"])
def test_reference_attack_of_every_text(model: str) -> None:
    """Both sides number their items from 0, so this also shows that they are never mixed."""
    log, gold = (load(ORACLE / name / "TOFU_EVAL.json") for name in (model, "retain"))
    score = metric("mia_reference")(told(log, "mia_loss"), [told(gold, "mia_loss")])
    theirs = {
        f"{name}/{item}": entry["score"] / 2  # over two tokens here, as `told` makes them
        for name, side in (("members", "forget"), ("others", "holdout"))
        for item, entry in log["mia_reference"][side]["value_by_index"].items()
    }
    assert {item.item: item.value for item in score.items} == pytest.approx(theirs, abs=1e-12)
    assert score.value == log["mia_reference"]["agg_value"]


def test_privleak(full: Log, gold: Log) -> None:
    """Against the gold; the gold's own log was held against an AUC of .5."""
    name, attack = "privleak@open-unlearning", "mia_min_k"
    own, reference = told(full, attack), told(gold, attack)
    score = metric(name)(own, [reference])
    assert score.value == pytest.approx(full["privleak"]["agg_value"], abs=1e-9)
    level = [[Row("even", logprobs=(-1.0, 0.0))]] * 2
    assert metric(name)(reference, [level]).value == pytest.approx(
        gold["privleak"]["agg_value"], abs=1e-9
    )


def test_rouge(full: Log) -> None:
    entries = full["ra_Q_A_ROUGE"]["value_by_index"]
    score = metric("rouge")([written(full, "ra")])
    assert {item.item: item.value for item in score.items} == pytest.approx(
        {item: entry["rougeL_recall"] for item, entry in entries.items()}
    )
    assert score.parts["f1"] == pytest.approx(
        math.fsum(entry["rougeL_f1"] for entry in entries.values()) / len(entries)
    )


@pytest.mark.parametrize("folder", [FULL, GOLD])
def test_model_utility(folder: Path) -> None:
    log = load(folder / "TOFU_EVAL.json")
    summary = load(folder / "TOFU_SUMMARY.json")
    probes = [
        probe for short in SPLITS.values() for probe in (read(log, short), written(log, short))
    ]
    score = metric("model_utility")(probes)
    theirs = {}
    for split, short in SPLITS.items():
        likely = "Q_A_Prob" if split == "retain" else "Q_A_Prob_normalised"
        theirs[f"{split}.probability"] = log[f"{short}_{likely}"]["agg_value"]
        theirs[f"{split}.rouge"] = log[f"{short}_Q_A_ROUGE"]["agg_value"]
        theirs[f"{split}.truth_ratio"] = log[f"{short}_Truth_Ratio"]["agg_value"]
    assert score.parts == pytest.approx(theirs, abs=1e-5)
    assert harmonic_mean(list(theirs.values())) == pytest.approx(summary["model_utility"], rel=1e-9)
    assert score.value == pytest.approx(summary["model_utility"], abs=1e-5)
    assert len(score.items) == 3 * (400 + 100 + 117)


def test_truth_ratio_of_the_original_logs() -> None:
    """TOFU's own files: the same geometric R, under other names."""
    log = load(PHI)["eval_log_forget.json"]
    rows = []
    for item, loss in log["avg_paraphrased_loss"].items():
        rows.append(Row(item, part="paraphrase", logprobs=(-loss,)))
        for at, wrong in enumerate(log["average_perturb_loss"][item]):
            rows.append(Row(item, part="perturbed", index=at, logprobs=(-wrong,)))
    ours = {row.item: math.exp(ratio or 0.0) for row, ratio in log_ratios(rows)}
    assert ours == pytest.approx(log["truth_ratio"], rel=1e-4)
    assert truthfulness(rows).value is not None
