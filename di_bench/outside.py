"""Loading a model that was unlearned elsewhere, and refusing one that does not fit.

It is read in the precision and with the prompt format of the suite's model, so that its row stands
beside the others'.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from di_bench import adapt, hub
from di_bench.checkpoint import Checkpoint
from di_bench.errors import ModelError
from di_bench.lineage import base_key
from di_bench.lm import LM, tokenizer
from di_bench.model import is_folder
from di_bench.run import Run
from di_bench.store import Store
from di_bench.template import Template

_VOCABULARY = "tokenizer.json"


def check(given: Checkpoint, run: Run, store: Store) -> None:
    """Fetch what is on a hub. Raises ModelError for another vocabulary than the suite's model has.

    A built-in model that is not grown yet has none: `load` looks again.
    """
    own, base = given.here() / _VOCABULARY, _base(run, store) / _VOCABULARY
    if given.adapter or not own.exists() or not base.exists():
        return
    if _words(own) != _words(base):
        raise ModelError(
            f"{given.label}: its tokenizer has another vocabulary than {run.base.id}'s; their "
            "answers do not compare: name its model with --model"
        )


def load(given: Checkpoint, run: Run, store: Store, target: Callable[[], LM]) -> LM:
    """The model, an adapter on what it goes on. Raises ModelError when it cannot be loaded."""
    check(given, run, store)
    spec, dtype, folder = run.base.spec, run.base.dtype, given.here()
    template = Template(spec.template, spec.system, spec.date)
    if not given.adapter:
        if given.tokenizes:
            return LM.load(folder, template, dtype=dtype)
        home = spec.id if not spec.builtin else str(_base(run, store))
        words = tokenizer(home, spec.revision)
        return LM.load(folder, template, dtype=dtype, words=words)
    if not given.under:
        return adapt.adapted(target(), folder)
    name, revision = given.under, ""
    if not is_folder(name):
        name, _, revision = name.partition("@")
    return adapt.adapted(LM.load(name, template, dtype=dtype, revision=revision or None), folder)


def _base(run: Run, store: Store) -> Path:
    """Where the suite's model lies, or would."""
    spec = run.base.spec
    if spec.builtin:
        return store.path("base", base_key(run.suite, run.base))
    if spec.local:
        return Path(spec.id).expanduser()
    return hub.repository("models", spec.id) / "snapshots" / (spec.revision or "main")


def _words(path: Path) -> dict[str, int]:
    """The vocabulary of a tokenizer's file: a mapping, or pairs of word and score in order."""
    try:
        words = json.loads(path.read_text(encoding="utf-8"))["model"]["vocab"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ModelError(
            f"{path}: cannot be read as a tokenizer ({type(error).__name__})"
        ) from error
    if isinstance(words, dict):
        return words
    return {str(pair[0]): at for at, pair in enumerate(words)}
