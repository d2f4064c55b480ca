"""A model as a suite names it, and how it is grown and trained."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import AfterValidator, PositiveInt, TypeAdapter, ValidationError

from di_bench.device import device
from di_bench.errors import ModelError, nearest
from di_bench.recipe import Recipe
from di_bench.spec import PlaceError, Spec, Tree, complaint


class ModelSpec(Spec):
    """A model, and the prompt format that is part of it. A bare name stands for `{id: name}`."""

    id: str
    """`builtin/nano`, `builtin/micro`, `builtin/mini`, a hub id, or a folder."""
    revision: str | None = None
    """The hub commit to load; None takes the cached one, else the newest, and records it."""
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
        return is_folder(self.id)


def is_folder(name: str) -> bool:
    """Whether a model's name is a path: it starts or ends like one, or there is such a folder."""
    if name.startswith((".", "/", "~")) or name.endswith("/"):
        return True
    return "/" in name and Path(name).is_dir()


def parted(name: str) -> tuple[str, str | None]:
    """`id@revision` of a hub in two; a folder, whose name may hold an @, has no revision."""
    if is_folder(name):
        return name, None
    own, _, revision = name.partition("@")
    return own, revision or None


def recipe_changes(changes: Tree) -> Tree:
    """Changes to a recipe, each of its field's type. Raises PlaceError for what does not fit."""
    types = get_type_hints(Recipe)
    fit: Tree = {}
    for name, value in changes.items():
        if name not in types:
            raise PlaceError((name,), f"unknown setting of a recipe; {nearest(str(name), types)}")
        try:
            fit[name] = TypeAdapter(types[name]).validate_python(value)
        except ValidationError as wrong:
            first = wrong.errors()[0]
            raise PlaceError((name, *first["loc"]), complaint(first)) from wrong
    return fit


RecipeChanges = Annotated[dict[str, Any], AfterValidator(recipe_changes)]


class Grow(Spec):
    """Changes to the recipes that make target and gold; built-in sizes bring their own."""

    pretrain: RecipeChanges = {}
    memorize: RecipeChanges = {}


class Peft(Spec):
    """Unlearn through an adapter instead of all weights."""

    kind: Literal["lora", "qlora"] = "lora"
    """qlora: LoRA on a target in four bits. Needs CUDA and bitsandbytes; not run on a GPU yet."""
    rank: PositiveInt = 8
    alpha: PositiveInt = 16
    targets: tuple[str, ...] | Literal["all-linear"] = "all-linear"
    dropout: float = 0.0

    def check(self) -> None:
        """Raise ModelError when this machine cannot train such an adapter."""
        if self.kind == "qlora":
            why = "" if device() == "cuda" else f"needs a CUDA device, and this is {device()}"
            if not why and find_spec("bitsandbytes") is None:
                why = "needs bitsandbytes: pip install 'di-bench[qlora]'"
            if why:
                raise ModelError(f"peft.kind: qlora {why}; or take kind: lora")
