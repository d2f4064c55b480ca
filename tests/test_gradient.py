"""The norm of an answer's gradient, against autograd by hand and another implementation."""

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch

from di_bench import adapt
from di_bench.asks import Gradient
from di_bench.corpus import Item
from di_bench.gradient import gradient
from di_bench.lm import LM
from di_bench.model import Peft
from di_bench.source import CorpusSpec
from di_bench.template import Template
from di_bench.transcript import Rows
from tests.conftest import FORGET, SHARED

ORACLE = SHARED / "oracle"
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")


def asked(lm: LM, items: Sequence[Item], room: int = 512, **changes: object) -> Rows:
    probe = Gradient.model_validate({"ask": "gradient", "split": "forget"} | changes)
    return gradient(lm, probe, items, room, lambda _: None)


def by_hand(lm: LM, item: Item, last: int) -> float:
    """From the whole logits of one text; `last` tokens of its end are left out."""
    text = lm.encode(item)
    model = lm.clone().model.requires_grad_(True)
    ids = torch.tensor([text.ids[: len(text.ids) - last]])
    said = model(ids).logits[0, text.start - 1 : -1].log_softmax(-1)
    loss = -said[range(len(said)), ids[0, text.start :]].mean()
    loss.backward()
    norms = [w.grad.norm() for w in model.parameters() if w.grad is not None]
    return float(torch.stack(norms).mean())


@pytest.mark.parametrize("last", [True, False])
def test_the_norm_is_the_mean_over_tensors(lm: LM, last: bool) -> None:  # noqa: FBT001 - a case
    rows = asked(lm, FORGET[:3], last=last)
    for row, item in zip(rows, FORGET, strict=False):
        assert row.value == pytest.approx(by_hand(lm, item, 1 - last), rel=1e-4)
        assert (row.item, row.group, row.truth) == (item.id, item.group, item.answer)


def test_asking_leaves_no_trace(lm: LM) -> None:
    peft = Peft.model_validate({"kind": "lora", "rank": 2, "alpha": 2, "targets": ["q_proj"]})
    adapted = adapt.trainable(lm, peft, 0)
    before = [weight.requires_grad for weight in adapted.model.parameters()]
    assert asked(adapted, FORGET[:1])[0].value
    assert [weight.requires_grad for weight in adapted.model.parameters()] == before
    assert all(weight.grad is None for weight in adapted.model.parameters())


def test_an_answer_that_is_not_there_has_no_norm(lm: LM) -> None:
    start = lm.encode(FORGET[0]).start
    assert asked(lm, FORGET[:1], start)[0].value is None
    assert asked(lm, [replace(FORGET[0], answer=" ")])[0].value is None
    assert len(asked(lm, FORGET, limit=2)) == 2


@pytest.mark.skipif(not ORACLE.is_dir(), reason="no ../shared/oracle to agree with")
@pytest.mark.parametrize("split", ["forget", "holdout"])
def test_it_agrees_with_another_implementation(split: str) -> None:
    splits = {"forget": {"file": "forget10.json"}, "holdout": {"file": "holdout10.json"}}
    corpus = CorpusSpec.model_validate(
        {"name": "TOFU", "path": ORACLE / "data", "splits": splits | {"retain": splits["holdout"]}}
    ).open()
    template = Template("chat", system="You are a helpful assistant.")
    lm = LM.load(ORACLE / "undial", template, dtype="float32")
    log = json.loads((ORACLE / "undial" / "TOFU_EVAL.json").read_text("utf-8"))
    table = log["mia_gradnorm"][split]["value_by_index"]
    theirs = [table[index]["score"] for index in sorted(table, key=int)]
    ours = [row.value for row in asked(lm, corpus[split], last=False)]
    assert ours == pytest.approx(theirs, rel=1e-4, abs=1e-4)
