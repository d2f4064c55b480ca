"""A model as a suite names it, and how it is grown and trained."""

import os
from typing import Any, Literal

from pydantic import PositiveInt

from di_bench.spec import Spec


class ModelSpec(Spec):
    """A model, and the prompt format that is part of it. A bare name stands for `{id: name}`."""

    id: str
    """`builtin/nano`, `builtin/micro`, `builtin/mini`, a hub id, or a folder."""
    revision: str | None = None
    """The hub commit to load; None takes the newest and records what it was."""
    template: Literal["plain", "chat"] = "plain"
    """`Question: ... Answer:`, or the tokenizer's own chat template."""
    system: str = ""
    """The system turn of a chat; none when empty."""
    date: str = ""
    """The date a chat template may print; fixed, so that prompts do not change overnight."""
    target: str | None = None
    """A checkpoint that learnt forget and retain, in place of growing one."""
    retain: str | None = None
    """A checkpoint that learnt retain alone: the gold model."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """auto: bfloat16 on CUDA, float32 elsewhere."""

    @property
    def builtin(self) -> bool:
        """Whether the harness grows it from nothing."""
        return self.id.startswith("builtin/")

    @property
    def local(self) -> bool:
        """Whether it is a folder on this machine."""
        return self.id.startswith((".", "/", "~")) or (os.sep != "/" and os.sep in self.id)


class Grow(Spec):
    """Changes to the recipes that make target and gold; built-in sizes bring their own."""

    pretrain: dict[str, Any] = {}
    memorize: dict[str, Any] = {}


class Peft(Spec):
    """Unlearn through an adapter instead of all weights."""

    kind: Literal["lora"] = "lora"
    rank: PositiveInt = 8
    alpha: PositiveInt = 16
    targets: tuple[str, ...] | Literal["all-linear"] = "all-linear"
    dropout: float = 0.0
