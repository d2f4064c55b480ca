"""One side of the gate: records with what their items scored, as rows.

A single record is judged alone; the `none` and `retrain` that lie beside it are read too, since
rows are measured against them.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from statistics import fmean
from typing import Literal, Self

from di_bench import stats
from di_bench.errors import StoreError
from di_bench.method import NONE, RETRAIN
from di_bench.record import Record
from di_bench.recordfile import read_items, read_record, record_paths

Key = tuple[str, str]
"""Model and method; the method as `Record.cell` has it."""
Scored = tuple[str, str, float]
"""Item, group and value."""


@dataclass(frozen=True)
class Kept:
    """A record and, by column, what its items scored."""

    record: Record
    items: Mapping[str, Sequence[Scored]] = field(default_factory=dict)

    @classmethod
    def beside(cls, record: Record, path: Path) -> Self:
        """With the items in the file beside its own. Raises StoreError if that cannot be read."""
        items: dict[str, list[Scored]] = {}
        for column, item, group, value in read_items(path.with_suffix(".parquet")):
            items.setdefault(column, []).append((item, group, value))
        return cls(record, items)

    @property
    def key(self) -> Key:
        """Which row it is of."""
        return str(self.record.model.get("name", "")), self.record.cell

    def value(self, column: str) -> float | None:
        """A score; none where there is no finite one."""
        value = self.record.scores.get(column)
        return value if value is not None and math.isfinite(value) else None

    def room(self, column: str) -> tuple[int, float]:
        """How many items a score is of, and how many it may be of: some answers have no value."""
        known = len(self.items.get(column, ()))
        left_out = self.record.parts.get(column, {}).get("left_out", 0.0)
        return known, known + (left_out if math.isfinite(left_out) else 0.0)


@dataclass(frozen=True)
class Row:
    """The records of one method on one model, in the order of their seeds; one at least."""

    kept: tuple[Kept, ...]

    @property
    def first(self) -> Record:
        """What all of them say of the row is read here."""
        return self.kept[0].record

    @property
    def key(self) -> Key:
        """Its place on a board."""
        return self.kept[0].key

    @property
    def seeds(self) -> tuple[int, ...]:
        """In ascending order."""
        return tuple(one.record.seed for one in self.kept)

    @property
    def runs(self) -> set[tuple[int, str]]:
        """Seeds and keys: equal where nothing that scores depend on has changed."""
        return {(one.record.seed, one.record.keys.get("scores", "")) for one in self.kept}

    @property
    def names(self) -> set[str]:
        """What a user may call it."""
        return {self.first.method, self.first.row, self.first.cell}

    def of(self, status: Literal["done", "diverged", "failed"]) -> tuple[Kept, ...]:
        """The records that ended so."""
        return tuple(one for one in self.kept if one.record.status == status)

    def scores(self, column: str) -> dict[int, float]:
        """By seed, of those that have a value."""
        return {one.record.seed: v for one in self.kept if (v := one.value(column)) is not None}

    def lacking(self, column: str) -> set[int]:
        """The seeds that have no value."""
        return {*self.seeds} - self.scores(column).keys()

    def mean(self, column: str) -> float | None:
        """Over all seeds; none where one has no value."""
        return None if self.lacking(column) else fmean(self.scores(column).values())

    def gap(self, column: str) -> str:
        """Why it has no value, where a record says."""
        return next((gap for one in self.kept if (gap := one.record.gaps.get(column))), "")

    def sample(self, column: str) -> stats.Sample:
        """What seeds and items say of a column."""
        items = {one.record.seed: one.items.get(column, ()) for one in self.kept}
        return stats.sample(self.scores(column), items)

    def distances(self, column: str, gold: "Row | None") -> dict[int, float]:
        """How far each seed's score is from that of its gold: of the same seed, else grow seed.

        Empty where one of them has no gold, or its gold no value.
        """
        golds = gold.kept if gold else ()
        by_seed = {one.record.seed: one for one in golds}
        by_growth = {one.record.grow_seed: one for one in golds}
        found = {}
        for one in self.kept:
            own = by_seed.get(one.record.seed) or by_growth.get(one.record.grow_seed)
            value, aim = one.value(column), own.value(column) if own else None
            if value is None:
                continue
            if aim is None:
                return {}
            found[one.record.seed] = abs(value - aim)
        return found


@dataclass(frozen=True)
class Side:
    """Rows by their place, and all that they may be measured against."""

    rows: Mapping[Key, Row]
    beside: Mapping[Key, Row]

    @classmethod
    def of(cls, kept: Iterable[Kept], beside: Iterable[Kept] = ()) -> Self:
        """Of records to judge and records beside them."""
        mine = list(kept)
        return cls(_rows(mine), _rows([*mine, *beside]))

    @property
    def columns(self) -> set[str]:
        """All that are scored."""
        return {column for row in self.beside.values() for column in row.first.better}

    @property
    def names(self) -> set[str]:
        """All that rows may be called."""
        return {name for row in self.beside.values() for name in row.names}

    def other(self, row: Row, name: str) -> Row | None:
        """The row of another method, on the same model and part of the axis.

        One that --set changed as it changed `row` comes before the suite's own.
        """
        alike = [
            each
            for each in self.beside.values()
            if (each.key[0], each.first.axis) == (row.key[0], row.first.axis)
        ]
        for wanted in (f"{name}{row.first.variant}", name):
            for each in alike:
                if each.first.row == wanted:
                    return each
        return None


def load(place: Path, seeds: Collection[int] = ()) -> Side:
    """The records of a results folder, or one record; only of some seeds where they are named.

    Raises StoreError when there are none, for a seed that no record has, and for the first file
    that cannot be read.
    """
    lone = place.is_file()
    mine = [place] if lone else record_paths(place)
    names = (NONE, RETRAIN) if lone else ()
    around = {path for name in names for path in place.parent.glob(f"{name}[-+]*.json")} - {place}
    kept = _read(mine)
    if not kept:
        raise StoreError(f"{place}: holds no records; name a folder such as results/tofu/default")
    if missing := set(seeds) - {one.record.seed for one in kept}:
        raise StoreError(f"{place}: no record of seed {min(missing)}; make it, or leave out --seed")
    if seeds:
        kept = [one for one in kept if one.record.seed in seeds]
    return Side.of(kept, _read(sorted(around)))


def _read(paths: Iterable[Path]) -> list[Kept]:
    found: dict[tuple[Key, int], Path] = {}
    kept = []
    for path in paths:
        one = Kept.beside(read_record(path), path)
        place = (one.key, one.record.seed)
        if place in found:
            raise StoreError(f"{path}: the same cell as {found[place]}; delete one of them")
        found[place] = path
        kept.append(one)
    return kept


def _rows(kept: Iterable[Kept]) -> dict[Key, Row]:
    """In the order in which rows first come."""
    order: dict[Key, int] = {}
    for one in (kept := list(kept)):
        order.setdefault(one.key, len(order))
    placed = sorted(kept, key=lambda one: (order[one.key], one.record.seed))
    return {key: Row(tuple(alike)) for key, alike in groupby(placed, key=lambda one: one.key)}
