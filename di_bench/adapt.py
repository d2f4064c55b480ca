"""Which weights of a model are trained, and how they are kept: an adapter, or all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from peft import (
    LoraConfig,
    PeftModel,
    get_peft_model,
    get_peft_model_state_dict,
    set_peft_model_state_dict,
)
from safetensors.torch import load_file, save_file

from di_bench.errors import ModelError
from di_bench.lm import LM
from di_bench.model import Peft

_ADAPTER = "adapter_model.safetensors"


def trainable(lm: LM, peft: Peft | None, seed: int) -> LM:
    """Make all weights trainable, or put an adapter on and make that trainable.

    The seed is for the adapter's first weights and for what a method draws before it trains.
    Raises ModelError when the model has no modules by the names of `peft.targets`.
    """
    torch.manual_seed(seed)
    if peft is None:
        lm.model.requires_grad_(True)
        return lm
    targets: Any = peft.targets if isinstance(peft.targets, str) else list(peft.targets)
    config = LoraConfig(
        r=peft.rank,
        lora_alpha=peft.alpha,
        target_modules=targets,
        lora_dropout=peft.dropout,
        task_type="CAUSAL_LM",
    )
    try:
        model = get_peft_model(lm.model, config)
    except ValueError as error:
        raise ModelError(f"peft.targets: {error}") from error
    return LM(model.eval(), lm.tokenizer, lm.template)  # PEFT starts with its dropout on


def save(lm: LM, folder: Path) -> None:
    """Keep the trained weights: an adapter's alone, or all of them."""
    if isinstance(lm.model, PeftModel):
        save_file(get_peft_model_state_dict(lm.model), folder / _ADAPTER)
    else:
        lm.save(folder)


def restore(lm: LM, folder: Path) -> None:
    """Put kept weights back, in place."""
    if isinstance(lm.model, PeftModel):
        set_peft_model_state_dict(lm.model, load_file(folder / _ADAPTER))
        lm.model.eval()
        return
    from transformers import AutoModelForCausalLM

    saved = AutoModelForCausalLM.from_pretrained(
        folder, use_safetensors=True, trust_remote_code=False, dtype=lm.model.dtype
    )
    with torch.no_grad():
        lm.model.load_state_dict(saved.state_dict())
    lm.model.eval()
