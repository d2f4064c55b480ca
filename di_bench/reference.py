"""What a model said before training, exactly, without a second model in memory."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from di_bench.batch import Batch
from di_bench.errors import ModelError
from di_bench.lm import LM
from di_bench.losses import lowered
from di_bench.template import Encoded

ROWS = 32
"""Texts read at once."""


@dataclass(frozen=True)
class Reference:
    """What a model said before training: its last states at answers, and its frozen head."""

    head: Any
    states: Mapping[str, Sequence[Tensor]]
    """Split to one (L, H) tensor for each of its texts."""

    @property
    def bytes(self) -> int:
        """Memory that the kept states take; the head is as large as the model's own."""
        return sum(s.nbytes for texts in self.states.values() for s in texts)

    def hidden(self, batch: Batch) -> Tensor:
        """(N, H) the kept states of a batch's answer tokens."""
        rows = [self.states[batch.split][row] for row in batch.rows]
        return torch.cat(rows).to(batch.ids.device)

    @torch.no_grad()
    def logits(self, batch: Batch) -> Tensor:
        """(N, V) the model's own predictions for `batch.targets`, as they were."""
        out: Tensor = self.head(self.hidden(batch)).float()
        return out

    def lowered(self, batch: Batch, strength: float) -> Tensor:
        """(N, V) the same with `strength` taken off each true token's logit."""
        return lowered(self.logits(batch), batch, strength)

    def logprob(self, batch: Batch) -> Tensor:
        """(B,) log-probability of each whole answer, as it was."""
        said = self.logits(batch).log_softmax(-1)
        return batch.sums(said.gather(-1, batch.targets.unsqueeze(-1)).squeeze(-1))


@torch.no_grad()
def remember(
    lm: LM, splits: Mapping[str, Sequence[Encoded]], layer: int | None = None
) -> Reference:
    """Read each text once and keep its states: the last, or those of a layer.

    Memory: H numbers for each answer token.

    Raises ModelError for a model that changes its logits after the projection (a soft cap, a
    scale): its states and head alone would not give its predictions back.
    """
    states: dict[str, list[Tensor]] = {}
    for split, texts in splits.items():
        states[split] = []
        for start in range(0, len(texts), ROWS):
            batch = lm.batch(texts[start : start + ROWS])
            read = lm.states(batch) if layer is None else lm.hidden(batch, layer)
            if (
                layer is None
                and not start
                and not torch.allclose(
                    lm.head(read).float(), lm.logits(batch), rtol=1e-3, atol=1e-3
                )
            ):
                raise ModelError("this model changes its logits after the projection")
            states[split] += [part.cpu() for part in batch.parts(read)]
    return Reference(copy.deepcopy(lm.head).requires_grad_(False), states)
