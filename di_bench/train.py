"""The one training loop: AdamW with warm-up, accumulation, and a guard against divergence."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from di_bench.errors import DivergedError, MethodError
from di_bench.lm import LM
from di_bench.recipe import Recipe
from di_bench.steps import Pair, Steps

Loss = Callable[[LM, Pair], Tensor]
Stop = Callable[[LM], bool]
After = Callable[[Mapping[str, float]], None]
"""Told what the loss noted of each step, summed over its parts."""


@dataclass(frozen=True)
class Training:
    """What one call of `fit` did."""

    seconds: float
    tokens: int
    steps: int
    curve: tuple[float, ...]
    """Mean loss of each epoch."""


def train(
    lm: LM,
    loss: Loss,
    steps: Steps,
    watch: Callable[[float], None],
    stop: Stop | None = None,
    after: After | None = None,
) -> Training:
    """Lower the loss of `lm`'s trainable weights, in place.

    Raises DivergedError when loss or gradient leave the finite numbers, MethodError for a loss that
    does not depend on the model.
    """
    recipe = steps.recipe
    torch.manual_seed(steps.seed)
    began = time.perf_counter()
    weights = [p for p in lm.model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        weights, recipe.lr, recipe.betas, weight_decay=recipe.weight_decay, fused=True
    )
    rate = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda n: _rate(n, steps.an_epoch, recipe))
    curve: list[float] = []
    tokens = done = 0
    for epoch, todo in enumerate(steps.epochs()):
        lm.model.train()
        total = 0.0
        for step in todo:
            parts = steps.parts(lm, step, recipe.micro_batch or recipe.batch_size)
            value = sum(_backward(loss(lm, pair)) for pair in parts)
            norm = clip_grad_norm_(weights, recipe.clip)
            if not math.isfinite(value) or not norm.isfinite():
                found = f"gradient is {norm}" if math.isfinite(value) else f"loss is {value}"
                raise DivergedError(f"{found} at step {done} (epoch {epoch + 1})")
            optimizer.step()
            optimizer.zero_grad()
            rate.step()
            done, total = done + 1, total + value
            tokens += sum(pair.tokens for pair in parts)
            if after is not None:
                names = {name for pair in parts for name in pair.notes}
                after({n: sum(float(p.notes[n]) for p in parts if n in p.notes) for n in names})
            watch(done / (steps.an_epoch * recipe.epochs))
        curve.append(total / steps.an_epoch)
        lm.model.eval()
        if stop is not None and stop(lm):
            break
    return Training(time.perf_counter() - began, tokens, done, tuple(curve))


def _backward(value: Tensor) -> float:
    if not value.requires_grad:
        raise MethodError("the loss does not depend on the model; nothing would be trained")
    value.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return float(value.detach())


def _rate(step: int, per_epoch: int, recipe: Recipe) -> float:
    """The fraction of the full learning rate at a step."""
    warm = recipe.warmup * per_epoch
    if step < warm:
        return (step + 1) / (warm + 1)
    if recipe.schedule == "constant":
        return 1.0
    left = 1 - (step - warm) / max(1.0, recipe.epochs * per_epoch - warm)
    return left if recipe.schedule == "linear" else 0.5 * (1 - math.cos(math.pi * left))
