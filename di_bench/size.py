"""The sizes of model the harness grows from nothing."""

from collections.abc import Mapping
from dataclasses import dataclass

from di_bench.errors import ModelError, nearest
from di_bench.recipe import Recipe


@dataclass(frozen=True)
class Size:
    """A Llama-shaped model with tied embeddings, and how it is grown on the built-in world."""

    hidden: int
    layers: int
    heads: int
    inner: int
    """Width of the feed-forward layer."""
    pretrain: Recipe
    memorize: Recipe
    vocabulary: int = 1024
    context: int = 256

    @property
    def parameters(self) -> int:
        """How many weights, the tied embedding counted once."""
        layer = 4 * self.hidden**2 + 3 * self.hidden * self.inner + 2 * self.hidden
        return self.vocabulary * self.hidden + self.layers * layer + self.hidden


_PRETRAIN = Recipe(lr=3e-3, epochs=6, batch_size=32, warmup=0.5, schedule="cosine")
_MEMORIZE = Recipe(lr=2e-3, epochs=12, batch_size=16, warmup=0.5, schedule="cosine", weight_decay=0)

SIZES: Mapping[str, Size] = {
    "builtin/nano": Size(80, 3, 4, 208, _PRETRAIN, _MEMORIZE),
    "builtin/micro": Size(128, 4, 4, 344, _PRETRAIN, _MEMORIZE),
    "builtin/mini": Size(256, 5, 8, 688, _PRETRAIN, _MEMORIZE),
}


def size(name: str) -> Size:
    """A built-in size. Raises ModelError with the nearest name."""
    if name not in SIZES:
        raise ModelError(f"no built-in model {name!r}; {nearest(name, SIZES)}")
    return SIZES[name]
