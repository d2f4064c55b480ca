"""What training and asking gave when they were recorded: a change of numbers cannot hide.

If a trajectory moves, committed results no longer belong to this code: raise TRAINING in
lineage.py, record the new numbers here, and say in the changelog under Results what changed and
why. If only the transcript moves, the same goes for ASKING in run.py. If neither was meant to
move, a refactor went wrong.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from di_bench import adapt, grow, probe
from di_bench.asks import Read, Write
from di_bench.corpus import Item
from di_bench.fit import Fitter
from di_bench.lm import LM
from di_bench.methodfile import MethodFile
from di_bench.model import Peft
from di_bench.recipe import Recipe
from di_bench.template import Template
from tests.conftest import pieces

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")

GROW = Recipe(5e-3, 8, 6, weight_decay=0.01, betas=(0.9, 0.999), warmup=1, clip=1.0)
RECIPE = asdict(Recipe(1e-3, 3, 3, 2, 0.01, (0.9, 0.999), 0.5, "linear", 1.0))
SETTINGS: dict[str, dict[str, float]] = {
    "di": {"strength": 10.0},
    "di_retain": {"strength": 10.0, "retain": 1.0},
    "dpo": {"beta": 0.1, "retain": 1.0},
    "ga": {},
    "gd": {"forget": 1.0, "retain": 1.0},
    "kl": {"retain": 1.0},
    "npo": {"beta": 0.1, "retain": 1.0},
}
REFUSALS = ("I do not know.", "Nobody told me.")

GROWN = (6.225823, 3.585663, 2.321971, 1.771476)
REHEARSED = (6.468439, 4.583671, 3.564009, 3.038856)
CURVES = {
    "di": (5.072467, 5.017353, 4.988212),
    "di_retain": (6.698104, 6.692003, 6.539627),
    "dpo": (14.37397, 8.086142, 5.399055),
    "ga": (-1.595866, -1.932498, -2.285219),
    "gd": (0.04380795, -0.01779753, -0.1808567),
    "kl": (-1.592828, -1.829661, -2.050448),
    "npo": (15.32394, 12.25392, 9.64553),
}
LORA_CURVE = (5.079076, 5.072194, 5.063245)
LOGPROBS = (
    -4.865382, -5.825344, -7.458609, -5.253741, -7.572934, -6.257599,
    -9.930938, -6.756731, -7.658338, -5.935427, -4.491391, -6.614349,
)  # fmt: skip
ENTROPIES = (
    4.755604, 4.107169, 4.4849, 4.662025, 4.395866, 4.368678,
    4.686085, 4.59936, 4.394567, 4.659895, 4.345973, 4.55608,
)  # fmt: skip
VARIANCES = (
    1.362099, 2.985043, 1.873846, 1.595407, 2.078884, 2.172646,
    1.472767, 1.54385, 2.044128, 1.507515, 2.147768, 1.669889,
)  # fmt: skip
GREEDY = (
    151, 91, 193, 105, 96, 91,
    200, 239, 253, 38, 130, 239,
)  # fmt: skip


def items(split: str, facts: str) -> list[Item]:
    return [
        Item(f"{split}/{word}", split, "qa", f"Where is {word}?", f"In box {n * n + len(split)}.")
        for n, word in enumerate(facts.split())
    ]


FORGET = items("forget", "ink jam key lid mug")
RETAIN = items("retain", "nut oil pen rug saw tin")


def newborn(tokenizers: Path) -> LM:
    """A byte model with weights from a fixed seed, far enough from even odds to have opinions."""
    loader: Any = AutoTokenizer
    torch.manual_seed(1234)
    config = LlamaConfig(
        vocab_size=257,
        hidden_size=24,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=96,
        initializer_range=0.3,
        bos_token_id=None,
        eos_token_id=256,
        pad_token_id=None,
    )
    made: Any = LlamaForCausalLM(config)
    return LM(made.eval(), loader.from_pretrained(tokenizers), Template())


def trained(lm: LM, folder: Path) -> Fitter:
    """Show a newborn everything. What that did to it is the fitter's first training."""
    fit = Fitter({"forget": FORGET + RETAIN}, (), 5, pieces(folder / "grown"), 48)
    grow.learn(lm, fit, GROW)
    return fit


def curve(lm: LM, name: str, folder: Path, peft: Peft | None = None) -> tuple[float, ...]:
    """The mean loss of each epoch of a method."""
    trained(lm, folder)
    fit = Fitter({"forget": FORGET, "retain": RETAIN}, REFUSALS, 5, pieces(folder), 48)
    method = MethodFile.find(name).load(SETTINGS[name] | {"recipe": RECIPE})
    method.unlearn(adapt.trainable(lm, peft, 5), fit)
    (training,) = fit.trainings
    return training.curve


def test_growing_gives_the_recorded_losses(tiny: Path, tmp_path: Path) -> None:
    (training,) = trained(newborn(tiny), tmp_path).trainings
    assert training.curve[::2] == pytest.approx(GROWN, rel=1e-4, abs=1e-5)


def test_growing_with_rehearsal_gives_the_recorded_losses(tiny: Path, tmp_path: Path) -> None:
    splits = {"forget": FORGET, "retain": RETAIN}
    fit = Fitter(splits, (), 5, pieces(tmp_path), 48, keep=0.5, pool=2)
    grow.learn(newborn(tiny), fit, GROW)
    assert fit.trainings[0].curve[::2] == pytest.approx(REHEARSED, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("name", CURVES)
def test_training_gives_the_recorded_losses(tiny: Path, tmp_path: Path, name: str) -> None:
    assert curve(newborn(tiny), name, tmp_path) == pytest.approx(CURVES[name], rel=1e-4, abs=1e-5)


def test_training_an_adapter_gives_the_recorded_losses(tiny: Path, tmp_path: Path) -> None:
    lora = Peft(rank=4, alpha=8)
    assert curve(newborn(tiny), "di", tmp_path, lora) == pytest.approx(
        LORA_CURVE, rel=1e-4, abs=1e-5
    )


def test_reading_gives_the_recorded_numbers(tiny: Path) -> None:
    asked = Read(ask="read", split="forget")
    row = probe.read(newborn(tiny), asked, FORGET, 48, lambda _: None)[2]
    assert row.logprobs == pytest.approx(LOGPROBS, rel=1e-4, abs=1e-5)
    assert row.entropies == pytest.approx(ENTROPIES, rel=1e-4, abs=1e-5)
    assert row.variances == pytest.approx(VARIANCES, rel=1e-4, abs=1e-5)


def test_writing_gives_the_recorded_tokens(tiny: Path) -> None:
    asked = Write(ask="write", split="forget", new_tokens=12)
    row = probe.write(newborn(tiny), asked, FORGET, 0, lambda _: None)[2]
    assert row.answer_ids == GREEDY
