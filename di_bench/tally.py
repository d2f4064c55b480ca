"""What the items of a run sum up to, unit by unit: all that an interval needs of their scores.

Thousands of files are read for a large board, so each is reduced to sums as it comes, and what
files have in common (which units there are, how many items each has) is held once.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from di_bench.errors import StoreError
from di_bench.spread import Floats
from di_bench.stats import Part, agrees, contributions

if TYPE_CHECKING:
    from pyarrow import Table

Scores = Mapping[str, float | None]
Names = tuple[str, ...]
Codes = NDArray[np.intp]


Tally = Mapping[str, Part]
"""By column: those whose score is the mean of their items."""
Tallies = Mapping[str, Tally]
"""By the name of a record."""
MANY = 500
"""From so many files on, arrow reads ahead on other processors; below, that costs more."""


def tallies(files: Mapping[str, tuple[Path, Scores]]) -> Tallies:
    """Of per-item scores beside records, by name, for the scores given.

    A record without such a file has no items. Raises StoreError for one that cannot be read.
    """
    reader = Reader()
    there = {name: asked for name, asked in files.items() if asked[0].exists()}
    opened = _opened([path.absolute() for path, _ in there.values()])
    found = {
        name: reader.tally(file, scores)
        for (name, (_, scores)), file in zip(there.items(), opened, strict=True)
    }
    return {name: found.get(name, {}) for name in files}


@dataclass
class Reader:
    """Reads files that have much in common."""

    _layouts: dict[tuple[int, bytes], tuple[Names, Codes, Codes]] = field(default_factory=dict)
    _names: dict[bytes, Names] = field(default_factory=dict)

    def tally(self, file: "_File", scores: Scores) -> Tally:
        """The parts of one file's columns."""
        if not len(file):
            return {}
        (metric, columns), (group, groups) = self._coded(file, "metric"), self._coded(file, "group")
        size = len(columns), len(groups)
        flat = metric * size[1] + group
        counts = np.bincount(flat, minlength=size[0] * size[1]).reshape(size)
        sums = np.bincount(flat, file.values, size[0] * size[1]).reshape(size)
        means = sums.sum(1) / np.maximum(counts.sum(1), 1)
        several = np.count_nonzero(counts, axis=1) > 1
        found = {}
        for row, column in enumerate(columns):
            score = scores.get(column)
            if score is None or not agrees(means[row], score):
                continue
            if several[row]:
                found[column] = self._part(score, groups, sums[row], counts[row])
            else:  # one group is no group: its items are the units
                item, items = self._coded(file, "item")
                mine = np.flatnonzero(metric == row)
                total = np.bincount(item[mine], file.values[mine], len(items))
                number = np.bincount(item[mine], minlength=len(items))
                found[column] = self._part(score, items, total, number)
        return found

    def _part(self, score: float, names: Names, sums: NDArray[Any], counts: Codes) -> Part:
        """Of the units that have items, by name."""
        key = (id(names), counts.tobytes())
        if key not in self._layouts:
            there = sorted((names[at], int(at)) for at in np.flatnonzero(counts))
            order = np.array([at for _, at in there], dtype=np.intp)
            units = tuple(name for name, _ in there)
            self._layouts[key] = units, order, counts[order]
        units, order, number = self._layouts[key]
        return Part(units, contributions(score, sums[order], number))

    def _coded(self, file: "_File", column: str) -> tuple[Codes, Names]:
        """Whole numbers in place of words, and the words, which many files share."""
        codes, words = file.coded(column)
        key = b"".join(buffer.to_pybytes() for buffer in words.buffers() if buffer)
        if key not in self._names:
            self._names[key] = tuple(words.to_pylist())
        return codes, self._names[key]


def _opened(paths: Sequence[Path]) -> Iterator["_File"]:
    """Each file, in order. What is odd about one shows when it is read alone."""
    done = 0
    if len(paths) >= MANY:
        for file in _ahead(paths):
            yield file
            done += 1
    for path in paths[done:]:
        yield _File(path)


def _ahead(paths: Sequence[Path]) -> Iterator["_File"]:
    """Files from the first one on, up to one that is not a single batch as it should be."""
    from pyarrow import ArrowException, dataset, dictionary, float64, int32, schema, string

    word = dictionary(int32(), string())
    fields = schema([("metric", word), ("group", word), ("value", float64())])
    form = dataset.ParquetFileFormat(dictionary_columns=["metric", "group"])
    found = dataset.dataset([str(path) for path in paths], schema=fields, format=form)
    waiting: _File | None = None
    try:
        for at, one in enumerate(found.scanner(columns=fields.names).scan_batches()):
            if at >= len(paths) or one.fragment.path != str(paths[at]):
                return
            if waiting is not None:
                yield waiting
            columns = zip(fields.names, one.record_batch.columns, strict=True)
            waiting = _File(paths[at], dict(columns))
    except (OSError, ArrowException):
        return
    if waiting is not None:
        yield waiting


class _File:
    """The columns of one file, read when they are asked for."""

    def __init__(self, path: Path, found: dict[str, Any] | None = None) -> None:
        self._path = path
        self._found = found or self._read(["metric", "group", "value"])

    def __len__(self) -> int:
        return len(self._found["value"])

    @cached_property
    def values(self) -> Floats:
        found = np.from_dlpack(self._found["value"])  # to_numpy would import pandas
        return found.astype(np.float64, copy=False)

    def coded(self, column: str) -> tuple[Codes, Any]:
        """Whole numbers in place of words, and the words as arrow has them."""
        if column not in self._found:
            self._found |= self._read([column])
        found = self._found[column]
        return np.from_dlpack(found.indices).astype(np.intp), found.dictionary

    def _read(self, columns: list[str]) -> dict[str, Any]:
        from pyarrow import ArrowException, memory_map
        from pyarrow.parquet import ParquetFile

        words = ["metric", "item", "group"]
        try:
            with memory_map(str(self._path)) as source:
                file = ParquetFile(source, read_dictionary=words, pre_buffer=False)
                found = file.read(columns, use_threads=False)
            return {column: _whole(found, column) for column in columns}
        except (OSError, ArrowException, KeyError) as error:
            raise StoreError(
                f"{self._path}: cannot be read ({type(error).__name__}); delete it and the record "
                "beside it, and run again"
            ) from error


def _whole(table: "Table", column: str) -> Any:  # noqa: ANN401 - pyarrow has no types
    found = table.column(column)
    return found.chunk(0) if found.num_chunks == 1 else found.unify_dictionaries().combine_chunks()
