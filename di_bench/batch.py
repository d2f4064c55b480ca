"""A batch: padded token ids, and where the answers in them are. Padding is handled here alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor

from di_bench.template import Encoded


@dataclass(frozen=True, eq=False)
class Batch:
    """Token ids, padded on the right, and where their answers are.

    `tokens`, `sequences` and `focused` count the answers of the whole optimizer step, of which this
    batch may be a part: losses divide by them, so that accumulation changes nothing.
    """

    ids: Tensor
    """(B, T) token ids."""
    mask: Tensor
    """(B, T) one on real tokens, by length: an end-of-turn token is real even if it is the pad."""
    position: Tensor
    """(N,) where in the flattened (B * T) each answer token is predicted from."""
    owner: Tensor
    """(N,) the row of the batch each answer token belongs to."""
    focus: Tensor
    """(N,) one where an answer token holds part of the fact."""
    split: str
    """Where the rows are from; empty when they are from no split."""
    rows: tuple[int, ...]
    """(B,) the index of each row in its split."""
    tokens: int
    sequences: int
    focused: int = 0
    """Tokens in focus."""

    places: ClassVar[None] = None
    """Position ids: the model counts for itself."""

    @cached_property
    def targets(self) -> Tensor:
        """(N,) the answer tokens."""
        return self.ids.reshape(-1)[self.position + 1]

    @cached_property
    def first(self) -> Tensor:
        """(N,) whether an answer token is the first of its answer."""
        return torch.cat([self.owner.new_ones(1), self.owner.diff()]).bool()[: len(self.owner)]

    def parts(self, values: Tensor) -> list[Tensor]:
        """(N, ...) values of answer tokens as one tensor for each sequence."""
        lengths = torch.bincount(self.owner, minlength=self.ids.shape[0])
        return list(torch.tensor_split(values, lengths.cumsum(0)[:-1].cpu()))

    def sums(self, values: Tensor) -> Tensor:
        """(N,) values of answer tokens summed to (B,) values of sequences."""
        return values.new_zeros(self.ids.shape[0]).index_add(0, self.owner, values)

    def to(self, device: torch.device) -> Batch:
        """The same on another device."""
        names = ("ids", "mask", "position", "owner", "focus")
        return replace(self, **{name: getattr(self, name).to(device) for name in names})


def pad(texts: Sequence[Encoded], filler: int, split: str = "", rows: Sequence[int] = ()) -> Batch:
    """Texts padded on the right with `filler` into one batch that is a whole step of its own."""
    longest = max(len(text.ids) for text in texts)
    ids = torch.full((len(texts), longest), filler)
    mask = torch.zeros_like(ids)
    position: list[int] = []
    owner: list[int] = []
    focus: list[bool] = []
    for row, text in enumerate(texts):
        ids[row, : len(text.ids)] = torch.tensor(text.ids)
        mask[row, : len(text.ids)] = 1
        length = len(text.answer)
        position += range(row * longest + text.start - 1, row * longest + len(text.ids) - 1)
        owner += [row] * length
        focus += text.focus or [False] * length
    return Batch(
        ids,
        mask,
        torch.tensor(position, dtype=torch.long),
        torch.tensor(owner, dtype=torch.long),
        torch.tensor(focus, dtype=torch.float32),
        split,
        tuple(rows),
        tokens=len(position),
        sequences=len(texts),
        focused=sum(focus),
    )


def together(
    prompts: Sequence[Sequence[int]], rooms: Sequence[int], context: int, rows: int = 128
) -> Iterator[list[int]]:
    """Which prompts to write from at once, the shortest first, so that none leaves the context.

    A batch goes on for as many tokens as the longest of its `rooms`, after its longest prompt too.
    At most `rows` are in one: what is sampled depends on who else is.
    """
    chunk: list[int] = []
    for i in sorted(range(len(prompts)), key=lambda i: len(prompts[i])):
        room = max(rooms[j] for j in (*chunk, i))
        if chunk and (len(chunk) == rows or len(prompts[i]) + room > context):
            yield chunk
            chunk = []
        chunk.append(i)
    if chunk:
        yield chunk
