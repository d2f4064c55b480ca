"""Where the models of a run come from: the base, and the target and gold grown from it.

Nothing is made here; these are names and keys, by content.
"""

from dataclasses import asdict, dataclass, replace
from functools import cache, cached_property
from importlib import metadata
from typing import Literal

from di_bench import world
from di_bench.corpus import Corpus, digest
from di_bench.device import device
from di_bench.model import ModelSpec
from di_bench.recipe import Recipe, audible
from di_bench.size import size
from di_bench.suite import Suite

TRAINING = 1
"""Raise it when the numbers that training produces change. A replay test says when they do."""

version = cache(metadata.version)


@dataclass(frozen=True)
class Base:
    """A model of the suite, identified: what it is called in records, and by content."""

    spec: ModelSpec
    name: str
    """Its id with `--` for `/`; for a folder its name and a digest, never its path."""
    digest: str
    target: str = ""
    retain: str = ""
    """Ready checkpoints, as `id@revision` or, for a folder, by content."""

    @property
    def id(self) -> str:
        """What tuned files and records call it: never a path."""
        return self.name if self.spec.local else self.spec.id

    @property
    def dtype(self) -> str:
        """What its weights are loaded as."""
        if self.spec.dtype != "auto":
            return self.spec.dtype
        return "bfloat16" if device() == "cuda" and not self.spec.builtin else "float32"

    @cached_property
    def key(self) -> str:
        """Changes when the model that everything starts from does."""
        made: object = self.digest
        if self.spec.builtin:
            shape = {**asdict(size(self.spec.id)), "pretrain": None, "memorize": None}
            taught = [*world.pretraining(), *world.split("full")]  # the tokenizer reads these too
            made = [shape, [vars(item) for item in taught]]
        prompt = [self.spec.template, self.spec.system, self.spec.date]
        return digest("base", made, prompt, _host(self))


def _host(base: Base) -> list[object]:
    libraries = [version(name) for name in ("torch", "transformers", "peft")]
    return [device(), base.dtype, libraries, TRAINING]


@dataclass(frozen=True)
class Grown:
    """A model that learnt some splits: the target (what is to go and to stay) or a gold."""

    suite: Suite
    corpus: Corpus
    base: Base
    role: Literal["target", "gold"]
    splits: tuple[str, ...]
    seed: int

    @property
    def checkpoint(self) -> str | None:
        """A ready checkpoint the suite names in place of growing one."""
        return self.base.spec.target if self.role == "target" else self.base.spec.retain

    @property
    def recipe(self) -> Recipe:
        """How it memorises its splits."""
        spec = self.base.spec
        start = size(spec.id).memorize if spec.builtin else Recipe(lr=1e-5)
        return replace(start, **self.suite.grow.memorize)

    @cached_property
    def key(self) -> str:
        """Changes when it must be grown again."""
        if self.checkpoint:
            given = self.base.target if self.role == "target" else self.base.retain
            return digest("given", given, self.base.key)
        room, recipe = self.suite.max_tokens, audible(asdict(self.recipe))
        data = self.corpus.digest(self.splits)
        spec = self.base.spec
        pretrained = taught(self.suite, spec)
        return digest("grown", self.base.key, pretrained, data, recipe, room, self.seed)


def pretrain_recipe(suite: Suite, model: str) -> Recipe:
    """How a built-in size is pretrained."""
    return replace(size(model).pretrain, **suite.grow.pretrain)


def taught(suite: Suite, spec: ModelSpec) -> object:
    """What a key holds of pretraining: nothing for a model that comes trained."""
    return audible(asdict(pretrain_recipe(suite, spec.id))) if spec.builtin else None


def base_key(suite: Suite, base: Base) -> str:
    """The key of a pretrained built-in size."""
    return digest(base.key, taught(suite, base.spec))
