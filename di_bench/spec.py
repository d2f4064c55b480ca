"""Values read from YAML: frozen, strict about keys, and able to say which line is wrong.

Trap: YAML 1.1 reads `on` as true and `1e-5` as text. The loader here reads booleans and numbers as
YAML 1.2 does, and refuses a key given twice.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from di_bench.errors import DiBenchError, nearest

Tree = dict[str, Any]
Place = tuple[str | int, ...]


class Spec(BaseModel):
    """A value read from YAML: frozen, and a stranger to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class _Loader(yaml.SafeLoader):
    """YAML 1.2's idea of booleans and floats; duplicate keys are errors."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key.value!r} is given twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


_FLOAT = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf)|\.(nan|NaN)"
)
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_Loader.yaml_implicit_resolvers = {
    letter: [(tag, rule) for tag, rule in rules if not tag.endswith((":bool", ":float"))]
    for letter, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(f"^(?:{_BOOL.pattern})$"), list("tTfF")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(f"^(?:{_FLOAT.pattern})$"), list("-+.0123456789")
)


def read_yaml(path: Path, error: type[DiBenchError]) -> Tree:
    """A YAML file whose top is a mapping. Raises `error` with file and line."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as wrong:
        raise error(f"{path}: cannot be read: {wrong}") from wrong
    try:
        tree = yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as wrong:
        line = wrong.problem_mark.line + 1 if wrong.problem_mark else 1
        raise error(f"{path}:{line}: not valid YAML: {wrong.problem}") from wrong
    except yaml.YAMLError as wrong:
        raise error(f"{path}: not valid YAML: {wrong}") from wrong
    if not isinstance(tree, dict):
        raise error(f"{path}: the top of the file must be a mapping of keys to values")
    return tree


def read_value(text: str) -> Any:  # noqa: ANN401 - whatever YAML says
    """A value from the command line, read as YAML."""
    return yaml.load(text, _Loader)


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> Tree:
    """`above` laid over `below`: mappings merge key by key, everything else is replaced."""
    both = dict(below)
    for key, value in above.items():
        old = both.get(key)
        both[key] = (
            merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
        )
    return both


Model = TypeVar("Model", bound=BaseModel)


def parse(model: type[Model], tree: object, path: Path, error: type[DiBenchError]) -> Model:
    """Validate a tree. The first complaint becomes one line: file, line, place, mend."""
    try:
        return model.model_validate(tree)
    except ValidationError as wrong:
        first = wrong.errors()[0]
        place = _clean(first["loc"], tree)
        spot = f"{path}:{line}" if (line := _line(path, place)) else str(path)
        where = ".".join(str(part) for part in place) or "the file"
        raise error(f"{spot}: {where}: {_complaint(model, first, place)}") from wrong


def _complaint(model: type[BaseModel], first: Any, place: Place) -> str:  # noqa: ANN401 - pydantic's dict
    if first["type"] == "extra_forbidden":
        if place[-1] == "trust_remote_code":
            return "refused: only safetensors and code that ships with transformers are loaded"
        return f"unknown key; {nearest(str(place[-1]), _keys(model, first['loc'][:-1]))}"
    if first["type"] == "missing":
        return "missing; add it"
    said = str(first["msg"]).removeprefix("Value error, ")
    simple = isinstance(first["input"], str | int | float | bool) and first["type"] != "value_error"
    return f"{said}, not {first['input']!r}" if simple else said


def _clean(loc: Sequence[str | int], tree: object) -> Place:
    """The part of a pydantic location that is in the tree: union tags are pydantic's own."""
    place: list[str | int] = []
    for part in loc[:-1]:
        if isinstance(tree, Mapping | list) and (
            part in tree if isinstance(tree, Mapping) else isinstance(part, int)
        ):
            tree = tree[part]  # type: ignore[index]  # a mapping or a list by now
            place.append(part)
    return (*place, *loc[-1:])


def _keys(model: type[BaseModel], loc: Iterable[str | int]) -> list[str]:
    """The keys allowed at a location."""
    found: list[type[BaseModel]] = [model]
    for part in loc:
        inner = [f.annotation for m in found if (f := m.model_fields.get(str(part)))]
        found = [spec for kind in inner for spec in _specs(kind)] or found
    return [key for spec in found for key in spec.model_fields]


def _specs(kind: Any) -> list[type[BaseModel]]:  # noqa: ANN401 - an annotation
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [kind]
    return [spec for part in get_args(kind) for spec in _specs(part)]


def _line(path: Path, place: Place) -> int | None:
    """The line of the deepest key of a place that the file names."""
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, yaml.YAMLError):
        return None
    line = None
    for part in place:
        if isinstance(node, yaml.MappingNode):
            match = [(key, value) for key, value in node.value if key.value == str(part)]
            if not match:
                break
            line, node = match[0][0].start_mark.line + 1, match[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
            line = node.start_mark.line + 1
    return line
