"""Texts of a split as ids: all of them while they are few, else each when it is asked for."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import overload

from di_bench.template import Encoded

HELD = 4_096
"""So many texts of a split are encoded at once and held."""
KEPT = 1_024
"""Of more than those, so many are kept that were asked for last."""


def encoded(count: int, one: Callable[[int], Encoded]) -> Sequence[Encoded]:
    """The texts of `count` rows, each made by `one`, which gives the same whenever it is called."""
    if count <= HELD:
        return [one(row) for row in range(count)]
    return OnDemand(count, lru_cache(KEPT)(one))


class OnDemand(Sequence[Encoded]):
    """Texts that are encoded when they are asked for; a slice holds its own."""

    def __init__(self, count: int, one: Callable[[int], Encoded]) -> None:
        """`one` encodes a row."""
        self._rows, self._one = range(count), one

    def __len__(self) -> int:
        """How many texts there are."""
        return len(self._rows)

    @overload
    def __getitem__(self, at: int) -> Encoded: ...
    @overload
    def __getitem__(self, at: slice) -> list[Encoded]: ...
    def __getitem__(self, at: int | slice) -> Encoded | list[Encoded]:
        """A text, or a list of them."""
        rows = self._rows[at]
        return self._one(rows) if isinstance(rows, int) else [self._one(row) for row in rows]
