"""What a suite has on this machine, copied beside what was fetched, and found there elsewhere.

Copies keep their names, so a model or a method is called the same, and their content, so every key
is. A path that exists is used as it is; the copy stands in where it does not.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from di_bench import nlu
from di_bench.asks import Judge, Tasks
from di_bench.checkpoint import BASE, Checkpoint
from di_bench.draft import whole
from di_bench.errors import CorpusError, SuiteError
from di_bench.methodfile import CHECKPOINT
from di_bench.model import ModelSpec, is_folder
from di_bench.store import model_files
from di_bench.suite import Suite, suite_path

CORPUS, NLU, TASKS = Path("data", "corpus"), Path("data", "nlu"), Path("data", "tasks")
MODELS, METHODS, SUITES = Path("models"), Path("methods"), Path("suites")
Copy = tuple[Path, Path]
"""A file, and where its copy goes, relative to the folder."""


def copied(asked: Sequence[Copy], folder: Path, say: Callable[[str], None]) -> None:
    """Copy files, each whole or not at all. Raises SuiteError when two would have one place."""
    homes: dict[Path, Path] = {}
    for source, place in asked:
        if not source.is_file():
            raise SuiteError(f"{source}: no such file; name one that is there")
        other = homes.setdefault(place, source.resolve())
        if other != source.resolve():
            raise SuiteError(f"{source}: has the place of {other} in {folder}; rename one of them")
    for place, source in homes.items():
        if not _same(source, folder / place):
            with whole(folder / place) as draft:
                shutil.copy2(source, draft)
            say(f"copied {place}")


def _same(source: Path, copy: Path) -> bool:
    """Whether a copy was made of the file as it is: it keeps the time."""
    if not copy.exists():
        return False
    one, other = source.stat(), copy.stat()
    return (one.st_size, one.st_mtime_ns) == (other.st_size, other.st_mtime_ns)


def files(suite: Suite, name: str, methods: Sequence[str]) -> Iterator[Copy]:
    """Every local file that a suite and these methods read, and its place among copies."""
    if (file := Path(name)).suffix:
        yield suite_path(name), SUITES / file.name
    yield from _corpus(suite)
    for probe, asked in suite.probes.items():
        if isinstance(asked, Tasks):
            yield from _tasks(suite, probe, asked)
    for model in local_models(suite):
        yield from _model(Path(model).expanduser())
    for method in (Path(method) for method in methods if method.endswith(".py")):
        yield method, METHODS / method.name
        if (beside := method.with_suffix(".yaml")).exists():
            yield beside, METHODS / beside.name


def _corpus(suite: Suite) -> Iterator[Copy]:
    folder = suite.corpus.path
    for file in _filed(suite):
        if folder is None or Path(file).is_absolute() or ".." in Path(file).parts:
            raise CorpusError(f"{file}: lies outside the corpus' folder; give --set corpus.path")
        yield folder.expanduser() / file, CORPUS / file


def _tasks(suite: Suite, own: str, probe: Tasks) -> Iterator[Copy]:
    if probe.path:
        folder = probe.path.expanduser()
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            yield file, TASKS / own / file.relative_to(folder)
    if suite.nlu.path:
        for name in nlu.files(nlu.away(probe.tasks, probe.path)):
            yield suite.nlu.path.expanduser() / name, NLU / name


def models(suite: Suite) -> Iterator[ModelSpec]:
    """Every model a suite names, judges too, but for built-in ones."""
    yield from (spec for spec in suite.models if not spec.builtin)
    judges = (probe.reader for probe in suite.probes.values() if isinstance(probe, Judge))
    yield from (judge for judge in judges if judge)


def local_models(suite: Suite) -> list[str]:
    """The folders among them, given targets and golds too."""
    named = [n for spec in models(suite) for n in (spec.id, spec.target, spec.retain) if n]
    return list(dict.fromkeys(name for name in named if is_folder(name)))


def _model(folder: Path) -> Iterator[Copy]:
    for file in model_files(folder):
        yield file, MODELS / folder.resolve().name / file.relative_to(folder)


def checkpoint(given: Checkpoint) -> Iterator[Copy]:
    """The files of a local checkpoint, with the model that an adapter goes on."""
    home = MODELS / given.path.resolve().name
    yield from _model(given.path)
    if given.adapter and is_folder(given.under):
        under = Path(given.under).expanduser()
        for file in model_files(under):
            yield file, home / BASE / file.relative_to(under)


def moved(suite: Suite, folder: Path) -> Suite:
    """The suite with the copies of a folder in place of what is not on this machine."""
    corpus, tables = suite.corpus, suite.nlu
    if _filed(suite) and not _exists(corpus.path) and (folder / CORPUS).is_dir():
        corpus = corpus.model_copy(update={"path": folder / CORPUS})
    if not _exists(tables.path) and (folder / NLU).is_dir():
        tables = tables.model_copy(update={"path": folder / NLU})
    probes: dict[str, Any] = dict(suite.probes)
    for name, probe in suite.probes.items():
        if isinstance(probe, Tasks) and probe.path and not _exists(probe.path):
            probes[name] = probe.model_copy(update={"path": folder / TASKS / name})
        if isinstance(probe, Judge) and probe.model:
            probes[name] = probe.model_copy(update={"model": found(probe.model, folder)})
    roles = ("id", "target", "retain")
    specs = tuple(
        spec.model_copy(update={r: found(n, folder) for r in roles if (n := getattr(spec, r))})
        for spec in suite.models
    )
    methods = {found(name, folder): settings for name, settings in suite.methods.items()}
    told = {"corpus": corpus, "nlu": tables, "probes": probes, "models": specs, "methods": methods}
    return suite.model_copy(update=told)


def found(name: str, folder: Path) -> str:
    """A model, checkpoint or method as it is named, or its copy if it is not on this machine."""
    where = name.removeprefix(CHECKPOINT)
    if not (is_folder(where) or where.endswith(".py")):
        return name
    home = METHODS if where.endswith(".py") else MODELS
    copy = folder / home / Path(where).name
    if Path(where).expanduser().exists() or not copy.exists():
        return name
    return name.removesuffix(where) + str(copy)


def _filed(suite: Suite) -> list[str]:
    """The files of the corpus."""
    named = [suite.corpus.refusals.file, *(split.file for split in suite.corpus.splits.values())]
    return [file for file in named if file]


def _exists(path: Path | None) -> bool:
    return path is not None and path.expanduser().exists()
