"""Values read from YAML: frozen, strict about keys, and able to say which line is wrong.

Trap: YAML 1.1 reads `on` as true, `1e-5` as text and `2024-07-26` as a date. The loader here reads
booleans and numbers as YAML 1.2 does and knows no dates, and refuses a key given twice.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from di_bench.errors import DiBenchError, SuiteError, nearest

Tree = dict[str, Any]
Place = tuple[str | int, ...]


class Spec(BaseModel):
    """A value read from YAML: frozen, and a stranger to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PlaceError(ValueError):
    """A complaint of a validator about one place below the value it validates."""

    def __init__(self, place: Place, said: str) -> None:
        super().__init__(said)
        self.place = place


class _Loader(yaml.SafeLoader):
    """YAML 1.2's idea of booleans, floats and dates; duplicate keys are errors."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(
                    None, None, "a key must be one word or text", key.start_mark
                )
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
_OLD = (":bool", ":int", ":float", ":timestamp")
_Loader.yaml_implicit_resolvers = {
    letter: [(tag, rule) for tag, rule in rules if not tag.endswith(_OLD)]
    for letter, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(f"^(?:{_BOOL.pattern})$"), list("tTfF")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$"), list("-+0123456789")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(f"^(?:{_FLOAT.pattern})$"), list("-+.0123456789")
)


def read_yaml(path: Path, error: type[DiBenchError]) -> Tree:
    """A YAML file whose top is a mapping. Raises `error` with file and line."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as wrong:
        why = wrong.strerror if isinstance(wrong, OSError) else wrong
        raise error(f"{path}: cannot be read: {why}") from wrong
    try:
        tree = yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as wrong:
        line = wrong.problem_mark.line + 1 if wrong.problem_mark else 1
        tab = "; indent with spaces, YAML knows no tabs" if "'\\t'" in str(wrong.problem) else ""
        raise error(f"{path}:{line}: not valid YAML: {wrong.problem}{tab}") from wrong
    except yaml.YAMLError as wrong:
        raise error(f"{path}: not valid YAML: {wrong}") from wrong
    if not isinstance(tree, dict):
        raise error(f"{path}: the top of the file must be a mapping of keys to values")
    return tree


def changes_of(assignments: Iterable[str]) -> Tree:
    """`a.b=value` from the command line as a tree. Raises SuiteError when it is not that."""
    tree: Tree = {}
    for text in assignments:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise SuiteError(f"--set {text}: write it as key=value, such as corpus.path=DIR")
        try:
            branch: Any = yaml.load(value, _Loader)
        except yaml.YAMLError as error:
            raise SuiteError(f"--set {text}: the value is not valid YAML; quote it") from error
        for part in reversed(key.split(".")):
            branch = {part: branch}
        tree = merged(tree, branch)
    return tree


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


def parse(
    model: type[Model],
    tree: object,
    path: Path,
    error: type[DiBenchError],
    layers: Sequence[Place] = ((),),
) -> Model:
    """Validate a tree. The first complaint becomes one line: file, line, place, mend.

    `layers` are the places of the file that were laid over each other, the uppermost last.
    """
    try:
        return model.model_validate(tree)
    except ValidationError as wrong:
        first = min(wrong.errors(), key=lambda one: one["type"] != "extra_forbidden")
        place = _clean(first, tree)
        spot = f"{path}:{line}" if (line := line_of(path, place, layers)) else str(path)
        where = ".".join(str(part) for part in place) or "the file"
        raise error(f"{spot}: {where}: {_complaint(model, first, place)}") from wrong


_SAID = {
    "missing": "missing; add it",
    "string_type": "must be text",
    "path_type": "must be a path",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "dict_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
    "model_attributes_type": "must be a mapping of keys to values",
    "tuple_type": "must be a list",
    "too_short": "must not be empty",
    "union_tag_not_found": "missing `ask`; add it",
}
"""Pydantic's kinds of complaint in a suite writer's words."""


def complaint(first: Any) -> str:  # noqa: ANN401 - pydantic's dict
    """One of pydantic's complaints in plain words, with the value it is about."""
    kind, given, context = first["type"], first["input"], first.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "union_tag_invalid":
        tags = [tag.strip("' ") for tag in context["expected_tags"].split(",")]
        return f"unknown `ask: {context['tag']}`; {nearest(str(context['tag']), tags)}"
    said = _SAID.get(kind) or str(first["msg"]).replace("Input should be", "must be")
    if given is None:
        return f"{said}, and nothing is there"
    quoted = "; quote it" if kind == "string_type" else ""
    shown = isinstance(given, str | int | float | bool)
    return f"{said}, not {given!r}{quoted}" if shown else said


def _complaint(model: type[BaseModel], first: Any, place: Place) -> str:  # noqa: ANN401 - pydantic's dict
    if first["type"] == "extra_forbidden":
        if place[-1] == "trust_remote_code":
            return "refused: only safetensors and code that ships with transformers are loaded"
        return f"unknown key; {nearest(str(place[-1]), _keys(model, first['loc'][:-1]))}"
    return complaint(first)


def _clean(first: Any, tree: object) -> Place:  # noqa: ANN401 - pydantic's dict
    """The part of pydantic's location that is in the tree: union tags are its own."""
    place: list[str | int] = []
    for part in first["loc"]:
        if isinstance(tree, Mapping | list) and (
            part in tree if isinstance(tree, Mapping) else isinstance(part, int)
        ):
            tree = tree[part]
            place.append(part)
    if first["type"] == "missing":
        place.append(first["loc"][-1])
    cause = first.get("ctx", {}).get("error")
    return (*place, *cause.place) if isinstance(cause, PlaceError) else tuple(place)


def _keys(model: type[BaseModel], loc: Iterable[str | int]) -> list[str]:
    """The keys allowed at a location."""
    found: list[type[BaseModel]] = [model]
    for part in loc:
        inner = [f.annotation for m in found if (f := m.model_fields.get(str(part)))]
        tagged = [m for m in found if any(part in get_args(k) for k in _annotations(m))]
        found = [spec for kind in inner for spec in _specs(kind)] or tagged or found
    return [key for spec in found for key in spec.model_fields]


def _annotations(model: type[BaseModel]) -> list[Any]:
    return [field.annotation for field in model.model_fields.values()]


def _specs(kind: Any) -> list[type[BaseModel]]:  # noqa: ANN401 - an annotation
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [kind]
    return [spec for part in get_args(kind) for spec in _specs(part)]


def line_of(path: Path, place: Place, layers: Sequence[Place] = ((),)) -> int | None:
    """The line of the deepest key of a place that the file names, in the uppermost layer."""
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, yaml.YAMLError):
        return None
    found = [lines for layer in layers if (lines := _lines(root, (*layer, *place))[len(layer) :])]
    return max(reversed(found), key=len)[-1] if found else None


def _lines(node: yaml.Node | None, place: Place) -> list[int]:
    """The line of each key on the way to a place, as far as the file goes."""
    lines = []
    for part in place:
        if isinstance(node, yaml.MappingNode):
            match = [(key, value) for key, value in node.value if key.value == str(part)]
            if not match:
                break
            lines.append(match[0][0].start_mark.line + 1)
            node = match[0][1]
        elif (
            isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value)
        ):
            node = node.value[part]
            lines.append(node.start_mark.line + 1)
    return lines
