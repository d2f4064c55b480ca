"""How hard and how long to train."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Recipe:
    """AdamW with warm-up. The defaults are TOFU's (Maini et al., 2024), learning rate apart."""

    lr: float = 1e-5
    epochs: int = 5
    batch_size: int = 32
    """Sequences in an optimizer step, whatever `micro_batch` is."""
    micro_batch: int | None = None
    """Sequences in memory at once; gradients are summed, so results do not change."""
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)
    warmup: float = 1.0
    """Epochs over which the learning rate climbs from zero."""
    schedule: Literal["constant", "linear", "cosine"] = "linear"
    """What the learning rate does after warm-up; linear and cosine end at zero."""
    clip: float = 1.0
    """The gradient's largest norm."""
    checkpointing: bool = False
    """Compute activations again when gradients need them: less memory, more time, same numbers."""


_SILENT = ("checkpointing",)
"""What changes no number, and so no key and no record."""


def audible(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe's settings without those that change no number."""
    return {name: value for name, value in recipe.items() if name not in _SILENT}


def heard(settings: Mapping[str, Any]) -> dict[str, Any]:
    """A method's settings, its recipes without what changes no number."""
    kept = {n: audible(v) if isinstance(v, Mapping) else v for n, v in settings.items()}
    return {name: value for name, value in kept.items() if value or not settings[name]}
