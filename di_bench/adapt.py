"""What is done to a model beside training it: adapters, copies, and changed predictions.

A decode-time method changes what a model predicts wherever it is read, so it changes the model's
own `forward`: teacher-forced reading, generation and lm-eval all pass through it.
"""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Callable, Mapping
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
from torch import Tensor

from di_bench import ranks
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


def save(lm: LM, folder: Path, base: str | None = None, revision: str | None = None) -> None:
    """Keep the trained weights: an adapter's alone, in PEFT's layout, or all of them.

    An adapter names `base`, the id or path of the model it goes on. Pieces of work name none: they
    are the same on every machine. One process of several does it.
    """
    if not ranks.first():
        return
    if not isinstance(lm.model, PeftModel):
        lm.save(folder)
        return
    config: Any = copy.deepcopy(lm.model.peft_config["default"])
    config.base_model_name_or_path, config.revision, config.inference_mode = base, revision, True
    if isinstance(config.target_modules, set):  # the order of a set differs in every process
        config.target_modules = sorted(config.target_modules)
    config.save_pretrained(str(folder))
    # PEFT would ask the hub whether embeddings were resized; nothing here resizes them.
    weights = get_peft_model_state_dict(lm.model, save_embedding_layers=False)
    contiguous = {name: weight.contiguous() for name, weight in weights.items()}
    save_file(contiguous, folder / _ADAPTER, metadata={"format": "pt"})


def adapted(lm: LM, folder: Path) -> LM:
    """A model under the adapter of a folder in PEFT's layout, safetensors only.

    Raises ModelError when it is none for this model.
    """
    if not (folder / _ADAPTER).exists():
        raise ModelError(f"{folder}: holds no {_ADAPTER}; pickled weights are not loaded")
    try:
        with warnings.catch_warnings():  # PEFT would leave what is missing as it was born
            warnings.filterwarnings("error", "Found missing adapter keys")
            model = PeftModel.from_pretrained(lm.model, str(folder))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, UserWarning) as error:
        said = " ".join(str(error).split())[:200]
        raise ModelError(f"{folder}: not an adapter of this model ({said})") from error
    return LM(model.eval().requires_grad_(False), lm.tokenizer, lm.template)


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


def merged(lm: LM) -> LM:
    """A model with its adapter taken into its weights; one without an adapter as it is."""
    if not isinstance(lm.model, PeftModel):
        return lm
    adapted: Any = lm.model
    return LM(adapted.merge_and_unload(), lm.tokenizer, lm.template)


def twin(lm: LM, layers: int | None = None) -> LM:
    """A second model with the same trainable weights, of its first `layers` layers or of all."""
    model, beside = copy.deepcopy((lm.model, lm.beside))
    copied = LM(model, lm.tokenizer, lm.template, beside)
    if layers is not None:
        config = copied.inner.config
        if not 0 < layers <= copied.depth:
            raise ModelError(f"a model of {copied.depth} layers has no first {layers}")
        for name, stack in copied.inner.named_modules():
            if isinstance(stack, torch.nn.ModuleList) and len(stack) == copied.depth:
                parent = copied.inner.get_submodule(name.rpartition(".")[0])
                setattr(parent, name.rpartition(".")[2], stack[:layers])
        config.num_hidden_layers = layers
        if kinds := getattr(config, "layer_types", None):
            config.layer_types = kinds[:layers]
    return copied


def trained(lm: LM) -> dict[str, Tensor]:
    """A copy of the weights that training moves, by name."""
    named = lm.model.named_parameters()
    return {name: weight.detach().clone() for name, weight in named if weight.requires_grad}


@torch.no_grad()
def extrapolate(lm: LM, start: Mapping[str, Tensor], factor: float) -> LM:
    """Move the trained weights to start + factor * (now - start), in place.

    Under an adapter the moved weight is the product B A, which starts at zero: B alone is scaled,
    for scaling both would square the factor and lose its sign.
    """
    for name, weight in lm.model.named_parameters():
        if name in start and "lora_A" not in name:
            weight.copy_(start[name] + factor * (weight - start[name]))
    return lm


Rule = Callable[..., Tensor]
"""From (..., V) logits, and the other model's where there is one, to (..., V) logits."""


def decoding(lm: LM, rule: Rule, beside: LM | None = None) -> LM:
    """A model whose every prediction goes through a rule; `beside` reads the same and is mixed in.

    The two must share a vocabulary. Nothing is trained; the weights stay as they are. Rules stack,
    the last one on top. Raises ModelError for a second model beside the same one.
    """
    if beside is not None and lm.beside is not None:
        raise ModelError("the model has a model beside it already; one rule may mix in one")
    changed = LM(lm.model, lm.tokenizer, lm.template, beside or lm.beside)
    if beside is not None:
        beside.model.eval().requires_grad_(False)
    changed.inner.forward = _Forward(changed.inner.forward, rule, beside)
    return changed


def decodes(lm: LM) -> bool:
    """Whether a rule changes what it predicts: such a model is more than its weights."""
    return isinstance(lm.inner.forward, _Forward)


class _Forward:
    """A model's `forward` with a rule behind it. It receives the ids and the positions kept."""

    def __init__(self, own: Callable[..., Any], rule: Rule, beside: LM | None) -> None:
        self.own, self.rule, self.beside = own, rule, beside
        self.__signature__ = inspect.signature(own)  # `generate` looks at what it accepts

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the model's own signature
        cache = kwargs.get("past_key_values")
        if self.beside is not None and cache is not None and cache.get_seq_length() == 0:
            cache.beside = copy.deepcopy(cache)  # each model keeps its own memory of what was read
        out = self.own(*args, **kwargs)
        if self.beside is None:
            out.logits = self.rule(out.logits.float())
            return out
        if cache is not None:
            kwargs["past_key_values"] = cache.beside
        other = self.beside.model(*args, **kwargs)
        out.logits = self.rule(out.logits.float(), other.logits.float())
        return out
