"""What losses are tested on: a real batch in double precision, and a model of given logits."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from di_bench.batch import Batch, pad
from di_bench.forest import Forest
from di_bench.lm import LM
from di_bench.template import Encoded, Template
from tests.conftest import FORGET, RETAIN

Floats = NDArray[np.float64]
BETA = 0.3


def log_softmax(logits: Floats) -> Floats:
    """Of the last axis, in double precision."""
    top = logits.max(-1, keepdims=True)
    below: Floats = logits - top - np.log(np.exp(logits - top).sum(-1, keepdims=True))
    return below


@dataclass(frozen=True)
class Case:
    """A batch that is part of a larger step, and what two models say about it, in NumPy."""

    lm: LM
    batch: Batch
    teacher: Tensor
    now: list[Floats]
    """For each sequence the (L, V) log-probabilities of its answer's tokens."""
    start: list[Floats]
    """The same of the teacher."""
    answers: list[list[int]]

    def chosen(self, said: list[Floats]) -> list[Floats]:
        """For each sequence the (L,) log-probabilities of its true tokens."""
        return [p[np.arange(len(y)), y] for p, y in zip(said, self.answers, strict=True)]

    def mean(self, per_token: list[Floats]) -> float:
        """Over the answer tokens of the whole step."""
        return float(np.concatenate(per_token).sum() / self.batch.tokens)

    def true(self, said: list[Floats]) -> list[NDArray[np.bool_]]:
        """For each sequence (L, V) where its true tokens are."""
        return [np.eye(p.shape[1], dtype=bool)[y] for p, y in zip(said, self.answers, strict=True)]


def full(lm: LM, batch: Batch) -> Floats:
    """(B, T, V) logits of every position."""
    with torch.no_grad():
        out = lm.model(input_ids=batch.ids, attention_mask=batch.mask).logits
    logits: Floats = out.double().numpy()
    return logits


def made(lm: LM) -> Case:
    """The case of a model and of the same with its weights disturbed."""
    items = (*FORGET[:3], RETAIN[1])
    texts = [*(lm.encode(one) for one in items), lm.encode(FORGET[4], "It is not that at all.")]
    batch = pad(texts, filler=7)
    assert 7 not in {token for text in texts for token in text.ids}
    batch = replace(
        batch,
        tokens=batch.tokens + 11,
        sequences=batch.sequences + 3,
        focused=batch.focused + 2,
    )
    other = lm.clone()
    torch.manual_seed(5)
    with torch.no_grad():
        for p in other.model.parameters():
            p.add_(torch.randn_like(p), alpha=0.05)
    spans = [slice(text.start - 1, len(text.ids) - 1) for text in texts]
    said = [
        [log_softmax(row[span]) for row, span in zip(full(who, batch), spans, strict=True)]
        for who in (lm, other)
    ]
    answers = [list(text.answer) for text in texts]
    lm.model.requires_grad_(True)
    return Case(lm, batch, other.logits(batch).detach(), said[0], said[1], answers)


def sums(case: Case, said: list[Floats]) -> Floats:
    """(B,) log-probabilities of whole answers."""
    return np.array([one.sum() for one in case.chosen(said)])


def tensor(values: Any) -> Tensor:  # noqa: ANN401 - numbers of any shape
    return torch.tensor(values, dtype=torch.float32)


def same(got: Tensor, wanted: Any) -> None:  # noqa: ANN401 - numbers of any shape
    np.testing.assert_allclose(got.detach().double().numpy(), wanted, rtol=2e-5, atol=2e-6)


class Told(LM):
    """A model that says what it is told: its logits are given, and learnt."""

    def logits(self, batch: Batch | Forest) -> Tensor:
        logits: Tensor = self.model
        assert len(logits) == len(batch.targets)
        return logits


def told(probabilities: Sequence[Sequence[float]]) -> Told:
    """A model that gives these (N, V) probabilities."""
    return Told(tensor(np.log(probabilities)).requires_grad_(True), None, Template())


def answers(*tokens: Sequence[int]) -> Batch:
    """A step of these answers to prompts of one token."""
    return pad([Encoded((0, *one), 1) for one in tokens], filler=0)


def learnt(lm: Told, loss: Tensor) -> Tensor:
    """The (N, V) gradient of a loss with respect to the logits."""
    (grad,) = torch.autograd.grad(loss, [lm.model])
    return grad
