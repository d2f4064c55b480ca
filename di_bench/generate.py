"""Going on from prompts, greedily or by sampling.

The greedy loop is our own for one reason: a row that is done leaves the batch, so a text that
rambles does not keep the finished ones at work.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

SHARED = 8
"""Tokens that prompts must begin with alike to read them once."""
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
    if "past_key_values" not in known or not inner._supports_default_dynamic_cache():
        return False
    layers = DynamicCache(config=inner.config).layers
    return all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers)


@dataclass(frozen=True)
class Greedy:
    """A model that writes the likeliest token each time."""

    model: Any
    """What is called: the model, or what wraps it."""
    inner: Any
    """The causal language model inside it."""
    pad: int
    ends: Sequence[int]
    shares: bool
    """Whether prompts that begin alike may be read as one up to there: it heeds position ids."""

    @torch.no_grad()
    def write(self, prompts: Sequence[Sequence[int]], rooms: Sequence[int]) -> list[list[int]]:
        """Go on from each prompt until an end token or its own limit."""
        cache = DynamicCache(config=self.inner.config)
        start = self._begin(prompts, cache)
        ids, own = padded([prompt[start:] for prompt in prompts], self.pad)
        mask = torch.cat([own.new_ones(len(prompts), start), own], dim=1)
        places = start + (own.cumsum(-1) - 1).clamp(min=0)
        device = self.model.device
        return self._go_on(ids.to(device), mask.to(device), places.to(device), cache, rooms)

    def _begin(self, prompts: Sequence[Sequence[int]], cache: Any) -> int:  # noqa: ANN401
        """Read what all prompts begin with, once; how many tokens that is."""
        ordered = sorted(map(tuple, prompts))
        ends = zip(ordered[0], ordered[-1], strict=False)  # what these share, all between them do
        start = next((i for i, (one, other) in enumerate(ends) if one != other), 0)
        if not self.shares or start < SHARED or len(prompts) == 1:
            return 0
        ids = torch.tensor([ordered[0][:start]], device=self.model.device)
        self._read(ids, torch.ones_like(ids), torch.arange(start, device=ids.device)[None], cache)
        for each in _all(cache):
            each.batch_repeat_interleave(len(prompts))
        return start

    def _read(self, ids: Tensor, mask: Tensor, places: Tensor, cache: Any) -> Tensor:  # noqa: ANN401
        """(B, V) what is predicted after the last token of each row."""
        known = inspect.signature(self.inner.forward).parameters
        more: dict[str, Any] = {"position_ids": places, "logits_to_keep": 1}
        out = self.model(
            input_ids=ids,
            attention_mask=mask,
            past_key_values=cache,
            use_cache=True,
            **{name: value for name, value in more.items() if name in known},
        )
        return cast(Tensor, out.logits[:, -1].float())

    def _go_on(
        self,
        ids: Tensor,
        mask: Tensor,
        places: Tensor,
        cache: Any,  # noqa: ANN401
        rooms: Sequence[int],
    ) -> list[list[int]]:
        written: list[list[int]] = [[] for _ in rooms]

        def due(row: int) -> bool:
            own = written[row]
            return len(own) < rooms[row] and (not own or own[-1] not in self.ends)

        rows = list(range(len(rooms)))
        while rows:
            chosen = self._read(ids, mask, places, cache).argmax(-1)
            for row, token in zip(rows, chosen.tolist(), strict=True):
                if due(row):
                    written[row].append(token)
            ids, mask = chosen.unsqueeze(-1), torch.cat([mask, mask.new_ones(len(rows), 1)], dim=1)
            places = places[:, -1:] + 1
            going = [at for at, row in enumerate(rows) if due(row)]
            if len(going) < WORKING * len(rows):
                kept = torch.tensor(going, dtype=torch.long, device=ids.device)
                ids, mask, places = ids[kept], mask[kept], places[kept]
                for each in _all(cache):
                    each.batch_select_indices(kept)
                rows = [rows[at] for at in going]
        return written


def _all(cache: Any) -> list[Any]:  # noqa: ANN401 - a cache
    """The cache, and that of a model beside."""
    beside = getattr(cache, "beside", None)
    return [cache, *([beside] if beside is not None else [])]


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
