"""Answers to read, packed so that what several of them begin with is read once.

A row is a tree of tokens: each sees its ancestors alone, at the place it has in its own text, so
what is predicted after it is what a text by itself would predict. Tokens that predict nothing (the
last of a text) are not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from di_bench.template import Encoded


@dataclass
class Tree:
    """Texts as tokens and the token before each of them: what follows the same tokens is one."""

    ids: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    """The index of the token before; -1 for the first."""
    places: list[int] = field(default_factory=list)
    """How many tokens stand before, in its own text."""
    after: list[list[int]] = field(default_factory=list)
    """For each text, the token that each token of its answer is predicted from."""
    answers: list[tuple[int, ...]] = field(default_factory=list)
    _known: dict[tuple[int, int], int] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.ids)

    def add(self, text: Encoded) -> None:
        """One more text."""
        at, path = -1, []
        for place, token in enumerate(text.ids[:-1] if text.answer else ()):
            if (at, token) not in self._known:
                self._known[at, token] = len(self.ids)
                self.ids.append(token)
                self.parents.append(at)
                self.places.append(place)
            at = self._known[at, token]
            path.append(at)
        self.after.append(path[text.start - 1 :] if text.answer else [])
        self.answers.append(text.answer)


@dataclass(frozen=True, eq=False)
class Forest:
    """Trees as a batch."""

    ids: Tensor
    """(B, T) token ids, padded on the right."""
    mask: Tensor
    """(B, T) one on real tokens; where rows branch (B, 1, T, T), added to attention scores."""
    places: Tensor | None
    """(B, T) position ids, where rows branch."""
    position: Tensor
    """(U,) where in the flattened (B * T) something is predicted from, each place once."""
    pick: Tensor
    """(N,) which of them predicts each answer token."""
    targets: Tensor
    """(N,) the answer tokens."""
    lengths: tuple[int, ...]
    """The number of answer tokens of each text."""

    def to(self, device: torch.device) -> Forest:
        """The same on another device."""
        names = ("ids", "mask", "position", "pick", "targets")
        moved = {name: getattr(self, name).to(device) for name in names}
        places = None if self.places is None else self.places.to(device)
        return replace(self, places=places, **moved)


def forest(trees: Sequence[Tree], filler: int, dtype: torch.dtype) -> Forest:
    """Pad trees into one batch. `dtype` is that of the model's attention scores."""
    longest = max(map(len, trees))
    ids = torch.full((len(trees), longest), filler)
    places = torch.zeros_like(ids)
    mask = torch.zeros_like(ids)
    for row, tree in enumerate(trees):
        ids[row, : len(tree)] = torch.tensor(tree.ids)
        places[row, : len(tree)] = torch.tensor(tree.places)
        mask[row, : len(tree)] = 1
    branching = any(tree.places != list(range(len(tree))) for tree in trees)
    flat = [
        row * longest + at for row, tree in enumerate(trees) for path in tree.after for at in path
    ]
    position, pick = torch.unique(torch.tensor(flat, dtype=torch.long), return_inverse=True)
    answers = [answer for tree in trees for answer in tree.answers]
    return Forest(
        ids,
        _sight(trees, longest, dtype) if branching else mask,
        places if branching else None,
        position,
        pick,
        torch.tensor([token for answer in answers for token in answer], dtype=torch.long),
        tuple(map(len, answers)),
    )


def _sight(trees: Sequence[Tree], longest: int, dtype: torch.dtype) -> Tensor:
    """(B, 1, T, T) zero where a token sees another, the least number elsewhere."""
    sees = np.zeros((len(trees), longest, longest), dtype=bool)
    for row, tree in enumerate(trees):
        own = sees[row]
        for at, parent in enumerate(tree.parents):
            if parent >= 0:
                own[at] = own[parent]
            own[at, at] = True
        own[range(len(tree), longest), range(len(tree), longest)] = True  # padding sees itself
    least = torch.finfo(dtype).min
    return torch.where(torch.from_numpy(sees), 0.0, least).to(dtype).unsqueeze(1)


def chunks(sizes: Sequence[int], tokens: int) -> Iterator[list[int]]:
    """Rows of like size, as many as fit in `tokens` positions once padded."""
    chunk: list[int] = []
    for i in sorted(range(len(sizes)), key=lambda i: sizes[i]):
        if chunk and (len(chunk) + 1) * sizes[i] > tokens:
            yield chunk
            chunk = []
        chunk.append(i)
    if chunk:
        yield chunk
