"""Our numbers against another implementation's, on the same weights and the same real text."""

import json
from functools import cache
from typing import Any

import pytest

from di_bench.lm import LM
from di_bench.metrics import metric
from di_bench.probe import read, write
from di_bench.source import CorpusSpec
from di_bench.suite import Read, Write
from di_bench.template import Template
from di_bench.transcript import Rows
from tests.conftest import SHARED

ORACLE = SHARED / "oracle"
pytestmark = pytest.mark.skipif(not ORACLE.is_dir(), reason="no ../shared/oracle to agree with")
SPLITS = {
    "forget": {"file": "forget10_perturbed.json"},
    "retain": {"file": "retain_perturbed.json"},
    "real_authors": {"file": "real_authors_perturbed.json"},
}


@cache
def asked(model: str) -> tuple[dict[str, Rows], Rows]:
    """Every split read, and the forget questions answered."""
    corpus = CorpusSpec.model_validate(
        {"name": "TOFU", "path": ORACLE / "data", "splits": SPLITS}
    ).open()
    template = Template("chat", system="You are a helpful assistant.")
    lm = LM.load(ORACLE / model, template, dtype="float32")
    rows = {
        name: read(lm, Read(ask="read", split=name), corpus[name], 512, lambda _: None)
        for name in SPLITS
    }
    wanted = Write(ask="write", split="forget", new_tokens=200, limit=12)
    return rows, write(lm, wanted, corpus["forget"], 0, lambda _: None)


@cache
def theirs(model: str) -> dict[str, Any]:
    tree: dict[str, Any] = json.loads((ORACLE / model / "TOFU_EVAL.json").read_text("utf-8"))
    return tree


def values(model: str, name: str, key: str) -> list[float]:
    table = theirs(model)[name]["value_by_index"]
    return [table[index][key] for index in sorted(table, key=int)]


@pytest.mark.parametrize("split", ["forget", "retain"])
def test_probability_agrees_item_by_item(split: str) -> None:
    score = metric("probability")([asked("undial")[0][split]])
    ours = [item.value for item in score.items]
    assert ours == pytest.approx(values("undial", f"{split}_Q_A_Prob", "prob"), abs=1e-4)
    assert score.value == pytest.approx(
        theirs("undial")[f"{split}_Q_A_Prob"]["agg_value"], abs=1e-4
    )


def test_truth_ratio_agrees_item_by_item() -> None:
    score = metric("truth_ratio")([asked("undial")[0]["forget"]])
    assert score.value == pytest.approx(
        theirs("undial")["forget_truth_ratio"]["agg_value"], abs=1e-4
    )
    raw = values("undial", "forget_truth_ratio", "score")
    ours = [item.value for item in score.items]
    assert ours == pytest.approx([min(r, 1 / r) for r in raw], abs=1e-4)


def test_forget_quality_agrees() -> None:
    gold = asked("retain")[0]["forget"]
    score = metric("forget_quality")([asked("undial")[0]["forget"]], [[gold]])
    assert score.value == pytest.approx(theirs("undial")["forget_quality"]["agg_value"], rel=1e-4)


def test_greedy_answers_agree_in_rouge() -> None:
    score = metric("rouge")([asked("undial")[1]])
    ours = [item.value for item in score.items]
    assert ours == pytest.approx(
        values("undial", "forget_Q_A_ROUGE", "rougeL_recall")[: len(ours)], abs=1e-4
    )
