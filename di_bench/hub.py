"""Hub repositories by the commit they stand for, and their files on this machine.

Trap: Hugging Face's libraries read the environment once, when they are imported. So `HF_HOME` and
the switch that turns the network off are set before any of them is, and nothing here imports one
until it is needed.
"""

import os
import re
import sys
from pathlib import Path
from typing import Literal

from di_bench.errors import ModelError, StoreError
from di_bench.model import ModelSpec, is_folder

Reach = Literal["plan", "cache", "network"]
"""How far to go for a hub's models and data: not at all, to its local cache, or to the hub."""
Kind = Literal["models", "datasets"]

WEIGHTS = "*.safetensors"
SMALL = ("*.json", "*.jinja", "*.model", "*.txt")
"""What a model has beside its weights: configuration and tokenizer. No code, nothing pickled."""
_COMMIT = re.compile(r"[0-9a-f]{40}")
_REVISION = re.compile(r"\w[\w.+-]*(/\w[\w.+-]*)*", re.ASCII)
_OVERRULING = ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_DATASETS_CACHE", "HF_MODULES_CACHE")


def home() -> Path:
    """Where Hugging Face's libraries keep what they fetched."""
    return Path(os.environ.get("HF_HOME", Path.home() / ".cache" / "huggingface"))


def settle(place: Path | None, *, online: bool = False) -> None:
    """Choose the folder those libraries use, None as it is, and whether they may ask the network.

    Raises StoreError when they are loaded already and use another.
    """
    if not online:
        os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    if place is None:
        return
    place = place.resolve()
    os.environ.setdefault("HF_TOKEN_PATH", str(home() / "token"))  # who fetches stays logged in
    os.environ["HF_HOME"] = str(place)
    for name in _OVERRULING:
        os.environ.pop(name, None)
    loaded = sys.modules.get("huggingface_hub.constants")
    if loaded is not None and Path(str(loaded.HF_HUB_CACHE)) != place / "hub":
        raise StoreError(
            f"{place}: huggingface_hub was imported before and uses {loaded.HF_HUB_CACHE}; start "
            "a new process"
        )


def repository(kind: Kind, name: str) -> Path:
    """Where a repository lies, or would."""
    hub = Path(os.environ.get("HF_HUB_CACHE", home() / "hub"))
    return hub / f"{kind}--{name.replace('/', '--')}"


def commit(kind: Kind, name: str, reach: Reach, revision: str | None = None) -> str | None:
    """The commit a revision (main if None) stands for: the one in the cache, else the hub's.

    None when planning and it is not known here. Raises ModelError with the way out.
    """
    ref = _ref(kind, name, revision)
    if revision and _COMMIT.fullmatch(revision):
        return revision
    if ref.exists():
        return ref.read_text(encoding="utf-8").strip()
    if reach == "plan":
        return None
    if reach == "network":
        from huggingface_hub import HfApi

        ask = HfApi().model_info if kind == "models" else HfApi().dataset_info
        try:
            return ask(name, revision=revision, timeout=10).sha
        except Exception as error:  # noqa: BLE001 - its HTTP client, and so its errors, change
            why = _why(error)
    else:
        why = "not in the Hugging Face cache, and the network is off"
    flag = "" if kind == "models" else "--repo-type dataset "
    other = (
        "a folder (--model ./NAME, checkpoint:./NAME)"
        if kind == "models"
        else "`file:` splits and corpus.path"
    )
    raise ModelError(
        f"{name}: {why}. Run `di-bench fetch` for the suite or `hf download {flag}{name}` on a "
        f"machine with network and carry it over, or use {other}"
    )


def pin(kind: Kind, name: str, revision: str | None = None) -> str:
    """Find a revision's commit and hold the cache to it: later look-ups find this one.

    Raises ModelError when the hub is out of reach.
    """
    sha = commit(kind, name, "network", revision)
    assert sha is not None, "only planning leaves it out"
    hold(kind, name, sha, revision)
    return sha


def hold(kind: Kind, name: str, sha: str, revision: str | None = None) -> None:
    """Let a revision (main if None) stand for this commit in the cache."""
    if revision != sha:
        ref = _ref(kind, name, revision)
        ref.parent.mkdir(parents=True, exist_ok=True)
        ref.write_text(sha, encoding="utf-8")


def _ref(kind: Kind, name: str, revision: str | None) -> Path:
    """Where the cache keeps what a revision stands for.

    Trap: revisions also come from an adapter's own configuration. One with `..` in it would be a
    path out of the cache. Raises ModelError for it.
    """
    if revision and not _REVISION.fullmatch(revision):
        raise ModelError(f"{name}: {revision!r} is no revision; give a branch, a tag or a commit")
    return repository(kind, name) / "refs" / (revision or "main")


def resolved(spec: ModelSpec, reach: Reach) -> ModelSpec:
    """A hub model with the commit it stands for; built-in, local and pinned ones as they are.

    Raises ModelError when the hub is needed and not in reach.
    """
    if spec.builtin or spec.local:
        return spec
    given = {role: getattr(spec, role) for role in ("target", "retain")}
    held_ = {role: held(name, reach) for role, name in given.items() if name}
    revision = spec.revision or commit("models", spec.id, reach)
    return spec.model_copy(update={"revision": revision, **held_})


def held(name: str, reach: Reach) -> str:
    """A checkpoint as `id@commit`; a folder, or one that is held already, as it is."""
    if is_folder(name) or "@" in name:
        return name
    found = commit("models", name, reach)
    return f"{name}@{found}" if found else name


def snapshot(name: str, sha: str, reach: Reach, *patterns: str) -> Path | None:
    """The folder of a hub model at a commit, with the files of these patterns.

    None when planning and it is not here. Raises ModelError when it cannot be had.
    """
    folder = repository("models", name) / "snapshots" / sha
    if reach != "network":
        if folder.is_dir() or reach == "plan":
            return folder if folder.is_dir() else None
        why = f"commit {sha[:8]} is not in the Hugging Face cache, and the network is off"
        raise ModelError(f"{name}: {why}; fetch it on a machine with network")
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, revision=sha, allow_patterns=list(patterns)))
    except Exception as error:  # as above
        raise ModelError(f"{name}: {_why(error)}") from error


def weights(name: str, sha: str, reach: Literal["cache", "network"]) -> Path:
    """The folder of a hub model at a commit, all that is ever loaded of it.

    Raises ModelError when it cannot be had or holds no safetensors.
    """
    folder = snapshot(name, sha, reach, WEIGHTS, *SMALL)
    assert folder is not None, "only planning leaves it out"
    if not list(folder.rglob(WEIGHTS)):
        raise ModelError(
            f"{name}: holds no .safetensors file; pickled weights can run code and are not "
            "loaded: convert them"
        )
    return folder


_LOG_IN = "ask for access on its page, then log in: `hf auth login`"
_WHY = {
    "GatedRepoError": f"the hub wants its terms accepted; {_LOG_IN}",
    "RepositoryNotFoundError": f"the hub has no such repository, or a private one; {_LOG_IN}",
    "OfflineModeIsEnabled": "HF_HUB_OFFLINE is set; unset it",
    "RevisionNotFoundError": "the hub has no such revision of it; name another",
}


def _why(error: Exception) -> str:
    kind, number = type(error).__name__, getattr(error, "errno", None)
    if number:
        return f"cannot be kept here: {os.strerror(number)}"
    return _WHY.get(kind, f"the hub cannot be reached ({kind})")
