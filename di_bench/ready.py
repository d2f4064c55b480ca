"""A model made ready for training, and given back as it was: precision, checkpointing, sharding.

Weights that are trained whole are float32 while they are: bfloat16 loses most updates of a small
learning rate. All of it is tested on a CPU; none of it has been run on a GPU yet.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace

import torch
from torch.optim import Optimizer

from di_bench import ranks
from di_bench.errors import ModelError
from di_bench.lm import LM
from di_bench.recipe import Recipe


def sharded() -> bool:
    """Whether the weights in training are spread over the processes (FSDP)."""
    return ranks.size() > 1 and str(ranks.accelerator().distributed_type.value) == "FSDP"


@dataclass(frozen=True)
class Ready:
    """What the loop trains."""

    lm: LM
    optimizer: Optimizer
    half: bool
    """Whether the model is a bfloat16 one, so that it is read under autocast."""

    def reading(self) -> AbstractContextManager[object]:
        """Where a loss reads the model."""
        if not self.half:
            return nullcontext()
        return torch.autocast(self.lm.device.type, torch.bfloat16)


@contextmanager
def ready(lm: LM, recipe: Recipe) -> Iterator[Ready]:
    """A model and its optimizer. At the end `lm` holds what was learnt, in its own dtype.

    Raises ModelError for what cannot be sharded.
    """
    half = lm.model.dtype == torch.bfloat16
    with _checkpointing(lm, on=recipe.checkpointing):
        if sharded():
            with _shards(lm, recipe) as (model, optimizer):
                yield Ready(replace(lm, model=model), optimizer, half)
        else:
            with _float32(lm):
                yield Ready(lm, _adamw(lm.model, recipe), half)


def _adamw(model: torch.nn.Module, recipe: Recipe) -> Optimizer:
    weights = [p for p in model.parameters() if p.requires_grad]
    return torch.optim.AdamW(
        weights, recipe.lr, recipe.betas, weight_decay=recipe.weight_decay, fused=True
    )


@contextmanager
def _shards(lm: LM, recipe: Recipe) -> Iterator[tuple[torch.nn.Module, Optimizer]]:
    """A float32 copy spread over the processes. Each keeps its whole model, which is asked."""
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

    if not all(p.requires_grad for p in lm.model.parameters()):
        raise ModelError("FSDP trains whole models; leave peft out, or launch without --use_fsdp")
    if not ranks.accelerator().is_fsdp2:
        raise ModelError("FSDP version 1 is not supported; launch with --fsdp_version 2")
    shards = copy.deepcopy(lm.model)
    for weight in shards.parameters():
        weight.data = weight.data.float()
    shards, optimizer = ranks.accelerator().prepare(shards, _adamw(shards, recipe))
    yield shards, optimizer
    whole = get_model_state_dict(shards, options=StateDictOptions(full_state_dict=True))
    lm.model.load_state_dict(whole)
    ranks.accelerator().free_memory()


@contextmanager
def _float32(lm: LM) -> Iterator[None]:
    """Hold the trained weights in float32. Buffers keep the precision they have."""
    small = [p for p in lm.model.parameters() if p.requires_grad and p.dtype == torch.bfloat16]
    for weight in small:
        weight.data = weight.data.float()
    try:
        yield
    finally:
        for weight in small:
            weight.grad = None
            weight.data = weight.data.bfloat16()


@contextmanager
def _checkpointing(lm: LM, *, on: bool) -> Iterator[None]:
    """Compute activations again in the backward pass, which saves memory and changes no number."""
    if not on:
        yield
        return
    try:
        lm.inner.activation_checkpointing_enable({"use_reentrant": False})
    except ValueError as error:
        raise ModelError(f"recipe.checkpointing: {error}; leave it out") from error
    try:
        yield
    finally:
        lm.inner.activation_checkpointing_disable()
        lm.inner.disable_input_require_grads()  # which turning it on had turned on
