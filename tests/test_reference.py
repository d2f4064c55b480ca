"""What a model said before training: exact afterwards, and refused where it cannot be."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.testing import assert_close
from transformers import Gemma2Config, Gemma2ForCausalLM

from di_bench.errors import ModelError
from di_bench.fit import Fitter
from di_bench.lm import LM
from di_bench.losses import lowered, sequence_logprob
from tests.conftest import FORGET, REFUSALS, RETAIN, fitter


@pytest.mark.parametrize("split", ["forget", "retain", "refusal"])
def test_a_reference_is_exact_after_its_model_has_changed(
    lm: LM, tmp_path: Path, split: str
) -> None:
    many = [replace(item, id=f"{item.id}/{n}") for n in range(5) for item in FORGET]
    splits = {"forget": many, "retain": RETAIN}  # more than are read at once
    fit = Fitter(splits, REFUSALS, 0, fitter(tmp_path).piece, 64)
    start = fit.reference(lm, split)
    texts = fit._encoded(lm, split)
    rows = random.Random(0).sample(range(len(texts)), 6)
    batch = lm.batch([texts[row] for row in rows], split, rows)
    said, summed = lm.logits(batch).detach(), sequence_logprob(lm, batch).detach()
    with torch.no_grad():
        for p in lm.model.parameters():
            p.mul_(-0.5)
    assert not torch.allclose(lm.logits(batch), said, atol=0.1)
    assert_close(start.logits(batch), said, rtol=1e-5, atol=1e-5)
    assert_close(start.logprob(batch), summed, rtol=1e-5, atol=1e-5)
    assert_close(start.lowered(batch, 3.0), lowered(said, batch, 3.0), rtol=1e-5, atol=1e-5)
    assert not start.logits(batch).requires_grad


def test_a_model_that_caps_its_logits_has_no_reference(lm: LM, tmp_path: Path) -> None:
    torch.manual_seed(0)
    config: Any = Gemma2Config(
        vocab_size=257, hidden_size=32, intermediate_size=64, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=1, head_dim=16, max_position_embeddings=128,
        initializer_range=1.0, final_logit_softcapping=30.0,
    )  # fmt: skip
    capped: Any = Gemma2ForCausalLM(config)
    with pytest.raises(ModelError, match="changes its logits"):
        fitter(tmp_path).reference(LM(capped.eval(), lm.tokenizer, lm.template), "forget")
    config.final_logit_softcapping = None
    plain: Any = Gemma2ForCausalLM(config)
    fitter(tmp_path).reference(LM(plain.eval(), lm.tokenizer, lm.template), "forget")
