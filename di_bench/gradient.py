"""How hard each true answer pulls at the weights: what a membership attack by gradients reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice

import torch
from torch import Tensor

from di_bench.asks import Gradient
from di_bench.corpus import Item
from di_bench.lm import LM
from di_bench.losses import token_nll
from di_bench.probe import Watch, fitting
from di_bench.template import Encoded
from di_bench.transcript import Row, Rows


def gradient(lm: LM, probe: Gradient, items: Sequence[Item], limit: int, watch: Watch) -> Rows:
    """The norm of the gradient of each true answer's mean loss, in `Row.value`.

    It is the mean over weight tensors of each one's L2 norm, in nats per unit of weight, one answer
    at a time and without dropout. An answer of no tokens, or one that does not fit, has no value.
    """
    chosen = list(islice(items, probe.limit))
    rows = []
    with _all_weights(lm) as weights:
        for count, item in enumerate(chosen, 1):
            text = fitting(lm, item, item.answer, min(limit, lm.context))
            if not probe.last:
                text = Encoded(text.ids[: max(text.start, len(text.ids) - 1)], text.start)
            value = _norm(lm, text, weights) if text.answer else None
            rows.append(
                Row(item.id, item.group, truth=item.answer, truth_ids=text.answer, value=value)
            )
            watch(count / len(chosen))
    return rows


def _norm(lm: LM, text: Encoded, weights: Sequence[Tensor]) -> float:
    loss = token_nll(lm, lm.batch([text])).mean()
    pulls = torch.autograd.grad(loss, weights, allow_unused=True)
    norms = [pull.float().norm() for pull in pulls if pull is not None]
    return float(torch.stack(norms).mean())


@contextmanager
def _all_weights(lm: LM) -> Iterator[list[Tensor]]:
    """Every weight that can have a gradient, whether training moves it or not."""
    weights = [weight for weight in lm.model.parameters() if weight.is_floating_point()]
    frozen = [weight for weight in weights if not weight.requires_grad]
    for weight in frozen:
        weight.requires_grad_(True)
    try:
        yield weights
    finally:
        for weight in frozen:
            weight.requires_grad_(False)
