"""What `di-bench fetch` put into a folder: which commits, and size and SHA-256 of every file.

The manifest is written last, so a folder that has one is whole. A run without network that uses
the folder as its cache checks every file first; a file is only read again when it looks touched.
"""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import ValidationError

from di_bench import hub
from di_bench.draft import whole
from di_bench.errors import StoreError
from di_bench.spec import Spec
from di_bench.store import sha256

NAME, MARK, STAMPS = "manifest.json", "fetching", "verified.json"
HUB = "huggingface"
"""Below the folder, `$HF_HOME` for who is without network."""
PARTS = (HUB, "data", "models", "methods", "suites")
_UNNAMED = (".locks", ".no_exist", "blobs")
"""Folders of a hub's cache that no reader opens by name: blobs are read through snapshots."""


class Entry(Spec):
    """A file as it was fetched."""

    size: int
    sha256: str


class Manifest(Spec):
    """What a folder holds, for which suite."""

    format: Literal[1] = 1
    suite: str
    profile: str
    command: str
    """What fetched it."""
    repositories: dict[str, str]
    """`models/org/name` or `datasets/org/name`, `@revision` behind it if it is not main: commit."""
    files: dict[str, Entry]
    """By path relative to the folder."""


def manifest(folder: Path) -> Manifest | None:
    """The manifest of a folder; None if nothing was fetched to it.

    Raises StoreError when a fetch was begun and never ended, the file cannot be read, or it names
    a file outside the folder: it may come from anyone.
    """
    path = folder / NAME
    if not path.exists():
        if (folder / MARK).exists():
            said = (folder / MARK).read_text(encoding="utf-8")
            raise StoreError(f"{folder}: not all of it was fetched; run `{said}` again")
        return None
    try:
        found = Manifest.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise StoreError(f"{path}: not a manifest this version can read; fetch again") from error
    if away := [name for name in found.files if not _inside(name)]:
        raise StoreError(f"{path}: names {away[0]!r}, which is not in its folder; fetch again")
    return found


def _inside(name: str) -> bool:
    """Whether a name is below one of the parts that a fetch fills."""
    steps = PurePosixPath(name).parts
    return steps[:1] in [(part,) for part in PARTS] and ".." not in steps


def write(folder: Path, suite: str, profile: str, command: str) -> Manifest:
    """Name every file that lies there now, and the commits of what came from a hub."""
    files = {name: _entry(folder / name) for name in _named(folder)}
    held = dict(_repositories(folder / HUB / "hub"))
    made = Manifest(suite=suite, profile=profile, command=command, repositories=held, files=files)
    with whole(folder / NAME) as draft:
        draft.write_text(made.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return made


def use(cache: Path, *, check: bool = False) -> bool:
    """Turn the network off; whether the cache was fetched, and is then all that is read.

    To be called before Hugging Face's libraries are imported. With `check`, raises StoreError at
    the first file that is not as it was fetched.
    """
    found = manifest(cache)
    hub.settle(cache / HUB if found else None)
    wrongs = list(broken(cache, found)) if found and check else []
    if found and wrongs:
        (name, wrong), more = wrongs[0], len(wrongs) - 1
        wrong += f", and so are {more} more" if more else ""
        again = f"run `{found.command}` again where there is a network"
        raise StoreError(f"{cache / name}: {wrong}; copy it again, or {again}")
    return found is not None


def mend(folder: Path) -> list[str]:
    """Drop what is not as it was fetched, so that it is fetched again. Returns its names.

    Raises StoreError where a link leads out of the folder: nothing is deleted there.
    """
    found = manifest(folder) if (folder / NAME).exists() else None
    names = [name for name, _ in broken(folder, found)] if found else []
    for name in names:
        path = folder / name
        if not all(one.resolve().is_relative_to(folder.resolve()) for one in (path, path.parent)):
            raise StoreError(f"{path}: was damaged and is a link out of {folder}; delete it")
        if Path(name).parts[:2] == (HUB, "datasets"):  # of a prepared data set all files belong
            shutil.rmtree(path.parent, ignore_errors=True)
        path.resolve().unlink(missing_ok=True)
        path.unlink(missing_ok=True)
    return names


def broken(folder: Path, found: Manifest) -> Iterator[tuple[str, str]]:
    """Each file that is missing or changed, and in which way."""
    stamps = folder / STAMPS
    try:
        kept = json.loads(stamps.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        kept = {}
    seen: dict[str, list[object]] = {}
    for name, entry in found.files.items():
        path = folder / name
        if not path.is_file():
            yield name, "is missing"
            continue
        stat = path.stat()
        stamp = [stat.st_size, stat.st_mtime_ns, stat.st_ino, entry.sha256]
        if stat.st_size != entry.size:
            yield name, f"is not what was fetched: {stat.st_size} bytes, not {entry.size}"
        elif kept.get(name) != stamp and _entry(path) != entry:
            yield name, "is not what was fetched: its SHA-256 differs"
        else:
            seen[name] = stamp
    if seen != kept:
        with whole(stamps) as draft:
            draft.write_text(json.dumps(seen), encoding="utf-8")


def _entry(path: Path) -> Entry:
    return Entry(size=path.stat().st_size, sha256=sha256(path))


def _named(folder: Path) -> Iterator[str]:
    """The files that are read by name, locks and leftovers apart, in a fixed order."""
    found = []
    for part in PARTS:
        for place, inner, files in os.walk(folder / part):
            inner[:] = [name for name in inner if name not in _UNNAMED]
            found += [Path(place) / f for f in files if not f.endswith((".lock", ".incomplete"))]
    return iter(sorted(path.relative_to(folder).as_posix() for path in found))


def _repositories(home: Path) -> Iterator[tuple[str, str]]:
    """Each repository of a hub's cache and the commit it is held at.

    Raises StoreError for a data set at two: without network only its newest would be read.
    """
    for place in sorted(home.glob("*--*")):
        kind, _, rest = place.name.partition("--")
        name = f"{kind}/{rest.replace('--', '/')}"
        refs = {r.relative_to(place / "refs").as_posix(): r.read_text("utf-8").strip()
                for r in sorted((place / "refs").rglob("*")) if r.is_file()}  # fmt: skip
        commits = sorted(path.name for path in (place / "snapshots").glob("*"))
        if kind == "datasets" and len(commits) > 1:
            raise StoreError(f"{name}: fetched at two commits; fetch to a new folder")
        for ref, sha in refs.items():
            yield (name if ref == "main" else f"{name}@{ref}"), sha
        for sha in commits:
            if sha not in refs.values():
                yield f"{name}@{sha}", sha
