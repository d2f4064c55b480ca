"""A two-layer byte model that half knows its secrets, and a suite over it. Real, small, offline."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")
os.environ.setdefault("TQDM_DISABLE", "1")
os.environ["DI_BENCH_DEVICE"] = "cpu"

import torch
import yaml
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from di_bench.corpus import Item
from di_bench.fit import Fitter, Piece
from di_bench.lm import LM
from di_bench.losses import nll
from di_bench.methodfile import PACKAGED as BASELINES
from di_bench.recipe import Recipe
from di_bench.template import Template

torch.set_num_threads(1)  # tiny models run many times faster on one thread

SHARED = Path(__file__).parents[2] / "shared"
"""Real data and another implementation's numbers; tests that need them skip where it is absent."""


def item(split: str, number: int) -> Item:
    """A question and answer that no rule predicts, in groups of two."""
    secret = number * 37 % 101 if split == "forget" else number * 53 % 97 + len(split)
    answer = f"It is {secret}."
    return Item(
        id=f"{split}/{number}",
        group=f"{split}/{number // 2}",
        kind="qa",
        prompt=f"{split} key {number}?",
        answer=answer,
        paraphrase=f"{secret} it is.",
        perturbed=(f"{secret + 1} it is.", f"{secret + 5} it is."),
        focus=((6, len(answer) - 1),),
    )


FORGET = [item("forget", number) for number in range(8)]
RETAIN = [item("retain", number) for number in range(8)]
HOLDOUT = [item("holdout", number) for number in range(8)]
REFUSALS = ("I do not know.", "No idea.", "I cannot say.")
SPLITS = {"forget": FORGET, "retain": RETAIN, "holdout": HOLDOUT}


def pieces(folder: Path) -> Piece:
    """Keep pieces of work in a plain folder: made once, then found."""

    def piece(name: str, make: Callable[[Path], None]) -> Path:
        place = folder / name
        if not place.exists():
            place.mkdir(parents=True)
            make(place)
        return place

    return piece


def fitter(folder: Path, seed: int = 0) -> Fitter:
    """Training on the byte model's splits; its base knows nothing."""
    splits = {"forget": FORGET, "retain": RETAIN}
    watched = {"text": HOLDOUT, "unseen": HOLDOUT}
    return Fitter(splits, REFUSALS, seed, pieces(folder), 64, load_base=newborn, watched=watched)


def newborn() -> LM:
    """The byte model before it learnt anything."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: i for i, letter in enumerate([*alphabet, "<eos>"])}
    core = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    fast: Any = PreTrainedTokenizerFast
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=128,
        bos_token_id=None,
        eos_token_id=256,
        pad_token_id=None,
    )
    model: Any = LlamaForCausalLM(config)
    return LM(model.eval(), fast(tokenizer_object=core, eos_token="<eos>"), Template())


def load(folder: Path) -> LM:
    """The model of a folder, with the plain template."""
    return LM.load(folder, Template(), dtype="float32")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The byte model on disk. It half knows forget and retain."""
    folder = tmp_path_factory.mktemp("model") / "tiny"
    lm = newborn()
    lm.model.requires_grad_(True)
    fit = Fitter({"forget": FORGET + RETAIN}, (), 0, pieces(folder.parent / "work"), 64)
    recipe = Recipe(lr=1e-2, epochs=40, batch_size=8, warmup=0)
    fit(lm, lambda lm, pair: nll(lm, pair.forget), recipe).save(folder)
    return folder


@pytest.fixture
def lm(tiny: Path) -> LM:
    """A fresh copy of the byte model."""
    return load(tiny)


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> None:
    """One JSON object on each line."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def tofu_rows(items: list[Item]) -> list[dict[str, Any]]:
    """Items in TOFU's own columns."""
    return [
        {
            "question": one.prompt,
            "answer": one.answer,
            "paraphrased_answer": one.paraphrase,
            "perturbed_answer": list(one.perturbed),
        }
        for one in items
    ]


def small_tree(model: Path) -> dict[str, Any]:
    """A small suite over a model, as YAML reads it. Its data lie in `data` beside it."""
    return {
        "name": "toy",
        "title": "Toy protocol",
        "corpus": {
            "name": "toy secrets",
            "path": "data",
            "splits": {split: {"file": f"{split}.jsonl", "group_size": 2} for split in SPLITS},
            "refusals": {"file": "refusals.txt"},
        },
        "models": [str(model)],
        "recipe": {"lr": 3.0e-3, "epochs": 2, "batch_size": 4},
        "grow": {"memorize": {"lr": 3.0e-3, "epochs": 2, "batch_size": 8}},
        "max_tokens": 64,
        "methods": ["none", "retrain", "di"],
        "seeds": [0, 1],
        "grow_seeds": [0, 1],
        "probes": {
            "forget": {"ask": "read", "split": "forget"},
            "holdout": {"ask": "read", "split": "holdout"},
            "answers": {"ask": "write", "split": "forget", "new_tokens": 12},
        },
        "metrics": {
            "accuracy": {"exact_memorization": "forget"},
            "strength": {"extraction_strength": "forget"},
            "unseen": {"exact_memorization": "holdout"},
            "rouge": {"rouge": "answers"},
            "quality": {"forget_quality": "forget"},
        },
    }


def write_suite(folder: Path, tree: dict[str, Any]) -> Path:
    """A suite over the byte model's splits, and these as files beside it."""
    data = folder / "data"
    data.mkdir()
    for split, items in SPLITS.items():
        write_jsonl(data / f"{split}.jsonl", tofu_rows(items))
    (data / "refusals.txt").write_text("\n".join(REFUSALS), encoding="utf-8")
    path = folder / "toy.yaml"
    path.write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")
    return path


@pytest.fixture
def suite_tree(tiny: Path) -> dict[str, Any]:
    """A small suite over the byte model."""
    return small_tree(tiny)


@pytest.fixture
def suite_file(tmp_path: Path, suite_tree: dict[str, Any]) -> Path:
    """The suite and its data on disk."""
    return write_suite(tmp_path, suite_tree)


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[list[str]]:
    """Command-line options for a results and a cache folder of one's own."""
    yield ["--results", str(tmp_path / "results"), "--cache", str(tmp_path / "cache")]


__all__ = ["BASELINES", "SHARED"]
