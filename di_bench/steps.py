"""Which texts go into each optimizer step of a fit, and in how many parts."""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from torch import Tensor

from di_bench.batch import Batch
from di_bench.lm import LM
from di_bench.recipe import Recipe
from di_bench.template import Encoded

Texts = Callable[[str], Sequence[Encoded]]
"""The encoded texts of a split."""


@dataclass(frozen=True)
class Pair:
    """One step's data, or a part of it: texts to forget and as many texts to keep."""

    forget: Batch
    _others: Callable[[str], Batch]
    notes: dict[str, Tensor] = field(default_factory=dict)
    """What the loss said of its own parts."""

    @cached_property
    def retain(self) -> Batch:
        """As many texts of the retain split, drawn at random."""
        return self._others("retain")

    @cached_property
    def refusal(self) -> Batch:
        """The questions of `forget`, each answered with its refusal."""
        return self._others("refusal")

    @cached_property
    def alternate(self) -> Batch:
        """The questions of `forget`, each with an answer that `fit.imagine` had a model write."""
        return self._others("alternate")

    def note(self, name: str, value: Tensor) -> None:
        """Say what a part of the loss is; `fit(..., after=)` is told its sum over the step."""
        self.notes[name] = value.detach()

    @property
    def tokens(self) -> int:
        """Real tokens that the batches made so far hold."""
        return int(
            sum(batch.mask.sum() for batch in vars(self).values() if isinstance(batch, Batch))
        )


@dataclass(frozen=True)
class Step:
    """The rows of one optimizer step."""

    forget: Sequence[int]
    retain: Sequence[int]
    epoch: int


@dataclass(frozen=True)
class Steps:
    """Forget in random order each epoch, and texts of retain drawn to stand beside it."""

    texts: Texts
    seed: int
    recipe: Recipe
    forget: int
    """How many texts the split has."""
    retain: int = 0
    keep: float = 1.0
    """Texts of retain in a step for each text of forget."""
    pool: int = 1
    """Steps whose texts are sorted by length together, to pad less; 1 sorts nothing."""
    alternates: int = 1
    """Imagined answers to each question; epochs take them in turn."""

    @property
    def an_epoch(self) -> int:
        """Steps in an epoch."""
        return math.ceil(self.forget / self.recipe.batch_size)

    def epochs(self) -> Iterator[Iterator[Step]]:
        """The steps of each epoch, to be taken in turn; the same for the same seed."""
        order = random.Random(self.seed)
        forget = array("I", range(self.forget))
        for epoch in range(self.recipe.epochs):
            order.shuffle(forget)
            steps = self._cut(forget)
            if self.pool > 1:
                order.shuffle(steps)
            yield self._with_retain(steps, epoch, order)

    def _with_retain(
        self, steps: Sequence[Sequence[int]], epoch: int, order: random.Random
    ) -> Iterator[Step]:
        """The steps of an epoch, each with texts of retain, drawn when it is due."""
        for rows in steps:
            count = max(1, round(self.keep * len(rows)))
            beside = order.choices(range(self.retain), k=count) if self.retain else []
            yield Step(rows, beside, epoch)

    def _cut(self, rows: Sequence[int]) -> list[Sequence[int]]:
        """The rows of each step of an epoch, from rows in random order."""
        if self.pool == 1:
            return _cut(rows, self.recipe.batch_size)
        texts = self.texts("forget")
        return [
            step
            for pool in _cut(rows, self.recipe.batch_size * self.pool)
            for step in _cut(
                sorted(pool, key=lambda row: len(texts[row].ids)), self.recipe.batch_size
            )
        ]

    def parts(self, lm: LM, step: Step, size: int) -> list[Pair]:
        """A step in parts of `size` texts at most, each with the counts of the whole step."""
        count = math.ceil(len(step.forget) / size)
        count = min(count, len(step.retain) or count)  # each has something of both
        turn = step.epoch % self.alternates
        chosen = {
            "forget": step.forget,
            "refusal": step.forget,
            "alternate": [row * self.alternates + turn for row in step.forget],
            "retain": step.retain,
        }

        def pair(part: slice) -> Pair:
            def batch(split: str) -> Batch:
                texts, rows = self.texts(split), chosen[split]
                whole = [texts[row] for row in rows]
                mine = lm.batch([texts[row] for row in rows[part]], split, rows[part])
                return replace(
                    mine,
                    tokens=max(1, sum(len(text.answer) for text in whole)),  # 0, not NaN
                    focused=sum(sum(text.focus) for text in whole),
                    sequences=len(rows),
                )

            return Pair(batch("forget"), batch)

        return [pair(slice(n, None, count)) for n in range(count)]


def _cut(rows: Sequence[int], size: int) -> list[Sequence[int]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]
