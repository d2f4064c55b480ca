"""How a suite, its profile and changes are laid over each other, before any of it is checked."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from di_bench.spec import Tree, merged


def anchored(value: object, folder: Path) -> object:
    """A file's paths start from its own folder; the command line's from where one stands."""
    if not isinstance(value, dict):
        return value
    return {
        k: str(folder / v) if k == "path" and isinstance(v, str) else anchored(v, folder)
        for k, v in value.items()
    }


def overlaid(tree: Tree, above: Tree) -> Tree:
    """As `merged`, but a corpus with a name and splits is another, and replaces the first whole."""
    if {"name", "splits"} <= {*mapping(above.get("corpus"))}:
        tree = tree | {"corpus": {}}
    if "methods" in above:
        tree = tree | {"methods": as_settings(tree.get("methods"))}
    return merged(tree, above)


def leaves(
    tree: Mapping[str, Any], place: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Where a tree holds values, and what they are."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from leaves(value, (*place, str(key)))
        else:
            yield (*place, str(key)), value


def mapping(value: object) -> Tree:
    """The value, or an empty mapping where it is none."""
    return value if isinstance(value, dict) else {}


def as_settings(methods: object) -> object:
    """Methods listed by name as a mapping to settings, so that overlays can merge."""
    if isinstance(methods, list) and all(isinstance(name, str) for name in methods):
        return {name: {} for name in methods}
    return methods
