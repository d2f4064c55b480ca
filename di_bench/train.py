"""The one training loop, and the reference it hands to methods.

`Fitter` owns the data, the seed, accumulation, the schedule and the divergence guard, so none of
that stands in a method. Every call is kept: a run that is asked a new question replays `unlearn`
from the top and finds each `fit` already done.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from di_bench import adapt
from di_bench.batch import Batch
from di_bench.corpus import Item
from di_bench.errors import CorpusError, DivergedError, MethodError, ModelError
from di_bench.lm import LM
from di_bench.recipe import Recipe
from di_bench.reference import Reference, remember
from di_bench.template import Encoded

Piece = Callable[[str, Callable[[Path], None]], Path]
"""Makes a named piece of work once, and says which folder it is in."""


@dataclass(frozen=True)
class Pair:
    """One step's data, or a part of it: texts to forget and as many texts to keep."""

    forget: Batch
    _others: Callable[[str], Batch]

    @cached_property
    def retain(self) -> Batch:
        """As many texts of the retain split, drawn at random."""
        return self._others("retain")

    @cached_property
    def refusal(self) -> Batch:
        """The questions of `forget`, each answered with its refusal."""
        return self._others("refusal")


Loss = Callable[[LM, Pair], Tensor]


@dataclass(frozen=True)
class Training:
    """What one call of `fit` did."""

    seconds: float
    tokens: int
    steps: int
    curve: tuple[float, ...]
    """Mean loss of each epoch."""


@dataclass
class Fitter:
    """Training bound to one run: its data, seed, place to keep pieces, and gold model."""

    splits: Mapping[str, Sequence[Item]]
    refusals: Sequence[str]
    seed: int
    piece: Piece
    max_tokens: int
    load_gold: Callable[[], LM] | None = None
    watch: Callable[[float], None] = lambda _: None
    """Told the fraction done of each fit."""
    keep: float = 1.0
    """Texts of retain in a step for each text of forget."""
    pool: int = 1
    """Steps whose texts are sorted by length together, to pad less; 1 sorts nothing."""
    trainings: list[Training] = field(default_factory=list, init=False)
    reading: float = field(default=0.0, init=False)
    """Seconds spent on references."""

    def __call__(
        self, lm: LM, loss: Loss, recipe: Recipe, *, stop: Callable[[LM], bool] | None = None
    ) -> LM:
        """Train, or restore what an earlier replay trained."""
        fresh: list[Training] = []

        def make(draft: Path) -> None:
            fresh.append(self._train(lm, loss, recipe, stop))
            adapt.save(lm, draft)
            (draft / "training.json").write_text(json.dumps(asdict(fresh[0])), encoding="utf-8")

        folder = self.piece(f"fit-{len(self.trainings)}", make)
        if not fresh:
            adapt.restore(lm, folder)
            kept = json.loads((folder / "training.json").read_text(encoding="utf-8"))
            fresh = [Training(**kept | {"curve": tuple(kept["curve"])})]
        self.trainings += fresh
        torch.manual_seed(self.seed)  # what a method draws next is the same after a replay
        return lm

    def gold(self) -> LM:
        """The model that learnt retain alone, from the same base and grow seed."""
        if self.load_gold is None:
            raise ModelError("there is no gold model here")
        return self.load_gold()

    def reference(self, lm: LM, *splits: str) -> Reference:
        """Read these splits once and keep the last states at answer positions."""
        began = time.perf_counter()
        read = remember(lm, {split: self._encoded(lm, split) for split in splits})
        self.reading += time.perf_counter() - began
        return read

    def _encoded(self, lm: LM, split: str) -> list[Encoded]:
        if split != "refusal":
            return [lm.encode(item, None, self.max_tokens) for item in self.splits[split]]
        if not self.refusals:
            raise CorpusError("this corpus has no refusals to teach; set corpus.refusals")
        order = random.Random(f"{self.seed}:refusals")
        return [
            lm.encode(item, order.choice(self.refusals), self.max_tokens)
            for item in self.splits["forget"]
        ]

    def _train(
        self, lm: LM, loss: Loss, recipe: Recipe, stop: Callable[[LM], bool] | None
    ) -> Training:
        torch.manual_seed(self.seed)
        began = time.perf_counter()
        weights = [p for p in lm.model.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(
            weights, recipe.lr, recipe.betas, weight_decay=recipe.weight_decay, fused=True
        )
        per_epoch = math.ceil(len(self.splits["forget"]) / recipe.batch_size)
        rate = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda n: _rate(n, per_epoch, recipe))
        curve: list[float] = []
        tokens = steps = 0
        for epoch, batches in enumerate(self._epochs(lm, recipe)):
            lm.model.train()
            total = 0.0
            for parts in batches:
                value = sum(_backward(loss(lm, pair)) for pair in parts)
                norm = clip_grad_norm_(weights, recipe.clip)
                if not math.isfinite(value) or not norm.isfinite():
                    found = f"gradient is {norm}" if math.isfinite(value) else f"loss is {value}"
                    raise DivergedError(f"{found} at step {steps} (epoch {epoch + 1})")
                optimizer.step()
                optimizer.zero_grad()
                rate.step()
                steps, total = steps + 1, total + value
                tokens += sum(_tokens(pair) for pair in parts)
                self.watch(steps / (per_epoch * recipe.epochs))
            curve.append(total / per_epoch)
            lm.model.eval()
            if stop is not None and stop(lm):
                break
        return Training(time.perf_counter() - began, tokens, steps, tuple(curve))

    def _steps(
        self, rows: Sequence[int], size: int, encoded: Callable[[str], list[Encoded]]
    ) -> list[Sequence[int]]:
        """The rows of each step of an epoch, from rows in random order."""
        if self.pool == 1:
            return _cut(rows, size)
        texts = encoded("forget")
        pools = _cut(rows, size * self.pool)
        return [
            step
            for pool in pools
            for step in _cut(sorted(pool, key=lambda row: len(texts[row].ids)), size)
        ]

    def _epochs(self, lm: LM, recipe: Recipe) -> Iterator[Iterator[list[Pair]]]:
        order = random.Random(self.seed)
        texts: dict[str, list[Encoded]] = {}

        def encoded(split: str) -> list[Encoded]:
            if split not in texts:
                texts[split] = self._encoded(lm, split)
            return texts[split]

        def pairs(rows: Sequence[int], kept: Sequence[int]) -> list[Pair]:
            chosen = {"forget": rows, "refusal": rows, "retain": kept}
            parts = math.ceil(len(rows) / (recipe.micro_batch or recipe.batch_size))
            parts = min(parts, len(kept) or parts)  # each has something of both
            return [_pair(lm, encoded, chosen, slice(n, None, parts)) for n in range(parts)]

        forget = list(range(len(self.splits["forget"])))
        retain = range(len(self.splits.get("retain", ())))
        for _ in range(recipe.epochs):
            order.shuffle(forget)
            steps = self._steps(forget, recipe.batch_size, encoded)
            if self.pool > 1:
                order.shuffle(steps)
            kept = [
                order.choices(retain, k=max(1, round(self.keep * len(rows)))) if retain else []
                for rows in steps
            ]
            yield (pairs(*step) for step in zip(steps, kept, strict=True))


def _cut(rows: Sequence[int], size: int) -> list[Sequence[int]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _pair(
    lm: LM,
    encoded: Callable[[str], list[Encoded]],
    chosen: Mapping[str, Sequence[int]],
    part: slice,
) -> Pair:
    """The part of a step, with the counts of the whole step."""

    def batch(split: str) -> Batch:
        texts, rows = encoded(split), chosen[split]
        whole = max(1, sum(len(texts[row].answer) for row in rows))  # all cut away: 0, not NaN
        mine = lm.batch([texts[row] for row in rows[part]], split, rows[part])
        return replace(mine, tokens=whole, sequences=len(rows))

    return Pair(batch("forget"), batch)


def _backward(value: Tensor) -> float:
    if not value.requires_grad:
        raise MethodError("the loss does not depend on the model; nothing would be trained")
    value.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return float(value.detach())


def _tokens(pair: Pair) -> int:
    """Real tokens that a step's batches held."""
    return int(sum(batch.mask.sum() for batch in vars(pair).values() if isinstance(batch, Batch)))


def _rate(step: int, per_epoch: int, recipe: Recipe) -> float:
    """The fraction of the full learning rate at a step."""
    warm = recipe.warmup * per_epoch
    if step < warm:
        return (step + 1) / (warm + 1)
    if recipe.schedule == "constant":
        return 1.0
    left = 1 - (step - warm) / max(1.0, recipe.epochs * per_epoch - warm)
    return left if recipe.schedule == "linear" else 0.5 * (1 - math.cos(math.pi * left))
