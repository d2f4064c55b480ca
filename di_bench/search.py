"""What tuning may try of a method: its search space, as the YAML beside the method writes it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import TypeAdapter, ValidationError, model_validator

from di_bench.errors import MethodError
from di_bench.spec import Spec, Tree, complaint, merged

Value = bool | int | float | str


class Range(Spec):
    """Numbers from low to high; whole ones when both are."""

    low: int | float
    high: int | float
    log: bool = False

    @model_validator(mode="after")
    def _climbs(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low must be below high, not {self.low} and {self.high}")
        if self.log and self.low <= 0:
            raise ValueError("a range on a log scale starts above zero")
        return self


Choices = tuple[Value, ...]
Space = Mapping[str, Range | Choices]
"""Setting, as `recipe.lr`, to what it may be."""


def space(tree: object, path: Path) -> Space:
    """A checked search space. Raises MethodError in one line."""
    if not isinstance(tree, dict) or not tree:
        raise MethodError(f"{path}: search: map settings to a list, or to {{low: , high: }}")
    return {str(name): _dimension(value, f"{path}: search: {name}") for name, value in tree.items()}


def _dimension(value: object, where: str) -> Range | Choices:
    kind: Any = Range if isinstance(value, dict) else tuple[Value, ...]
    if not isinstance(value, dict | list) or not value:
        raise MethodError(f"{where}: must be a list of values, or {{low: , high: }}")
    try:
        made: Range | Choices = TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        raise MethodError(f"{where}: {complaint(error.errors()[0])}") from error
    return made


def nested(flat: Mapping[str, Value]) -> Tree:
    """`{"recipe.lr": 1}` as `{"recipe": {"lr": 1}}`."""
    tree: Tree = {}
    for name, value in flat.items():
        branch: Any = value
        for part in reversed(name.split(".")):
            branch = {part: branch}
        tree = merged(tree, branch)
    return tree
