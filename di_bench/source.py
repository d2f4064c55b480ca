"""Where the splits of a corpus come from: the built-in world, files, or a hub data set.

A split names exactly one source (`builtin`, `file`, `arrays`, `config`/`split` of a hub id), or
several in `parts`, and nothing ever falls back from one to another.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, Self

from pydantic import NonNegativeInt, PositiveInt, model_validator

from di_bench import ondisk, world
from di_bench.corpus import Corpus, Item
from di_bench.datafile import file_rows, file_text, is_lines, json_lines, json_row
from di_bench.errors import CorpusError
from di_bench.rows import Columns, blank
from di_bench.spec import Spec
from di_bench.tokenarray import array_rows

_SOURCES = ("builtin", "file", "arrays", "split", "parts")
_ROWS = ("where", "group_pattern")
_UNHEEDED = {
    "builtin": _ROWS,
    "arrays": (*_ROWS, "fields"),
    "parts": (*_ROWS, "fields", "kind", "group_size", "skip", "limit", "seed"),
}
"""What a source would not listen to."""


class Split(Columns):
    """One split of the corpus. Exactly one of `_SOURCES` says where it is."""

    builtin: str | None = None
    """A split of the built-in world: `forget10`, `retain90`, `real_authors`, `prose`, ..."""
    file: str | None = None
    """A JSON, JSON Lines, CSV, Parquet or text file, relative to the corpus' `path`."""
    arrays: tuple[str, ...] = ()
    """`.npy` files of token ids, (rows, tokens), beside `file`s: row n of each, laid one behind the
    other, is a document. As of every document nothing predicts its first token: a probe's
    `prompt_tokens: 149` reveals 150."""
    hub: str | None = None
    config: str | None = None
    split: str | None = None
    """A split of a hub data set (the corpus' own unless `hub` names another), with its `config`."""
    revision: str | None = None
    """The data set's commit; what it resolved to is recorded."""
    parts: tuple["Split", ...] = ()
    """Several sources, one behind the other: `parts: [{file: a.jsonl}, {file: b.jsonl}]`."""
    skip: NonNegativeInt = 0
    """Leave out the first so many items."""
    limit: PositiveInt | None = None
    """Take only so many items."""
    seed: int = 0
    """Of the built-in world: another seed has other authors, facts and stories."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [name for name in _SOURCES if getattr(self, name)]
        if len(given) != 1:
            raise ValueError("name exactly one of `builtin`, `file`, `arrays`, `split` and `parts`")
        for name in _UNHEEDED.get(given[0], ()):
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"`{name}` says nothing of `{given[0]}`; leave it out")
        return self

    @property
    def sources(self) -> tuple["Split", ...]:
        """The sources it is made of: itself, or its parts."""
        return tuple(s for part in self.parts for s in part.sources) if self.parts else (self,)

    def cut(self, rows: Iterable[Any]) -> Iterator[Any]:
        """The rows that are taken."""
        return islice(rows, self.skip, self.limit and self.skip + self.limit)


class Refusals(Spec):
    """Where refusals come from: the built-in world, or a text file with one on each line."""

    builtin: bool = False
    file: str | None = None


class CorpusSpec(Spec):
    """The corpus of a suite, before it is opened."""

    name: str
    """What a board's title calls it; a built-in one gets its version behind it."""
    path: Path | None = None
    """The folder that `file` splits are in. Relative to the suite's own folder."""
    hub: str | None = None
    """The data set of `split` splits."""
    revision: str | None = None
    splits: dict[str, Split]
    refusals: Refusals = Refusals(builtin=True)

    @property
    def _sources(self) -> list[Split]:
        return [source for split in self.splits.values() for source in split.sources]

    @property
    def hubs(self) -> frozenset[str]:
        """The hub data sets it reads."""
        return frozenset(one.hub or self.hub or "" for one in self._sources if one.split)

    def pinned(self, revisions: Mapping[str, str]) -> "CorpusSpec":
        """The same with hub data sets held at these commits, where the suite holds them at none."""

        def pin(split: Split) -> Split:
            hub = split.hub or self.hub or ""
            held = split.revision or (self.revision if hub == self.hub else None)
            parts = tuple(map(pin, split.parts))
            return split.model_copy(update={"revision": held or revisions.get(hub), "parts": parts})

        splits = {name: pin(split) for name, split in self.splits.items()}
        return self.model_copy(update={"splits": splits})

    def open(self) -> Corpus:
        """Read every split. Raises CorpusError with file, row and mend."""
        splits = {name: self._split(name, split) for name, split in self.splits.items()}
        first = self.splits.get("forget") or next(iter(self.splits.values()))  # of what is learnt
        built = first.builtin is not None
        other = any(source.builtin for source in self._sources)
        name = f"{self.name} v{world.VERSION}" if built else self.name
        name += f" + built-in world v{world.VERSION}" if other and not built else ""
        revisions = {s.hub or self.hub or "": s.revision for s in self._sources if s.revision}
        return Corpus(name, splits, self._refusals(), revisions)

    def _split(self, name: str, split: Split) -> Sequence[Item]:
        if split.parts:
            return ondisk.joined([self._source(name, source) for source in split.sources])
        return self._source(name, split)

    def _source(self, name: str, source: Split) -> Sequence[Item]:
        if source.builtin:
            return tuple(source.cut(world.split(source.builtin, source.seed)))
        if source.file:
            path = self._file(name, source.file)
            items = _lines(path, source) if is_lines(path) else _file(path, source)
            if not items:
                raise CorpusError(f"{path}: split {name!r} is empty; give it a file with rows")
            return items
        if source.arrays:
            return _arrays([self._file(name, file) for file in source.arrays], source)
        hub, config = source.hub or self.hub, source.config or ""
        stem = config or source.split or name
        if self.splits[name].parts and config:  # a config may be in it twice
            stem = f"{config}/{source.split}"
        return _items(self._hub_rows(source), source, stem, f"{hub}/{config}")

    def _file(self, name: str, file: str) -> Path:
        if self.path is None:
            raise CorpusError(
                f"{self.name}: split {name!r} is a file and the suite names no folder; "
                "add --set corpus.path=DIR"
            )
        return self.path.expanduser() / file

    def _refusals(self) -> tuple[str, ...]:
        if self.refusals.file is None:
            return world.refusals() if self.refusals.builtin else ()
        path = self._file("refusals", self.refusals.file)
        return tuple(line for line in file_text(path).splitlines() if line.strip())

    def _hub_rows(self, split: Split) -> Iterator[Mapping[str, Any]]:
        hub = split.hub or self.hub
        if hub is None:
            raise CorpusError(f"{self.name}: `split` needs a data set; add corpus.hub")
        from datasets import load_dataset

        try:
            rows = load_dataset(hub, split.config, split=split.split, revision=split.revision)
        except (OSError, ValueError, RuntimeError) as error:
            raise CorpusError(
                f"{hub}: the data set cannot be reached ({type(error).__name__}); copy it to "
                "a folder and use `file:` splits with corpus.path, or fill the Hugging Face cache "
                "on a machine with network and carry it over ($HF_HOME)"
            ) from error
        yield from rows


def _file(path: Path, source: Split) -> Sequence[Item]:
    """The items of a file that is read from its beginning."""
    return _items(file_rows(path), source, path.stem, str(path))


def _items(rows: Iterable[Any], source: Split, stem: str, where: str) -> Sequence[Item]:
    """The items of rows; blank documents, such as WikiText's, are no items."""
    taken = source.cut(source.chosen(rows, where))
    made = (source.item(row, n, stem, f"{where}: row {n}") for n, row in taken)
    return _kept((item for item in made if not blank(item)), where)


def _kept(items: Iterator[Item], where: str) -> Sequence[Item]:
    """Items in memory, or all of them in a temporary file."""
    first, all_held = ondisk.held(items)
    return first if all_held else ondisk.unpacked(chain(first, items), where)


def _lines(path: Path, source: Split) -> Sequence[Item]:
    """The items of JSON Lines, which are read where they are when they are many."""
    index, place = ondisk.Index(), (0, b"")

    def rows() -> Iterator[Any]:
        nonlocal place
        for start, raw, row in json_lines(path):
            place = start, raw
            yield row

    def indexed() -> Iterator[Item]:
        for number, row in source.cut(source.chosen(rows(), str(path))):
            item = source.item(row, number, path.stem, f"{path}: row {number}")
            if not blank(item):
                index.add(*place, number)
                yield item

    items = indexed()
    first, all_held = ondisk.held(items)
    if all_held:
        return first
    deque(items, maxlen=0)
    return ondisk.OnDisk(path, index, partial(_line, path, source))


def _line(path: Path, source: Split, raw: bytes, row: int) -> Item:
    """The item of a line that was read before."""
    return source.item(json_row(raw, path, row), row, path.stem, f"{path}: row {row}")


def _arrays(paths: Sequence[Path], source: Split) -> Sequence[Item]:
    """A document of each row of token ids."""
    read = source.model_copy(update={"kind": "document", "fields": {"ids": "ids"}})
    return _items(array_rows(paths), read, paths[0].stem, str(paths[0]))
