"""A model unlearned elsewhere: `checkpoint:PATH` in place of a method, graded as a row of its own.

It is known by content, as local models are: a changed folder is another row. Nothing of it is
loaded here; what does not belong to the suite's models is told from its configuration alone.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from di_bench import hub
from di_bench.corpus import digest
from di_bench.errors import MethodError, ModelError
from di_bench.hub import Reach
from di_bench.lineage import Base, base_key
from di_bench.method import Method
from di_bench.methodfile import CHECKPOINT, MethodFile
from di_bench.model import is_folder
from di_bench.run import Run
from di_bench.search import Space
from di_bench.shape import CONFIG, Shape, of, read_json, shape_in, shape_of, words
from di_bench.spec import Tree
from di_bench.store import Store

ADAPTER = "adapter_config.json"
BASE = "base"
"""Where in an adapter's folder the model lies that it goes on, if it brings it."""
_VOCABULARY = "tokenizer.json"
_TOKENIZERS = (_VOCABULARY, "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")
_PLACES = ("base_model_name_or_path", "revision")
"""What an adapter's configuration says of one machine, and no part of what it is."""


@dataclass(frozen=True)
class Outside(Method):
    """What stands in a record for the method: which checkpoint it was."""

    checkpoint: str

    def unlearn(self, lm: Any, fit: Any) -> Any:  # noqa: ANN401 - it has been done
        """Nothing is trained: the model comes as it is."""
        raise MethodError(f"{self.checkpoint}: unlearned elsewhere; there is nothing to train")


@dataclass(frozen=True)
class Checkpoint(MethodFile):
    """A folder, or a hub repository at a commit, in place of a method's file."""

    label: str = ""
    id: str = ""
    """Its name on the hub; none for a folder."""
    revision: str = ""
    under: str = ""
    """What an adapter goes on: a folder, or `id@commit`; the target when empty."""
    adapter: bool = False
    shape: Shape | None = None
    """None for an adapter on the target, and for what is not on this machine yet."""

    @property
    def name(self) -> str:
        """The folder's name and a digest of its content, never its path."""
        return self.label

    @property
    def search(self) -> Space:
        """A checkpoint has no settings: raises MethodError."""
        raise MethodError(f"{self.label}: a checkpoint has no settings to tune; leave it out")

    def settings(
        self, model: str, recipe: Tree, own: Tree, *, tuned: bool = True, told: Tree | None = None
    ) -> Tree:
        """Which one it is; a suite has nothing to say to it."""
        return {"checkpoint": self.label}

    def load(self, settings: Tree) -> Method:
        """What a record says of it."""
        return Outside(self.label)

    @property
    def tokenizes(self) -> bool:
        """Whether it brings a tokenizer; if not, the base model's is used."""
        return any((self.path / name).exists() for name in _TOKENIZERS)

    def here(self) -> Path:
        """Its folder, all of it, fetched from the hub where it comes from there.

        Raises ModelError when it cannot be had or holds no safetensors.
        """
        if not self.id:
            return self.path
        offline = os.environ.get("HF_HUB_OFFLINE") == "1"
        return hub.weights(self.id, self.revision, "cache" if offline else "network")


def identify(name: str, store: Store, reach: Reach) -> Checkpoint:
    """A checkpoint as the command line names it. Raises ModelError for what is none."""
    where = name.removeprefix(CHECKPOINT)
    if not where:
        raise ModelError(f"{name}: name a folder or a hub repository behind it")
    if is_folder(where) or Path(where).is_dir():
        folder = Path(where).expanduser()
        found = _filled(Checkpoint(folder), folder, reach)
        content = store.content(str(folder.resolve()), leave_out=(ADAPTER,))
        if found.adapter:
            content = digest(content, _lasting(read_json(folder / ADAPTER)), _weighed(found, store))
        label = f"{folder.resolve().name}-{content[:8]}"
        return replace(found, label=re.sub(r"[^\w.=+-]+", "_", label), brings=content)
    repository, _, revision = where.partition("@")
    sha = hub.commit("models", repository, reach, revision or None)
    label = f"{repository.replace('/', '--')}-{(sha or 'newest')[:8]}"
    asked = Checkpoint(
        Path(repository), f"{repository}@{sha}", label=label, id=repository, revision=sha or ""
    )
    there = hub.snapshot(repository, sha, reach, *hub.SMALL) if sha else None
    known = asked if there is None else _filled(asked, there, reach)
    if known.under and not is_folder(known.under):
        known = replace(known, brings=f"{known.brings} on {known.under}")
    return known


def _filled(given: Checkpoint, folder: Path, reach: Reach) -> Checkpoint:
    """With what its configuration says."""
    if not (folder / ADAPTER).exists():
        if not folder.is_dir() or not (folder / CONFIG).exists():
            why = f"it has no {CONFIG}" if folder.is_dir() else "no such folder"
            raise ModelError(f"{given.id or folder}: not a model: {why}")
        return replace(given, path=folder, shape=shape_in(folder))
    under = _under(given.id or str(folder), folder, reach)
    return replace(
        given, path=folder, adapter=True, under=under, on_target=not under, shape=of(under, reach)
    )


def described(name: str, folder: Path, reach: Reach) -> Checkpoint:
    """What the configuration in a fetched folder says of a hub's model."""
    return _filled(Checkpoint(folder, id=name), folder, reach)


def _under(name: str, folder: Path, reach: Reach) -> str:
    """What an adapter goes on; nothing if it names none. Raises ModelError if that is not here."""
    if (folder / BASE / CONFIG).exists():
        return str(folder / BASE)
    config = read_json(folder / ADAPTER)
    named = str(config.get(_PLACES[0]) or "")
    if not named or (is_folder(named) and Path(named).expanduser().is_dir()):
        return named
    if is_folder(named):
        raise ModelError(f"{name}: goes on {named}, which is not here; put it into {name}/{BASE}")
    revision = config.get(_PLACES[1])
    sha = hub.commit("models", named, reach, None if revision is None else str(revision))
    return f"{named}@{sha}" if sha else named


def _weighed(adapter: Checkpoint, store: Store) -> str:
    """The content of what an adapter goes on."""
    return store.content(adapter.under) if is_folder(adapter.under) else adapter.under


def _lasting(config: Mapping[str, Any]) -> Tree:
    return {k: v for k, v in config.items() if k not in _PLACES}


def owner(given: Checkpoint, bases: Sequence[Base], reach: Reach) -> Base:
    """The one model of the suite that it was made of, told by its shape.

    Raises ModelError when there is none or more than one.
    """
    shapes = {base.id: shape_of(base.spec, reach) for base in bases}
    fits = [b for b in bases if given.shape is None or shapes[b.id] in (None, given.shape)]
    if not fits:
        known = "; ".join(f"{name}: {shape}" for name, shape in shapes.items())
        raise ModelError(
            f"{given.label}: a {given.shape}, which no model of the suite is ({known}); name its "
            f"model: --model{_own_code(given)}"
        )
    if len(fits) > 1:
        names = ", ".join(base.id for base in fits)
        raise ModelError(f"{given.label}: may belong to {names}; say which: --model")
    return fits[0]


def agree(given: Checkpoint, run: Run, store: Store) -> None:
    """Raise ModelError for a tokenizer of another vocabulary than the suite's model has.

    Nothing is said of a built-in model that is not grown yet: loading looks again.
    """
    own, base = given.path / _VOCABULARY, home(run, store) / _VOCABULARY
    if not given.adapter and own.exists() and base.exists() and words(own) != words(base):
        raise ModelError(
            f"{given.label}: its tokenizer has another vocabulary than {run.base.id}'s; their "
            "answers do not compare: name its model with --model"
        )


def home(run: Run, store: Store) -> Path:
    """Where the suite's model lies, or would."""
    spec = run.base.spec
    if spec.builtin:
        return store.path("base", base_key(run.suite, run.base))
    if spec.local:
        return Path(spec.id).expanduser()
    sha = hub.commit("models", spec.id, "plan", spec.revision)
    return hub.repository("models", spec.id) / "snapshots" / (sha or "main")


def _own_code(given: Checkpoint) -> str:
    config = read_json(given.path / CONFIG) if (given.path / CONFIG).exists() else {}
    return ". It needs code of its own, which is never run" if "auto_map" in config else ""
