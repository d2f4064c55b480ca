"""A suite over a user's own files: looked through, compared with each other, and written down.

The files stay where they are. The suite names them from its own folder where they lie below it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from di_bench.columns import Columns, mapping, recognised
from di_bench.errors import CorpusError, DiBenchError, ModelError, SuiteError
from di_bench.model import is_folder
from di_bench.overlap import ALIKE, ENOUGH, GRAM, LETTERS, Held, overlap, repeats
from di_bench.size import size
from di_bench.suite import PACKAGED, load
from di_bench.suitetext import CONTEXT, KINDS, Lengths, SuiteText, letters_per_token

MANY = 0.05
"""A share of texts too long for the model that is worth a warning."""

RULE = f"{ALIKE:g} and more of their runs of {GRAM} words, or {LETTERS} letters if short, in common"


@dataclass(frozen=True)
class Files:
    """What the user gives: what to forget, what to keep, and what nobody trains on."""

    forget: Path
    retain: Path
    holdout: Path | None = None
    fields: tuple[str, ...] = ()
    """`answer=COLUMN` where names do not say it."""

    @property
    def splits(self) -> dict[str, Path]:
        """The files by the name of their split."""
        given = {"forget": self.forget, "retain": self.retain, "holdout": self.holdout}
        return {name: path for name, path in given.items() if path is not None}


@dataclass(frozen=True)
class Written:
    """What came of it."""

    path: Path
    found: tuple[str, ...]
    """Lines that say what the files hold."""
    warnings: tuple[str, ...]


def suite(name: str, files: Files, folder: Path, model: str, *, strict: bool = False) -> Written:
    """Write `<name>.yaml` into a folder, or nothing.

    Raises SuiteError for a name that cannot be a suite's, CorpusError for files that are missing,
    empty, not understood or that overlap (with `strict` near-duplicates too), ModelError for a
    built-in model that there is not, and DiBenchError where the suite cannot be written.
    """
    path = _free(name, folder)
    model = _known(model)
    splits = _looked_at(files)
    seen = {split: Lengths.of(columns) for split, columns in splits.items()}
    alike = [_shared(*two, strict=strict) for two in combinations(splits.values(), 2)]
    count = sum(pairs for pairs, _ in alike)
    counted = f"{'at least ' if count >= ENOUGH else ''}{count or 'none'}"
    warnings = [
        *_repeated(splits["forget"]),
        *([f"near-duplicates ({RULE}), the most alike:"] if count else []),
        *(f"  {pair}" for _, worst in alike for pair in worst),
        *_too_long(splits, seen, model),
    ]
    _write(path, str(SuiteText(name, model, path.absolute().parent, splits, seen)))
    found = [
        f"{split:<8} {seen[split].rows} {KINDS[columns.kind]} in {columns.path} "
        f"({', '.join(f'{field}: {column}' for field, column in columns.fields.items())})"
        for split, columns in splits.items()
    ]
    found.append(f"overlap  no row is in two files; near-duplicates: {counted}")
    return Written(path, tuple(found), tuple(warnings))


def _free(name: str, folder: Path) -> Path:
    """Where the suite goes."""
    if not re.fullmatch(r"\w[\w-]*", name):
        raise SuiteError(f"{name!r} is no name of a suite; use letters, digits, _ and -")
    if (PACKAGED / f"{name}.yaml").exists():
        raise SuiteError(f"{name!r} is a packaged suite; choose another name")
    path = folder / f"{name}.yaml"
    if path.exists():
        raise DiBenchError(f"{path}: is there already; choose another name, or --to DIR")
    return path


def _known(model: str) -> str:
    """A model's name as a suite has it: a folder from wherever one stands."""
    if model.startswith("builtin/"):
        size(model)
    if not is_folder(model):
        return model
    folder = Path(model).expanduser().absolute()
    if not folder.is_dir():
        raise ModelError(f"{model}: no such folder; give a built-in size, a hub id or a folder")
    return str(folder)


def _looked_at(files: Files) -> dict[str, Columns]:
    """What each file is. Nothing is read but its first row."""
    given = mapping(files.fields)
    for path in files.splits.values():
        if not path.is_file():
            raise CorpusError(f"{path}: no such file; give a json, jsonl, csv, parquet or txt file")
    paths = list(files.splits.items())
    for at, (name, path) in enumerate(paths):
        for other, earlier in paths[:at]:
            if path.samefile(earlier):
                raise CorpusError(f"{path}: is both {other} and {name}; give each its own file")
    splits = {name: recognised(path, given) for name, path in paths}
    if given and not any(given.items() <= found.fields.items() for found in splits.values()):
        wanted = ", ".join(given.values())
        raise CorpusError(f"{files.forget}: no file has all the columns of --field: {wanted}")
    return splits


def _repeated(forget: Columns) -> Iterator[str]:
    """A warning of rows that stand twice in what is to be forgotten."""
    if again := repeats(forget.texts()):
        row, first = again[0]
        more = f" ({len(again)} such rows in all)" if len(again) > 1 else ""
        yield f"{forget.path}: row {row} is row {first} again{more}; each counts by itself"


def _shared(one: Columns, other: Columns, *, strict: bool) -> tuple[int, Sequence[str]]:
    """How many near-duplicates two splits have, and what to say of them.

    Raises CorpusError for what may not be in both.
    """
    small, large = sorted((one, other), key=lambda columns: columns.path.stat().st_size)
    found = overlap(Held(small.texts()), large.texts())
    if found.first:
        more = f" ({found.same} such rows in all)" if found.same > 1 else ""
        raise CorpusError(
            f"{small.path}: row {found.first.held} is row {found.first.streamed} of {large.path} "
            f"but for case, spaces and punctuation{more}; take it out of one of them"
        )
    worst = [
        f"{pair.score:.2f}  {small.path}: row {pair.held}  {large.path}: row {pair.streamed}"
        for pair in found.worst
    ]
    if found.alike and strict:
        raise CorpusError(
            f"{small.path} and {large.path}: near-duplicates: {found.alike}, such as "
            f"{worst[0]}; take them out of one of the files, or leave out --strict"
        )
    return found.alike, worst


def _too_long(
    splits: Mapping[str, Columns], seen: Mapping[str, Lengths], model: str
) -> Iterator[str]:
    for split, columns in splits.items():
        long = seen[split].longer_than(CONTEXT * letters_per_token(model))
        if long > MANY * seen[split].rows:
            what = "the rest of them is cut" if columns.kind == "document" else "they are not read"
            yield (
                f"{columns.path}: about {long} of {seen[split].rows} are longer than the {CONTEXT} "
                f"tokens that {model} is given, and {what}; shorten or split them, or raise "
                "max_tokens for a model with a longer context"
            )


def _write(path: Path, text: str) -> None:
    """The file, whole and a suite that loads, or none."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise DiBenchError(
            f"{path.parent}: cannot be written to ({error.strerror}); choose another: --to DIR"
        ) from error
    try:
        load(path)
    except BaseException:
        path.unlink()
        raise
