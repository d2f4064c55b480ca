"""What the items of a run sum up to, unit by unit: all that an interval needs of their scores.

Thousands of files are read for a large board, so each is reduced to sums as it comes, and what
files have in common (which units there are, how many items each has) is held once.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from math import isclose, isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from di_bench.device import cores
from di_bench.errors import StoreError
from di_bench.spread import Floats
from di_bench.stats import Sample, of_sums

if TYPE_CHECKING:
    from pyarrow import Table

Scores = Mapping[str, float | None]
Names = tuple[str, ...]
Codes = NDArray[np.intp]


@dataclass(frozen=True)
class Layout:
    """The units of a column, in order, and how many items each has (G,)."""

    units: Names
    counts: Floats


@dataclass(frozen=True)
class Sums:
    """What the items of each unit sum up to (G,)."""

    layout: Layout
    sums: Floats


Tally = Mapping[str, Sums]
"""By column: those whose score is the mean of their items."""
Tallies = Mapping[str, Tally]
"""By the name of a record."""


def tallies(files: Mapping[str, tuple[Path, Scores]]) -> Tallies:
    """Of per-item scores beside records, by name, for the scores given.

    A record without such a file has no items. Raises StoreError for one that cannot be read.
    """
    reader = Reader()
    with ThreadPoolExecutor(cores()) as threads:
        found = threads.map(reader.read, *zip(*files.values(), strict=True)) if files else ()
        return dict(zip(files, found, strict=True))


def sample(scores: Mapping[int, float], sums: Mapping[int, Sums]) -> Sample:
    """A row's scores by seed, and what their items sum up to where that is known."""
    kept = {seed: scores[seed] for seed in sorted(scores) if isfinite(scores[seed])}
    there = [sums[seed] for seed in kept if seed in sums]
    if len(there) < len(kept) or not there:
        return Sample(tuple(kept), np.array(list(kept.values()), dtype=np.float64))
    layout = there[0].layout
    if all(one.layout is layout for one in there):
        counts = np.broadcast_to(layout.counts, (len(there), len(layout.units)))
        return of_sums(kept, layout.units, np.stack([one.sums for one in there]), counts)
    units = sorted({unit for one in there for unit in one.layout.units})
    place = {unit: at for at, unit in enumerate(units)}
    wide = np.zeros((2, len(there), len(units)))
    for at, one in enumerate(there):
        where = [place[unit] for unit in one.layout.units]
        wide[:, at, where] = one.sums, one.layout.counts
    return of_sums(kept, tuple(units), wide[0], wide[1])


@dataclass
class Reader:
    """Reads files that have much in common."""

    _names: dict[Names, Names] = field(default_factory=dict)
    _layouts: dict[tuple[int, bytes], tuple[Layout, Codes]] = field(default_factory=dict)

    def read(self, path: Path, scores: Scores) -> Tally:
        """The sums of one file's columns. Raises StoreError when it cannot be read."""
        if not path.exists() or not len(file := _File(path)):
            return {}
        (metric, columns), (group, groups) = file.coded("metric"), file.coded("group")
        size, values = (len(columns), len(groups)), file.values
        flat = metric * size[1] + group
        counts = np.bincount(flat, minlength=size[0] * size[1]).reshape(size)
        sums = _summed(flat, values, size[0] * size[1]).reshape(size)
        groups = self._names.setdefault(groups, groups)
        found = {}
        for row, (column, total, number) in enumerate(zip(columns, sums, counts, strict=True)):
            score, mean = scores.get(column), total.sum() / max(number.sum(), 1)
            if score is None or not isclose(mean, score, rel_tol=1e-9, abs_tol=1e-12):
                continue
            if np.count_nonzero(number) > 1:
                found[column] = self._sums(groups, total, number)
            else:  # one group is no group: its items are the units
                item, items = file.coded("item")
                mine = np.flatnonzero(metric == row)
                number = np.bincount(item[mine], minlength=len(items))
                total = _summed(item[mine], values[mine], len(items))
                found[column] = self._sums(self._names.setdefault(items, items), total, number)
        return found

    def _sums(self, known: Names, sums: Floats, counts: Codes) -> Sums:
        """Of the units that have items, by name."""
        key = (id(known), counts.tobytes())
        if key not in self._layouts:
            there = sorted((known[at], int(at)) for at in np.flatnonzero(counts))
            order = np.array([at for _, at in there], dtype=np.intp)
            units = tuple(name for name, _ in there)
            self._layouts[key] = Layout(units, counts[order].astype(np.float64)), order
        layout, order = self._layouts[key]
        return Sums(layout, sums[order])


def _summed(codes: Codes, values: Floats, count: int) -> Floats:
    return np.bincount(codes, values, count).astype(np.float64, copy=False)


class _File:
    """The columns of one file, read when they are asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._table = self._read(["metric", "group", "value"])

    def __len__(self) -> int:
        return len(self._table)

    @property
    def values(self) -> Floats:
        found = np.from_dlpack(self._whole("value", self._table))  # to_numpy would import pandas
        return found.astype(np.float64, copy=False)

    def coded(self, column: str) -> tuple[Codes, Names]:
        """Whole numbers in place of words, and the words."""
        there = column in self._table.column_names
        found = self._whole(column, self._table if there else self._read([column]))
        return np.from_dlpack(found.indices).astype(np.intp), tuple(found.dictionary.to_pylist())

    def _whole(self, column: str, table: "Table") -> Any:  # noqa: ANN401 - pyarrow has no types
        return table.column(column).combine_chunks()

    def _read(self, columns: list[str]) -> "Table":
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile

        try:
            file = ParquetFile(self._path, read_dictionary=["metric", "item", "group"])
            found = file.read(columns, use_threads=False).unify_dictionaries()
            return found.select(columns)
        except (OSError, ArrowException, KeyError) as error:
            raise StoreError(
                f"{self._path}: cannot be read ({type(error).__name__}); delete it and the record "
                "beside it, and run again"
            ) from error
