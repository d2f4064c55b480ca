"""A method: one way to make a model forget, in one file, with its settings as fields.

`Fit` is all that a method is handed. What can be known of a file without running it is
`methodfile.py`'s.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from pydantic import ConfigDict

from di_bench.recipe import Recipe

if TYPE_CHECKING:
    from di_bench.focus import By
    from di_bench.lm import LM
    from di_bench.recall import Recall
    from di_bench.reference import Reference
    from di_bench.train import After, Loss, Stop

NONE = "none"
"""The floor: the model as it was."""
RETRAIN = "retrain"
"""The ceiling: a gold model that never saw what must be forgotten."""


class Fit(Protocol):
    """What a method is handed: the one training loop, bound to the run's data, seed and device."""

    def __call__(
        self,
        lm: LM,
        loss: Loss,
        recipe: Recipe,
        *,
        stop: Stop | None = None,
        after: After | None = None,
    ) -> LM:
        """Train `lm` in place to lower `loss`, and return it.

        `stop` is asked after each epoch; `after` is told what the loss noted of each step.
        """

    def reference(self, lm: LM, *splits: str, layer: int | None = None) -> Reference:
        """What `lm` says now at every answer token of these splits; exact, without a copy of it.

        With `layer`, what that layer makes of the answer tokens instead.
        """

    def gold(self) -> LM:
        """The model that learnt retain alone, from the same base and grow seed."""

    def focus(self, lm: LM, by: By = "surprise", pipeline: str = "en_core_web_sm") -> None:
        """Mark the fact (`batch.focus`) in texts of forget that name none themselves.

        By surprise: tokens that `lm` finds likely and the base does not.
        """

    def imagine(self, lm: LM, count: int, temperature: float) -> None:
        """Let `lm` write `count` other answers to each question of forget: `pair.alternate`."""

    def perplexity(self, lm: LM) -> float:
        """Of the suite's `watch.text`. The method must say `watches = ("text",)`."""

    def recall(self, lm: LM, split: str, n: int, stride: int) -> Recall:
        """EL_n and MA on `forget`, or on the suite's `watch.unseen`, if the method watches it."""


@dataclass(frozen=True)
class Method(ABC):
    """Subclass as a frozen dataclass, one per file. The fields are the settings."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")
    watches: ClassVar[tuple[str, ...]] = ()
    """The held-out texts its stop rule reads: `text`, `unseen`. Written out, for keys read it."""

    @abstractmethod
    def unlearn(self, lm: LM, fit: Fit) -> LM:
        """Return a model that has forgotten. Training goes through `fit`, nothing else does."""
