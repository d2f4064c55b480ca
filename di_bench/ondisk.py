"""Items that stay on disk: a split with more text than should be in memory.

Of each item some twenty bytes are held: where it is, and a checksum, so that a file that changes
meanwhile is an error and never other data. JSON Lines are read where they are; what has no lines
to go to is unpacked once into a temporary file (`$TMPDIR` says where; a folder in memory will not
do), which is gone when the process ends.
"""

import json
import tempfile
import weakref
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain
from pathlib import Path
from typing import IO, Any, overload
from zlib import crc32

from di_bench.corpus import Item
from di_bench.datafile import opened, unreadable
from di_bench.errors import CorpusError

HELD = 64_000_000
"""Bytes of items, about, that a split holds in memory. What is more stays on disk."""


class Lazy(Sequence[Item]):
    """A sequence of items of which none is held; a slice of it holds its own."""

    def item(self, at: int) -> Item:
        """The item at a place from 0 on."""
        raise NotImplementedError

    @overload
    def __getitem__(self, at: int) -> Item: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Item, ...]: ...
    def __getitem__(self, at: int | slice) -> Item | tuple[Item, ...]:
        """One item, read now, or a tuple of them."""
        places = range(len(self))[at]
        return self.item(places) if isinstance(places, int) else tuple(map(self.item, places))

    def __iter__(self) -> Iterator[Item]:
        """Every item in turn, each read when it is due."""
        return map(self.item, range(len(self)))


@dataclass
class Index:
    """Where in a file each item is."""

    starts: "array[int]" = field(default_factory=lambda: array("Q"))
    lengths: "array[int]" = field(default_factory=lambda: array("I"))
    sums: "array[int]" = field(default_factory=lambda: array("I"))
    rows: "array[int]" = field(default_factory=lambda: array("I"))
    """The number of its row, 1 the first."""

    def add(self, start: int, raw: bytes, row: int) -> None:
        """Note the next item's bytes."""
        self.starts.append(start)
        self.lengths.append(len(raw))
        self.sums.append(crc32(raw))
        self.rows.append(row)


class OnDisk(Lazy):
    """The items of a file. May be sent to another process, which opens the file for itself."""

    def __init__(self, path: Path, index: Index, make: Callable[[bytes, int], Item]) -> None:
        """`make` turns an item's bytes and the number of its row into the item."""
        self.path, self.places, self.make = path, index, make
        self._file: IO[bytes] | None = None

    def __len__(self) -> int:
        """How many items there are."""
        return len(self.places.starts)

    def item(self, at: int) -> Item:
        """An item, read now. Raises CorpusError when the file is not what it was."""
        row, length = self.places.rows[at], self.places.lengths[at]
        if self._file is None:
            self._file = opened(self.path, buffering=0)  # a buffer may hold what is no more
            weakref.finalize(self, self._file.close)
        try:
            self._file.seek(self.places.starts[at])
            raw = self._file.read(length)
        except OSError as error:
            raise unreadable(self.path, error) from error
        if crc32(raw) != self.places.sums[at]:
            raise CorpusError(
                f"{self.path}: row {row} is not what it was when the run began; leave the file "
                "alone meanwhile, and run again"
            )
        return self.make(raw, row)

    def __getstate__(self) -> dict[str, Any]:
        """Without the open file."""
        return vars(self) | {"_file": None}


class Joined(Lazy):
    """Several sequences of items, one behind the other."""

    def __init__(self, parts: Sequence[Sequence[Item]]) -> None:
        """In this order."""
        self.parts = parts
        self._ends = list(accumulate(map(len, parts)))

    def __len__(self) -> int:
        """How many items they have together."""
        return self._ends[-1] if self._ends else 0

    def item(self, at: int) -> Item:
        """The item of the part that holds this place."""
        part = bisect_right(self._ends, at)
        return self.parts[part][at - (self._ends[part - 1] if part else 0)]

    def __iter__(self) -> Iterator[Item]:
        """Every part in turn."""
        return chain.from_iterable(self.parts)


def joined(parts: Sequence[Sequence[Item]]) -> Sequence[Item]:
    """Splits one behind the other, in memory if all of them are."""
    if any(isinstance(part, Lazy) for part in parts):
        return Joined(parts)
    return tuple(chain.from_iterable(parts))


def held(items: Iterator[Item]) -> tuple[tuple[Item, ...], bool]:
    """The first items, no more than may be held, and whether they are all."""
    taken: list[Item] = []
    weight = 0
    for item in items:
        taken.append(item)
        texts = (item.prompt, item.answer, item.paraphrase, *item.perturbed, *item.choices)
        weight += 1000 + sum(map(len, texts)) + 36 * len(item.ids)
        if weight > HELD:
            return tuple(taken), False
    return tuple(taken), True


def unpacked(items: Iterable[Item], said: str) -> OnDisk:
    """Items in a temporary file. Raises CorpusError, which begins with `said`, if it cannot be."""
    index = Index()
    try:
        with tempfile.NamedTemporaryFile(prefix="di-bench-", suffix=".items", delete=False) as file:
            found = OnDisk(Path(file.name), index, _own)
            weakref.finalize(found, Path(file.name).unlink, missing_ok=True)
            for row, item in enumerate(items, 1):
                raw = json.dumps(vars(item)).encode()
                index.add(file.tell(), raw, row)
                file.write(raw)
    except OSError as error:
        raise CorpusError(
            f"{said}: cannot be unpacked in {tempfile.gettempdir()}: {error.strerror}; free some "
            "space, or set TMPDIR to a folder that has it"
        ) from error
    return found


def _own(raw: bytes, _: int) -> Item:
    return Item(**{name: _frozen(value) for name, value in json.loads(raw).items()})


def _frozen(value: Any) -> Any:  # noqa: ANN401 - a field of an item
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
