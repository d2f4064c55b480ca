"""Where the splits of a corpus come from: the built-in world, files, or a hub data set.

A split names exactly one source (`builtin`, `file` or `config`/`split` of a hub id), and nothing
ever falls back from one to another.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Self

from pydantic import NonNegativeInt, PositiveInt, model_validator

from di_bench import world
from di_bench.corpus import Corpus, Item, Kind
from di_bench.datafile import file_rows, file_text
from di_bench.errors import CorpusError
from di_bench.spec import Spec

TOFU_FIELDS: Mapping[str, str] = {
    "prompt": "question",
    "answer": "answer",
    "paraphrase": "paraphrased_answer",
    "perturbed": "perturbed_answer",
}
_OPTIONAL = ("paraphrase", "perturbed")


class Split(Spec):
    """One split of the corpus. Exactly one of `builtin`, `file` and `split` says where it is."""

    builtin: str | None = None
    """A split of the built-in world: `forget10`, `retain90`, `real_authors`, `prose`, ..."""
    file: str | None = None
    """A JSON, JSON Lines, CSV, Parquet or text file, relative to the corpus' `path`."""
    hub: str | None = None
    config: str | None = None
    split: str | None = None
    """A split of a hub data set (the corpus' own unless `hub` names another), with its `config`."""
    revision: str | None = None
    """The data set's commit; what it resolved to is recorded."""
    skip: NonNegativeInt = 0
    """Leave out the first so many items."""
    limit: PositiveInt | None = None
    """Take only so many items."""
    seed: int = 0
    """Of the built-in world: another seed has other authors, facts and stories."""
    group_size: PositiveInt | None = None
    """So many rows in turn belong together (TOFU: 20 an author). Else each stands alone."""
    kind: Kind = "qa"
    fields: dict[str, str] = dict(TOFU_FIELDS)
    """Item field to column. A document needs only `answer`. `group` may be a column too."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [name for name in ("builtin", "file", "split") if getattr(self, name)]
        if len(given) != 1:
            raise ValueError("name exactly one of `builtin`, `file` and `split`")
        if unknown := self.fields.keys() - Item.__dataclass_fields__.keys():
            raise ValueError(f"an item has no field {sorted(unknown)[0]!r}")
        return self

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
    def hubs(self) -> frozenset[str]:
        """The hub data sets it reads."""
        return frozenset(
            split.hub or self.hub or "" for split in self.splits.values() if split.split
        )

    def pinned(self, revisions: Mapping[str, str]) -> "CorpusSpec":
        """The same with hub data sets held at these commits, where the suite holds them at none."""

        def pin(split: Split) -> Split:
            hub = split.hub or self.hub or ""
            held = split.revision or (self.revision if hub == self.hub else None)
            return split.model_copy(update={"revision": held or revisions.get(hub)})

        splits = {name: pin(split) for name, split in self.splits.items()}
        return self.model_copy(update={"splits": splits})

    def open(self) -> Corpus:
        """Read every split. Raises CorpusError with file, row and mend."""
        splits = {name: self._split(name, split) for name, split in self.splits.items()}
        first = self.splits.get("forget") or next(iter(self.splits.values()))  # of what is learnt
        built = first.builtin is not None
        other = any(split.builtin for split in self.splits.values())
        name = f"{self.name} v{world.VERSION}" if built else self.name
        name += f" + built-in world v{world.VERSION}" if other and not built else ""
        revisions = {
            s.hub or self.hub or "": s.revision for s in self.splits.values() if s.revision
        }
        return Corpus(name, splits, self._refusals(), revisions)

    def _split(self, name: str, split: Split) -> tuple[Item, ...]:
        if split.builtin:
            return tuple(split.cut(world.split(split.builtin, split.seed)))
        if split.file:
            path = self._file(name, split.file)
            rows = split.cut(enumerate(file_rows(path), 1))
            if not (items := _items(rows, split, path.stem, str(path))):
                raise CorpusError(f"{path}: split {name!r} is empty; give it a file with rows")
            return items
        rows = split.cut(enumerate(self._hub_rows(split), 1))
        where = f"{split.hub or self.hub}/{split.config or ''}"
        return _items(rows, split, split.config or split.split or name, where)

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


def _items(
    rows: Iterable[tuple[int, Mapping[str, Any]]], split: Split, stem: str, where: str
) -> tuple[Item, ...]:
    """The items of a file or data set; blank documents, such as WikiText's, are no items."""
    items = (_item(row, split, f"{stem}/{n}", f"{where}: row {n}") for n, row in rows)
    return tuple(
        item for item in items if item.kind != "document" or item.answer.strip() or item.ids
    )


def _item(row: Mapping[str, Any], split: Split, name: str, where: str) -> Item:
    if not isinstance(row, Mapping):
        raise CorpusError(f"{where}: a row must be an object with named fields")
    number = int(name.rsplit("/", 1)[1]) - 1
    base = name.rsplit("/", 1)[0]
    group = f"{base}/{number // split.group_size + 1}" if split.group_size else name
    given: dict[str, Any] = {"id": name, "group": group, "kind": split.kind, "prompt": ""}
    for field, column in split.fields.items():
        if column in row and row[column] is not None:
            given[field] = _value(field, row[column], f"{where}: {column}")
        elif field not in _OPTIONAL and not (field == "prompt" and split.kind == "document"):
            raise CorpusError(
                f"{where}: no field {column!r} (it has {', '.join(map(repr, row)) or 'none'}); "
                f"add it or map it: corpus.splits.<split>.fields.{field}"
            )
    item = Item(**given)
    return replace(item, prompt="") if item.kind == "document" else item


_LISTS = {"perturbed": str, "choices": str, "ids": int}
"""The fields of an item that are lists, and of what."""


def _value(field: str, value: object, where: str) -> object:
    kind = _LISTS.get(field, int if field == "correct" else str)
    if field in _LISTS:
        many = [value] if isinstance(value, str) else value
        if isinstance(many, list) and all(isinstance(one, kind) for one in many):
            return tuple(many)
        raise CorpusError(f"{where}: expected a list of {kind.__name__}, found {value!r:.40}")
    if field in ("id", "group"):
        return str(value)
    if isinstance(value, kind):
        return value
    if field == "correct" and str(value).isdecimal():  # from a CSV
        return int(str(value))
    raise CorpusError(f"{where}: expected {kind.__name__}, found {type(value).__name__}")
