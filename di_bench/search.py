"""The YAML beside a method: what tuning may try (`search`), and what it found for which model.

`search` at the top and `trials` in an entry are reserved words there, no model and no setting.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path
from typing import Any

from di_bench.errors import MethodError, nearest
from di_bench.spec import Tree, merged, read_yaml

SEARCH, TRIALS = "search", "trials"
_EXAMPLE = "search: {recipe.lr: {low: 1.0e-5, high: 1.0e-3, log: true}}"

Value = bool | int | float | str | None


@dataclass(frozen=True)
class Range:
    """Numbers from low to high, both included; whole ones when both are."""

    low: float
    high: float
    log: bool = False
    """Whether to spread what is tried over orders of magnitude."""

    @property
    def whole(self) -> bool:
        """Whether it holds whole numbers alone."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def samples(self) -> tuple[Value, ...]:
        """Its ends and a number between, to see whether a setting takes them."""
        return (self.low, self.high, *(() if self.whole else (0.63 * self.low + 0.37 * self.high,)))

    def holds(self, value: object) -> bool:
        """Whether a value lies in it."""
        return _is_number(value) and self.low <= value <= self.high  # type: ignore[operator]  # a number


@dataclass(frozen=True)
class Choice:
    """A few values to choose from."""

    samples: tuple[Value, ...]

    def holds(self, value: object) -> bool:
        """Whether a value is one of them."""
        return value in self.samples


Space = Mapping[str, Range | Choice]
"""Setting, as `strength` or `recipe.lr`, to what it may be."""


@dataclass(frozen=True)
class Tuned:
    """The YAML beside a method. It need not be there."""

    path: Path

    @cached_property
    def _tree(self) -> Tree:
        return read_yaml(self.path, MethodError) if self.path.exists() else {}

    def space(self, known: Collection[str]) -> Space:
        """What to try of the settings that are `known`. Raises MethodError with file and mend."""
        given = self._tree.get(SEARCH)
        if given is None:
            raise MethodError(f"{self.path}: no `{SEARCH}`; add what to try, such as `{_EXAMPLE}`")
        if not isinstance(given, dict) or not given:
            raise MethodError(f"{self.path}: {SEARCH}: must map settings to values: `{_EXAMPLE}`")
        for name in map(str, given):
            if name not in known:
                said = f"unknown setting; {nearest(name, known)}"
                raise MethodError(f"{self.path}: {SEARCH}: {name}: {said}")
        return {name: self._tried(name, value) for name, value in given.items()}

    def _tried(self, name: str, value: object) -> Range | Choice:
        wrong = ""
        if isinstance(value, list):
            wrong = _no_choice(value)
        elif isinstance(value, dict):
            wrong = _no_range(value)
        else:
            wrong = f"must be a list or {{low: , high: }}, not {value!r}"
        if wrong:
            raise MethodError(f"{self.path}: {SEARCH}: {name}: {wrong}")
        return Choice(tuple(value)) if isinstance(value, list) else _range(value)

    def settings(self, model: str) -> Tree:
        """What it holds for a model."""
        return {k: v for k, v in self._entry(model).items() if k != TRIALS}

    def trials(self, model: str) -> int:
        """In how many trials that was found; 0 where tuning did not find it."""
        return int(self._entry(model).get(TRIALS, 0))

    def _entry(self, model: str) -> Tree:
        """Its default, then every pattern that fits; nothing is laid under what tuning found."""
        tree: Tree = {}
        for pattern in sorted(map(str, self._tree), key=lambda name: name != "default"):
            if pattern == SEARCH:
                continue
            entry = self._tree.get(pattern) or {}
            if not isinstance(entry, dict):
                raise MethodError(f"{self.path}: {pattern}: must map settings to values")
            trials = entry.get(TRIALS, 1)
            if not _is_number(trials) or trials != int(trials) or trials < 1:
                said = f"must be the number of trials, not {trials!r}"
                raise MethodError(f"{self.path}: {pattern}: {TRIALS}: {said}")
            if pattern == "default" or fnmatch(model, pattern):
                tree = dict(entry) if TRIALS in entry else merged(tree, entry)
        return tree


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _no_choice(values: list[Any]) -> str:
    """Why a list is no choice; nothing when it is one."""
    if not values:
        return "is empty; list what to try"
    for i, value in enumerate(values):
        if value is not None and not isinstance(value, bool | int | float | str):
            return f"a choice is of numbers, words, true and false, not {value!r}"
        if value in values[:i]:
            return f"{value!r} is given twice"
    return ""


def _no_range(given: Tree) -> str:
    """Why a mapping is no range; nothing when it is one."""
    names = ("low", "high", "log")
    if unknown := [str(key) for key in given if key not in names]:
        return f"unknown key {unknown[0]}; {nearest(unknown[0], names)}"
    for end in names[:2]:
        if not _is_number(given.get(end)):
            return f"{end} must be a number, not {given[end]!r}" if end in given else f"add {end}"
    if not isinstance(given.get("log", False), bool):
        return f"log must be true or false, not {given['log']!r}"
    if given["low"] >= given["high"]:
        return f"low must be below high, not {given['low']} and {given['high']}"
    if given.get("log") and given["low"] <= 0:
        return f"with `log: true` low must be above 0, not {given['low']}"
    return ""


def _range(given: Any) -> Range:  # noqa: ANN401 - checked by _no_range
    return Range(**given)


def nested(flat: Mapping[str, Value]) -> Tree:
    """`{"recipe.lr": 1}` as `{"recipe": {"lr": 1}}`."""
    tree: Tree = {}
    for name, value in flat.items():
        branch: Any = value
        for part in reversed(name.split(".")):
            branch = {part: branch}
        tree = merged(tree, branch)
    return tree
