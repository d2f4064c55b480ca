"""Where results live: records under `results/`, bulky pieces in a cache keyed by content.

Every write is whole or absent (a draft, then a rename), so a kill at any moment leaves nothing
half done. A piece carries checksums of its files: a damaged one is noticed, said, and made again.
"""

import json
import logging
import os
import re
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from errno import EACCES, EDQUOT, EEXIST, EFBIG, EIO, EISDIR, ENOENT, ENOSPC, ENOTDIR, EPERM, EROFS
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout
from pydantic import ValidationError

from di_bench.corpus import digest
from di_bench.errors import ModelError, StoreError, nearest
from di_bench.lineage import Base
from di_bench.metrics.metric import ItemScore
from di_bench.model import ModelSpec, is_folder
from di_bench.record import Record
from di_bench.run import Run
from di_bench.suite import Suite

if TYPE_CHECKING:
    from di_bench.tally import Tallies

log = logging.getLogger(__name__)

_SUMS = "sha256.json"
_FULL = (ENOSPC, EDQUOT, EFBIG, EROFS)
_UNWRITABLE = (ENOSPC, EDQUOT, EFBIG, EIO, EROFS, EACCES, EPERM, EEXIST, ENOTDIR)
_MISPLACED = (ENOENT, EISDIR)
_MODEL_FILES = ("*.safetensors", "*.json", "*.jinja", "*.model", "*.txt")


@dataclass(frozen=True)
class Store:
    """Two folders: one to commit, one to throw away at will."""

    results: Path
    cache: Path

    def folder(self, suite: Suite) -> Path:
        """The results of a suite under its profile."""
        return self.results / suite.name / suite.profile

    def record_path(self, run: Run) -> Path:
        """Where the record of a run is."""
        return self.folder(run.suite) / f"{run.name}.json"

    def record(self, run: Run) -> Record | None:
        """The record of a run, current or not; none if it is missing or unreadable."""
        path = self.record_path(run)
        if not path.exists() or not path.with_suffix(".parquet").exists():
            return None
        try:
            return read_record(path)
        except StoreError as error:
            log.warning("%s; the run is done again", error)
            return None

    def finished(self, run: Run) -> Record | None:
        """The current record of a run; none if it is missing, failed, unreadable or stale."""
        record = self.record(run)
        if record is None or record.status == "failed":
            return None
        kept = (record.keys["scores"], record.trials)  # tuning may find what was there already
        return record if kept == (run.scores_key, run.trials) else None

    def records(self, suite: Suite) -> list[Record]:
        """All records of a suite's profile, in a fixed order."""
        return records_in(self.folder(suite))

    def tallies(self, suite: Suite, records: Iterable[Record]) -> "Tallies":
        """What the items of records sum up to, for the columns that the suite shows."""
        from di_bench.tally import tallies  # scipy: not for `plan`

        folder, shown = self.folder(suite), suite.shown
        return tallies({
            record.name: (
                folder / f"{record.name}.parquet",
                {column: record.scores.get(column) for column in shown},
            )
            for record in records
        })  # fmt: skip

    def keep(self, run: Run, record: Record, items: dict[str, Sequence[ItemScore]]) -> None:
        """File a record and its per-item scores: the scores first, so a record is never alone."""
        from pyarrow import parquet, table

        rows = [(column, s.item, s.group, s.value) for column, all_ in items.items() for s in all_]
        names = ("metric", "item", "group", "value")
        columns = dict(
            zip(names, zip(*rows, strict=True) if rows else ((), (), (), ()), strict=True)
        )
        path = self.record_path(run)
        with whole(path.with_suffix(".parquet")) as draft:
            parquet.write_table(
                table({k: list(v) for k, v in columns.items()}), draft, compression="zstd"
            )
        with whole(path) as draft:
            draft.write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")

    def piece(self, kind: str, key: str, make: Callable[[Path], None]) -> Path:
        """The folder of a cached piece, made by whoever comes first and checked when it is there.

        Two processes never make the same piece twice: the second waits on a file lock, which the
        system releases if the first is killed.
        """
        folder = self.path(kind, key)
        with self._lock(f"{kind}-{key}"):
            if folder.exists():
                if _intact(folder):
                    return folder
                log.warning("%s/%s in the cache is damaged; it is made again", kind, key)
                shutil.rmtree(folder)
            draft = folder.with_name(f"{key}.draft")
            shutil.rmtree(draft, ignore_errors=True)
            try:
                with _explained(folder):
                    draft.mkdir(parents=True)
                with _explained(folder, _FULL):
                    make(draft)
                with _explained(folder):
                    sums = {file: _sha256(draft / file) for file in _files(draft)}
                    (draft / _SUMS).write_text(json.dumps(sums, indent=1), encoding="utf-8")
                    draft.rename(folder)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
        return folder

    def path(self, kind: str, key: str) -> Path:
        """Where a piece is, or would be."""
        return self.cache / kind / key

    def has(self, kind: str, key: str) -> bool:
        """Whether a piece is in the cache (it is checked when it is used)."""
        return (self.path(kind, key) / _SUMS).exists()

    def forget(self, kind: str, key: str) -> None:
        """Drop the pieces whose keys match a pattern, so that they are made afresh."""
        for folder in (self.cache / kind).glob(key):
            with self._lock(f"{kind}-{folder.name}"):
                shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def _lock(self, name: str) -> Iterator[None]:
        locks = self.cache / "locks"
        with _explained(locks):
            locks.mkdir(parents=True, exist_ok=True)
        lock = FileLock(locks / name)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            log.info("waiting for another process that makes %s", name)
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def identify(self, spec: ModelSpec) -> Base:
        """Name a model by what it is. A folder's digest is kept by path, size and time.

        Raises ModelError for a folder that is no model, or that holds only pickled weights.
        """
        content = self.content(spec.id, spec.revision)
        name = spec.id.replace("/", "--")
        if spec.local:
            name = f"{Path(spec.id).expanduser().resolve().name}-{content[:8]}"
        return Base(spec, name, content, self.content(spec.target), self.content(spec.retain))

    def content(
        self, name: str | None, revision: str | None = None, leave_out: Collection[str] = ()
    ) -> str:
        """What a model is: a digest of a folder's files but for some, or `id@revision`."""
        if name and is_folder(name):
            return self._folder_digest(Path(name).expanduser(), leave_out)
        return f"{name or ''}@{revision}" if revision else name or ""

    def _folder_digest(self, folder: Path, leave_out: Collection[str]) -> str:
        files = [file for file in model_files(folder) if file.name not in leave_out]
        stats = [[str(f.resolve()), f.stat().st_size, f.stat().st_mtime_ns] for f in files]

        def make(draft: Path) -> None:
            sums = [[file.relative_to(folder).as_posix(), _sha256(file)] for file in files]
            (draft / "digest").write_text(digest(sums), encoding="utf-8")

        return (self.piece("digests", digest(stats), make) / "digest").read_text(encoding="utf-8")


def model_files(folder: Path) -> list[Path]:
    """The files of a model's folder that say what it is. Raises ModelError if it holds no model."""
    nested = (folder / "modules.json").exists()  # a sentence embedder has its parts in folders
    patterns = [f"**/{p}" if nested else p for p in _MODEL_FILES]
    files = sorted({file for pattern in patterns for file in folder.glob(pattern)})
    if not any(file.suffix == ".safetensors" for file in files):
        why = "no such folder"
        if folder.is_dir():
            why = "it holds no .safetensors file"
        if list(folder.glob("*.bin")) or list(folder.glob("*.pt*")):
            why = "its weights are pickled, which can run code; convert them to .safetensors"
        raise ModelError(f"{folder}: not a model: {why}")
    return files


def read_record(path: Path) -> Record:
    """A record. Raises StoreError when the file is not there, or is not one."""
    try:
        return Record.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        around = [file.stem for file in path.parent.glob("*.json")]
        hint = (
            nearest(path.stem, around) if around else "name one as tofu/default/builtin--nano/di-0"
        )
        raise StoreError(f"{path}: no such record; {hint}") from error
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise StoreError(
            f"{path}: not a record that this version can read; delete it and run again"
        ) from error


def records_in(folder: Path, spared: Collection[Path] = ()) -> list[Record]:
    """All records below a folder, in a fixed order. Unreadable ones raise unless `spared`."""
    found = []
    for path in record_paths(folder):
        try:
            found.append(read_record(path))
        except StoreError:
            if path not in spared:
                raise
    return found


def record_paths(folder: Path) -> list[Path]:
    """Where the records below a folder are, in a fixed order."""
    return sorted(folder.glob("*/*.json"))


def read_items(path: Path) -> list[tuple[str, str, str, float]]:
    """(metric, item, group, value) of every per-item score of a run.

    Raises StoreError when the file is not there, is damaged, or holds something else.
    """
    from pyarrow import ArrowException, parquet

    try:
        found = parquet.read_table(path).to_pydict()
        columns = (found[name] for name in ("metric", "item", "group"))
        return list(zip(*columns, map(float, found["value"]), strict=True))
    except FileNotFoundError as error:
        raise StoreError(f"{path}: not there; run again, which makes it anew") from error
    except (OSError, ArrowException, KeyError, TypeError, ValueError) as error:
        raise StoreError(
            f"{path}: cannot be read ({type(error).__name__}); delete it and run again"
        ) from error


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A draft to write to, that takes the place of `path` when the block ends well."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    with _explained(path, (*_UNWRITABLE, *_MISPLACED)):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield draft
            draft.replace(path)
        finally:
            if draft.is_dir():
                shutil.rmtree(draft, ignore_errors=True)
            draft.unlink(missing_ok=True)


@contextmanager
def _explained(path: Path, codes: Collection[int] = _UNWRITABLE) -> Iterator[None]:
    """Turn a full disk or a locked folder into one line."""
    try:
        yield
    except Exception as error:
        said = re.search(r"\(os error (\d+)\)", str(error))  # safetensors has it in words alone
        code = error.errno if isinstance(error, OSError) else int(said[1]) if said else None
        if code is None or code not in codes:
            raise
        mend = "free some space or choose another folder (--results, --cache)"
        if code in _MISPLACED:
            mend = "name a file in a folder that can be written to"
        raise StoreError(
            f"{path}: cannot be written: {os.strerror(code)}; {mend}. What was whole is kept"
        ) from error


def _files(folder: Path) -> list[str]:
    return sorted(
        str(file.relative_to(folder))
        for file in folder.rglob("*")
        if file.is_file() and file.name != _SUMS
    )


def _intact(folder: Path) -> bool:
    try:
        sums = json.loads((folder / _SUMS).read_text(encoding="utf-8"))
        return bool(sums == {file: _sha256(folder / file) for file in _files(folder)})
    except (OSError, ValueError):
        return False


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        state = sha256()
        while chunk := file.read(1 << 20):
            state.update(chunk)
    return state.hexdigest()
