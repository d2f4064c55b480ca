"""What two models must share to be one before and after unlearning, read from their files alone."""

import json
from dataclasses import dataclass
from pathlib import Path

from di_bench import hub
from di_bench.errors import ModelError
from di_bench.hub import Reach
from di_bench.model import ModelSpec, is_folder, parted
from di_bench.size import size
from di_bench.spec import Tree

CONFIG = "config.json"


@dataclass(frozen=True)
class Shape:
    """What must agree for two models to be one before and after unlearning."""

    kind: str
    hidden: int
    layers: int
    vocabulary: int

    def __str__(self) -> str:
        """As a complaint names it."""
        return f"{self.kind} of {self.layers} layers of {self.hidden}, vocabulary {self.vocabulary}"


def shape_of(spec: ModelSpec, reach: Reach) -> Shape | None:
    """Of a model of a suite: its given target's, or its own. None if it is not here yet."""
    if spec.builtin:
        built = size(spec.id)
        return Shape("llama", built.hidden, built.layers, built.vocabulary)
    revision = f"@{spec.revision}" if spec.revision else ""
    return of(spec.target or (spec.id if spec.local else spec.id + revision), reach)


def of(model: str, reach: Reach) -> Shape | None:
    """The shape of a folder or of `id@commit`; None if there is none, or not on this machine."""
    if not model:
        return None
    if is_folder(model):
        return shape_in(Path(model).expanduser())
    name, revision = parted(model)
    sha = hub.commit("models", name, reach, revision)
    folder = hub.snapshot(name, sha, reach, *hub.SMALL) if sha else None
    return shape_in(folder) if folder else None


def shape_in(folder: Path) -> Shape:
    """From `config.json`, by the names that architectures have for it. Raises ModelError."""
    config = read_json(folder / CONFIG)
    config = config.get("text_config") or config

    def first(*names: str) -> int:
        found = [config[name] for name in names if isinstance(config.get(name), int)]
        if not found:
            raise ModelError(f"{folder / CONFIG}: says no {names[0]}; give a whole checkpoint")
        return int(found[0])

    return Shape(
        str(config.get("model_type", "model")),
        first("hidden_size", "n_embd", "d_model"),
        first("num_hidden_layers", "n_layer", "num_layers"),
        first("vocab_size"),
    )


def read_json(path: Path) -> Tree:
    """A file that holds an object. Raises ModelError for any other."""
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read as JSON: {error}") from error
    if not isinstance(tree, dict):
        raise ModelError(f"{path}: must hold an object")
    return tree


def words(path: Path) -> dict[str, int]:
    """The vocabulary of a tokenizer's file: a mapping, or pairs of word and score in order."""
    found = read_json(path).get("model", {}).get("vocab", {})
    if isinstance(found, dict):
        return found
    return {str(pair[0]): at for at, pair in enumerate(found)}
