"""Going on from prompts, greedily or by sampling.

The greedy loop is our own for one reason: a row that is done leaves the batch, so a text that
rambles does not keep the finished ones at work.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

WORKING = 0.9
"""Share of rows still going on below which the finished ones are taken out."""


def padded(prompts: Sequence[Sequence[int]], filler: int) -> tuple[Tensor, Tensor]:
    """(B, T) ids padded on the left, and one on real tokens."""
    longest = max(len(prompt) for prompt in prompts)
    ids = torch.full((len(prompts), longest), filler)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, longest - len(prompt) :] = torch.tensor(prompt)
        mask[row, longest - len(prompt) :] = 1
    return ids, mask


def steps_alone(inner: Any) -> bool:  # noqa: ANN401 - a causal language model
    """Whether the model keeps what it has read in a cache that rows can be taken out of."""
    known = inspect.signature(inner.forward).parameters
    return "past_key_values" in known and bool(inner._supports_default_dynamic_cache())


@torch.no_grad()
def greedy(
    lm: tuple[Any, Any],
    ids: Tensor,
    mask: Tensor,
    rooms: Sequence[int],
    ends: Sequence[int],
) -> list[list[int]]:
    """The likeliest token each time, until an end token or a row's own limit.

    `lm` is the model to call and the causal language model inside it.
    """
    model, inner = lm
    known = inspect.signature(inner.forward).parameters
    cache = DynamicCache(config=inner.config)
    written: list[list[int]] = [[] for _ in rooms]

    def goes_on(row: int) -> bool:
        return len(written[row]) < rooms[row] and (not written[row] or written[row][-1] not in ends)

    rows = list(range(len(rooms)))
    places = (mask.cumsum(-1) - 1).clamp(min=0)
    while rows:
        more: dict[str, Any] = {"position_ids": places, "logits_to_keep": 1}
        out = model(
            input_ids=ids,
            attention_mask=mask,
            past_key_values=cache,
            use_cache=True,
            **{name: value for name, value in more.items() if name in known},
        )
        chosen = out.logits[:, -1].float().argmax(-1)
        for row, token in zip(rows, chosen.tolist(), strict=True):
            if goes_on(row):
                written[row].append(token)
        ids, mask = chosen.unsqueeze(-1), torch.cat([mask, mask.new_ones(len(rows), 1)], dim=1)
        places = places[:, -1:] + 1
        going = [at for at, row in enumerate(rows) if goes_on(row)]
        if len(going) < WORKING * len(rows):
            kept = torch.tensor(going, dtype=torch.long, device=ids.device)
            ids, mask, places = ids[kept], mask[kept], places[kept]
            _keep(cache, kept)
            rows = [rows[at] for at in going]
    return written


def _keep(cache: Any, rows: Tensor) -> None:  # noqa: ANN401 - with what a model beside has read
    cache.batch_select_indices(rows)
    if beside := getattr(cache, "beside", None):
        beside.batch_select_indices(rows)


@torch.no_grad()
def by_transformers(
    model: Any,  # noqa: ANN401 - a model that can generate
    ids: Tensor,
    mask: Tensor,
    new_tokens: int,
    *,
    ends: Sequence[int],
    pad: int,
    **sampling: Any,  # noqa: ANN401 - transformers' own names
) -> list[list[int]]:
    """What transformers' `generate` writes: for sampling, and for models with memories of a kind.

    `sampling` is empty for the likeliest token each time.
    """
    how: dict[str, Any] = {"do_sample": False, "top_p": None, "temperature": None, "top_k": None}
    written = model.generate(
        input_ids=ids,
        attention_mask=mask,
        max_new_tokens=new_tokens,
        pad_token_id=pad,
        eos_token_id=list(ends),
        **how | sampling,
    )
    return [list(row) for row in written[:, ids.shape[1] :].tolist()]
