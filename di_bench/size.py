"""The sizes of model the harness grows from nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

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
    context: int = 512

    @property
    def parameters(self) -> int:
        """How many weights, the tied embedding counted once."""
        layer = 4 * self.hidden**2 + 3 * self.hidden * self.inner + 2 * self.hidden
        return self.vocabulary * self.hidden + self.layers * layer + self.hidden


_PRETRAIN = Recipe(
    lr=3e-3,
    epochs=5,
    batch_size=10,
    warmup=0.4,
    schedule="cosine",
    weight_decay=0.1,
    betas=(0.9, 0.95),
)
_MEMORIZE = Recipe(
    lr=1e-3,
    epochs=12,
    batch_size=12,
    warmup=0.6,
    schedule="cosine",
    weight_decay=0.05,
    betas=(0.9, 0.95),
)

SIZES: Mapping[str, Size] = {
    "builtin/nano": Size(
        hidden=72,
        layers=3,
        heads=4,
        inner=192,
        pretrain=replace(_PRETRAIN, lr=5e-3, epochs=6, batch_size=8),
        memorize=replace(_MEMORIZE, lr=2e-3, batch_size=8),
    ),
    "builtin/micro": Size(128, 4, 4, 344, _PRETRAIN, _MEMORIZE),
    "builtin/mini": Size(
        hidden=256,
        layers=5,
        heads=8,
        inner=688,
        pretrain=replace(_PRETRAIN, lr=1.5e-3, epochs=4),
        memorize=replace(_MEMORIZE, lr=7e-4),
    ),
}


def size(name: str) -> Size:
    """A built-in size. Raises ModelError with the nearest name."""
    if name not in SIZES:
        raise ModelError(f"no built-in model {name!r}; {nearest(name, SIZES)}")
    return SIZES[name]
