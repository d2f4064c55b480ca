"""Everything a suite needs from elsewhere, put into one folder for a machine without network.

The folder is `--cache` there. What is whole is kept: a fetch that was killed goes on, at the
commits it began with. Of models it takes safetensors, configurations and tokenizers, no code.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from di_bench import checkpoint, copies, hub, manifest, nlu
from di_bench.asks import Tasks
from di_bench.checkpoint import Checkpoint
from di_bench.draft import whole
from di_bench.errors import DiBenchError
from di_bench.methodfile import CHECKPOINT, MethodFile
from di_bench.model import is_folder
from di_bench.shape import read_json
from di_bench.store import Store
from di_bench.suite import Suite
from di_bench.work import Choice

Say = Callable[[str], None]


@dataclass
class Fetcher:
    """Collects into a folder, and goes on when something is out of reach."""

    folder: Path
    say: Say
    wrong: list[str] = field(default_factory=list)
    """What could not be had, and why."""

    def tried(self, step: Callable[[], object]) -> None:
        """Do a step; keep what it complains of."""
        try:
            step()
        except DiBenchError as error:
            self.wrong.append(str(error))

    def model(self, name: str) -> None:
        """A hub's `id` or `id@revision`, and what it goes on if it is an adapter."""
        where, _, revision = name.partition("@")
        sha = hub.pin("models", where, revision or None)
        place = hub.weights(where, sha, "network")
        self.say(f"fetched {where} at {sha[:8]}")
        if (place / checkpoint.ADAPTER).exists():
            self.under(checkpoint.described(where, place, "network"))

    def under(self, adapter: Checkpoint) -> None:
        """The hub's model that an adapter goes on, held at the revision the adapter names."""
        if not adapter.under or is_folder(adapter.under):
            return
        self.model(adapter.under)
        name, _, sha = adapter.under.partition("@")
        revision = read_json(adapter.path / checkpoint.ADAPTER).get("revision")
        hub.hold("models", name, sha, None if revision is None else str(revision))

    def data(self, suite: Suite) -> None:
        """The corpus, read once: that is what leaves it prepared."""
        commits = {name: hub.pin("datasets", name) for name in sorted(suite.corpus.hubs)}
        suite.corpus.pinned(commits).open()
        for name, sha in commits.items():
            self.say(f"fetched data set {name} at {sha[:8]}")

    def tasks(self, suite: Suite) -> None:
        """What lm-eval's tasks read from a hub: building them is what fetches it."""
        asked = [probe for probe in suite.probes.values() if isinstance(probe, Tasks)]
        names = [name for probe in asked for name in nlu.away(probe.tasks, probe.path)]
        own = any(probe.path for probe in asked)
        if (names and suite.nlu.path is None) or own:
            from di_bench import tasks

            tasks.check(suite, Store(self.folder / "results", self.folder))
            self.say(f"fetched the data of lm-eval's tasks: {', '.join(names) or 'of the folder'}")

    def checkpoints(self, names: Sequence[str]) -> Iterator[copies.Copy]:
        """The local files of checkpoints; those on a hub are fetched."""
        store = Store(self.folder / "results", self.folder)
        for name in names:
            if not name.startswith(CHECKPOINT):
                MethodFile.find(name)
                continue
            given = checkpoint.identify(name, store, "network")
            if given.id:
                self.model(f"{given.id}@{given.revision}")
                hub.hold("models", given.id, given.revision, name.partition("@")[2] or None)
            else:
                yield from copies.checkpoint(given)
                self.under(given)


def fetch(asked: Choice, methods: Sequence[str], folder: Path, say: Say) -> str:
    """Fill the folder, whole or to go on later. Returns the command to run without network.

    To be called before Hugging Face's libraries are imported. Raises DiBenchError with all that
    could not be had.
    """
    hub.settle(folder / manifest.HUB, online=True)
    suite = asked.loaded
    again = _command("fetch", asked, methods, asked.suite, ["--to", str(folder)])
    _begin(suite, folder, again, say)
    suite = copies.moved(suite, folder)
    named = [copies.found(name, folder) for name in (*methods, *suite.methods)]
    work = Fetcher(folder, say)
    for name in _hub_models(suite):
        work.tried(partial(work.model, name))
    work.tried(partial(work.data, suite))
    work.tried(partial(work.tasks, suite))
    work.tried(lambda: copies.copied([*copies.files(suite, asked.suite, named)], folder, say))
    work.tried(lambda: copies.copied([*work.checkpoints(named)], folder, say))
    if work.wrong:
        said = "; ".join(work.wrong)
        raise DiBenchError(f"{said}; then run `{again}` again: what is here is kept")
    made = manifest.write(folder, suite.name, suite.profile, again)
    (folder / manifest.MARK).unlink()
    size = sum(entry.size for entry in made.files.values()) / 1e6
    say(f"{len(made.files)} files, {size:.1f} MB in {folder}; without network, run:")
    own = Path(asked.suite)
    home = str(folder / copies.SUITES / own.name) if own.suffix else asked.suite
    return _command("run", asked, methods, home, ["--offline", "--cache", str(folder)])


def _begin(suite: Suite, folder: Path, again: str, say: Say) -> None:
    """Mark the folder as not whole, and drop what was damaged in it.

    Raises DiBenchError when another suite has it.
    """
    before = manifest.manifest(folder) if (folder / manifest.NAME).exists() else None
    if before and (before.suite, before.profile) != (suite.name, suite.profile):
        raise DiBenchError(
            f"{folder}: was fetched for {before.suite}, profile {before.profile}; name another one"
        )
    with whole(folder / manifest.MARK) as draft:
        draft.write_text(again, encoding="utf-8")
    for name in manifest.mend(folder):
        say(f"{name}: was damaged, fetched again")


def _hub_models(suite: Suite) -> list[str]:
    """What a suite takes from a hub, as `id` or `id@revision`, each once."""
    found = []
    for spec in copies.models(suite):
        own = f"{spec.id}@{spec.revision}" if spec.revision else spec.id
        found += [name for name in (own, spec.target, spec.retain) if name and not is_folder(name)]
    return list(dict.fromkeys(found))


def _command(
    verb: str, asked: Choice, methods: Sequence[str], suite: str, more: Sequence[str]
) -> str:
    words = ["di-bench", verb, suite, *methods]
    words += ["--profile", asked.profile] if asked.profile != "default" else []
    for option, values in (("--model", asked.models), ("--set", asked.changes)):
        for value in values:
            words += [option, value]
    return shlex.join([*words, *more])
