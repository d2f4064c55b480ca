"""The one training loop: AdamW with warm-up, accumulation, and a guard against divergence.

Several processes share the parts of each step. A loss divides by the counts of the whole step, so
gradients are summed once a step, when every part is done. That is why DDP is not used: it averages,
and wants the same backward passes with all weights in them from every process, which a loss need
not give. A process without a part adds nothing.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size
from torch import Tensor

from di_bench import ranks
from di_bench.device import device
from di_bench.errors import DivergedError, MethodError, ModelError
from di_bench.lm import LM
from di_bench.ready import Ready, ready, sharded
from di_bench.recipe import Recipe
from di_bench.steps import Pair, Step, Steps

log = logging.getLogger(__name__)

Loss = Callable[[LM, Pair], Tensor]
"""May be called again on a part whose step did not fit in memory: it keeps no count of its calls.

What a method remembers from step to step changes in `after` alone.
"""
Stop = Callable[[LM], bool]
After = Callable[[Mapping[str, float]], None]
"""Told what the loss noted of each step, summed over its parts."""


@dataclass(frozen=True)
class Training:
    """What one call of `fit` did."""

    seconds: float
    tokens: int
    """Of all processes."""
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
    """Lower the loss of `lm`'s trainable weights, in place; they are in its dtype again at the end.

    Raises DivergedError when loss or gradient leave the finite numbers, MethodError for a loss that
    does not depend on the model, ModelError when not even one text fits in memory.
    """
    recipe = steps.recipe
    if stop is not None and sharded():
        raise ModelError("a rule to stop by asks a whole model; launch without --use_fsdp")
    torch.manual_seed(steps.seed + ranks.mine())  # other texts, other dropout
    began = time.perf_counter()
    curve: list[float] = []
    tokens = done = 0
    with ready(lm, recipe) as it:
        rate = torch.optim.lr_scheduler.LambdaLR(
            it.optimizer, lambda n: _rate(n, steps.an_epoch, recipe)
        )
        descent = _Descent(it, loss, steps, recipe.micro_batch or recipe.batch_size)
        for epoch, todo in enumerate(steps.epochs()):
            it.lm.model.train()
            total = 0.0
            for step in todo:
                said = descent.step(step, f"at step {done} (epoch {epoch + 1})")
                rate.step()
                done, total, tokens = done + 1, total + said.loss, tokens + said.tokens
                if after is not None:
                    after(said.notes)
                watch(done / (steps.an_epoch * recipe.epochs))
            curve.append(total / steps.an_epoch)
            it.lm.model.eval()
            if stop is not None and _stops(it, stop):
                break
    return Training(time.perf_counter() - began, tokens, done, tuple(curve))


@dataclass(frozen=True)
class _Said:
    """What a step came to: of one process, or of all."""

    loss: float
    tokens: int
    notes: dict[str, float]
    moved: list[bool] = field(default_factory=list)
    """Which weights have a gradient."""


@dataclass
class _Descent:
    """Steps down the gradient, in parts that fit in memory."""

    it: Ready
    loss: Loss
    steps: Steps
    size: int
    """Texts in memory at once."""

    def step(self, step: Step, where: str) -> _Said:
        """Move the weights once. Raises DivergedError, which says where."""
        said = self._gradients(step)
        norm = ranks.accelerator().clip_grad_norm_(
            self.it.lm.model.parameters(), self.steps.recipe.clip
        )
        norm = norm.full_tensor() if hasattr(norm, "full_tensor") else norm
        if not math.isfinite(said.loss) or not norm.isfinite():
            found = f"gradient is {norm}" if math.isfinite(said.loss) else f"loss is {said.loss}"
            raise DivergedError(f"{found} {where}")
        self.it.optimizer.step()
        self.it.optimizer.zero_grad()
        return said

    def _gradients(self, step: Step) -> _Said:
        """The gradients of a whole step, begun again in smaller parts when memory runs out."""
        while True:
            draw = _draws()
            try:
                own = self._share(step)
                break
            except RuntimeError as error:
                if not (
                    isinstance(error, torch.OutOfMemoryError) or should_reduce_batch_size(error)
                ):
                    raise
                self._check_smaller(step, error)
            # Out here nothing holds the activations any more: the traceback did.
            self.it.optimizer.zero_grad()
            clear_device_cache(garbage_collection=True)
            draw()
            before, self.size = self.size, min(self.size, len(step.forget)) // 2
            log.warning(
                "out of memory: micro-batches of %d texts instead of %d from here on; a step's "
                "batch stays as it is", self.size, before,
            )  # fmt: skip
        return self._summed(own)

    def _check_smaller(self, step: Step, error: RuntimeError) -> None:
        """Raise ModelError when smaller parts are no way out."""
        if ranks.size() > 1:
            raise ModelError(
                f"out of memory with micro-batches of {self.size} texts, which several processes "
                "do not make smaller by themselves; set recipe.micro_batch or recipe.checkpointing"
            ) from error
        if min(self.size, len(step.forget)) == 1:
            raise ModelError(
                "out of memory with a single text at once; set recipe.checkpointing=true, or train "
                "an adapter: peft={kind: lora}"
            ) from error

    def _share(self, step: Step) -> _Said:
        """Backward passes over this process' parts of a step."""
        count = ranks.size()
        size = min(self.size, math.ceil(len(step.forget) / count))
        parts = self.steps.parts(self.it.lm, step, size)
        mine = parts[ranks.mine() :: count]
        value = sum(self._backward(pair, 1.0) for pair in mine)
        most = math.ceil(len(parts) / count)
        if sharded() and len(mine) < most:  # the others wait for it to gather weights
            self._backward(parts[0], 0.0)
        names = {name for pair in mine for name in pair.notes}
        return _Said(
            value,
            sum(pair.tokens for pair in mine),
            {n: sum(float(p.notes[n]) for p in mine if n in p.notes) for n in names},
            [p.grad is not None for p in self.it.lm.model.parameters()],
        )

    def _backward(self, pair: Pair, weight: float) -> float:
        with self.it.reading():
            value = self.loss(self.it.lm, pair)
        if not value.requires_grad:
            raise MethodError("the loss does not depend on the model; nothing would be trained")
        # FSDP has the mean of all processes' gradients where the sum is meant.
        ranks.accelerator().backward(value * (weight * ranks.size()) if sharded() else value)
        return float(value.detach())

    def _summed(self, own: _Said) -> _Said:
        """What all processes said of a step, their gradients summed."""
        every = ranks.everyone(own)
        if len(every) > 1 and not sharded():
            moved = [any(flags) for flags in zip(*(said.moved for said in every), strict=True)]
            for weight, due in zip(self.it.lm.model.parameters(), moved, strict=True):
                if due:
                    grad = torch.zeros_like(weight) if weight.grad is None else weight.grad
                    weight.grad = ranks.accelerator().reduce(grad, "sum")
        names = sorted({name for said in every for name in said.notes})
        return _Said(
            sum(said.loss for said in every),
            sum(said.tokens for said in every),
            {n: sum(said.notes[n] for said in every if n in said.notes) for n in names},
        )


def _stops(it: Ready, stop: Stop) -> bool:
    with it.reading():
        return ranks.told(stop(it.lm))


def _draws() -> Callable[[], None]:
    """Puts the random numbers back to where they are now."""
    here = torch.get_rng_state()
    there = torch.cuda.get_rng_state() if device() == "cuda" else None

    def back() -> None:
        torch.set_rng_state(here)
        if there is not None:
            torch.cuda.set_rng_state(there)

    return back


def _rate(step: int, per_epoch: int, recipe: Recipe) -> float:
    """The fraction of the full learning rate at a step."""
    warm = recipe.warmup * per_epoch
    if step < warm:
        return (step + 1) / (warm + 1)
    if recipe.schedule == "constant":
        return 1.0
    left = 1 - (step - warm) / max(1.0, recipe.epochs * per_epoch - warm)
    return left if recipe.schedule == "linear" else 0.5 * (1 - math.cos(math.pi * left))
