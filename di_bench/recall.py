"""What a stop rule reads after an epoch: perplexity, and how much can be said by heart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from di_bench.batch import together
from di_bench.lm import LM
from di_bench.losses import token_nll
from di_bench.metrics.extraction import overlap
from di_bench.template import Encoded

ROWS = 64
"""Texts read at once."""


@dataclass(frozen=True)
class Recall:
    """Both are 0 to 1; Jang et al., 2023 (arXiv 2210.01504)."""

    likelihood: float
    """EL_n: mean share of greedy n-grams found in the true rest."""
    accuracy: float
    """MA: share of answer tokens ranked first, mean over texts."""

    def within(self, other: Recall) -> bool:
        """Whether no more is known by heart than there."""
        return self.likelihood <= other.likelihood and self.accuracy <= other.accuracy


@torch.no_grad()
def perplexity(lm: LM, texts: Sequence[Encoded]) -> float:
    """exp(mean negative log-likelihood per token) over all texts."""
    total, tokens = 0.0, 0
    for start in range(0, len(texts), ROWS):
        batch = lm.batch(texts[start : start + ROWS])
        total += float(token_nll(lm, batch).sum())
        tokens += batch.tokens
    return math.exp(min(total / max(1, tokens), 700.0))


@torch.no_grad()
def recall(lm: LM, texts: Sequence[Encoded], n: int, stride: int) -> Recall:
    """EL_n from every `stride`-th token of each answer on, and MA."""
    hits: list[float] = []
    for start in range(0, len(texts), ROWS):
        batch = lm.batch(texts[start : start + ROWS])
        right = (lm.logits(batch).argmax(-1) == batch.targets).float()
        hits += [float(part.mean()) for part in batch.parts(right) if len(part)]
    cuts = [
        (text.ids[:cut], text.ids[cut:])
        for text in texts
        for cut in range(text.start + stride, len(text.ids) - n + 1, stride)
    ]
    prompts, rests = [cut[0] for cut in cuts], [cut[1] for cut in cuts]
    shares: list[float] = []
    for chunk in together(prompts, [len(rest) for rest in rests], lm.context):
        written = lm.write([prompts[i] for i in chunk], [len(rests[i]) for i in chunk])
        for i, ids in zip(chunk, written, strict=True):
            share = overlap(ids, rests[i], n)
            shares += [] if share is None else [share]
    return Recall(_mean(shares), _mean(hits))


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else 0.0
