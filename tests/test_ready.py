"""A model made ready for training: what saves memory changes no number, and small weights learn."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from di_bench import adapt
from di_bench.lm import LM
from di_bench.losses import nll
from di_bench.methodfile import MethodFile
from di_bench.model import Peft
from di_bench.ready import ready
from di_bench.recipe import Recipe
from di_bench.steps import Pair
from di_bench.template import Template
from tests.conftest import FORGET, fitter, load

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")

SHORT = Recipe(lr=1e-3, epochs=2, batch_size=4, warmup=0)
LORA = Peft(rank=4, alpha=8, dropout=0.5)


def ordinary(lm: LM, pair: Pair) -> Tensor:
    return nll(lm, pair.forget)


def weights(lm: LM) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in lm.model.named_parameters()}


def gradients(lm: LM, recipe: Recipe) -> tuple[dict[str, Tensor], int]:
    """Gradients of two readings of forget at once, and how often the layers ran for them."""
    batch = lm.batch([lm.encode(item) for item in FORGET])
    runs: list[int] = []
    layer = next(m for name, m in lm.inner.named_modules() if name.endswith("layers.0.mlp"))
    handle = layer.register_forward_pre_hook(lambda *_: runs.append(1))
    with ready(lm, recipe) as it:
        it.lm.model.train()
        torch.manual_seed(0)
        value: Any = nll(it.lm, batch) - it.lm.hidden(batch, 1).square().mean()
        value.backward()
        named = it.lm.model.named_parameters()
        found = {name: p.grad.clone() for name, p in named if p.grad is not None}
    handle.remove()
    return found, len(runs)


@pytest.mark.parametrize("peft", [None, LORA], ids=["full", "lora"])
def test_checkpointing_computes_twice_and_changes_no_gradient(
    tiny: Path, peft: Peft | None
) -> None:
    kept, once = gradients(adapt.trainable(load(tiny), peft, 0), SHORT)
    lm = adapt.trainable(load(tiny), peft, 0)
    again, twice = gradients(lm, replace(SHORT, checkpointing=True))
    assert kept
    assert (once, twice) == (2, 4)
    assert_close(again, kept, rtol=0, atol=0)
    assert not any(getattr(m, "gradient_checkpointing", False) for m in lm.model.modules())
    assert not lm.inner.get_input_embeddings()._forward_hooks  # it makes inputs want gradients


@pytest.mark.parametrize("name", ["gd", "rmu"])
@pytest.mark.parametrize("peft", [None, LORA], ids=["full", "lora"])
def test_a_method_ends_with_the_same_weights_under_checkpointing(
    tiny: Path, tmp_path: Path, name: str, peft: Peft | None
) -> None:
    def trained(recipe: Recipe, folder: str) -> dict[str, Tensor]:
        lm = adapt.trainable(load(tiny), peft, 0)
        method = MethodFile.find(name).load({"recipe": asdict(recipe)})
        return weights(method.unlearn(lm, fitter(tmp_path / folder)))

    found = trained(replace(SHORT, checkpointing=True), "on")
    assert_close(found, trained(SHORT, "off"), rtol=0, atol=0)


def small(folder: Path) -> LM:
    """The byte model in bfloat16, as it would be on a GPU."""
    return LM.load(folder, Template(), dtype="bfloat16")


def test_a_small_model_is_trained_in_float32_and_comes_back(tiny: Path, tmp_path: Path) -> None:
    lm = small(tiny)
    lm.model.requires_grad_(True)
    start = weights(lm)
    buffers = {name: buffer.clone() for name, buffer in lm.model.named_buffers()}
    seen: list[tuple[torch.dtype, bool]] = []

    def loss(lm: LM, pair: Pair) -> Tensor:
        seen.append((lm.model.dtype, torch.is_autocast_enabled("cpu")))
        return ordinary(lm, pair)

    fit = fitter(tmp_path)
    fit(lm, loss, replace(SHORT, epochs=4))
    assert set(seen) == {(torch.float32, True)}
    assert {p.dtype for p in lm.model.parameters()} == {torch.bfloat16}
    assert_close(dict(lm.model.named_buffers()), buffers, rtol=0, atol=0)
    curve = fit.trainings[0].curve
    assert curve[-1] < curve[0]
    assert any(not torch.equal(start[name], now) for name, now in weights(lm).items())
    again = small(tiny)
    fitter(tmp_path)(again, loss, replace(SHORT, epochs=4))  # found: what was kept is the same
    assert_close(weights(again), weights(lm), rtol=0, atol=0)


def test_updates_too_small_for_bfloat16_are_not_lost(tiny: Path, tmp_path: Path) -> None:
    def moved(**change: Any) -> float:  # noqa: ANN401 - fields of Recipe
        lm = small(tiny)
        lm.model.requires_grad_(True)
        start = weights(lm)["lm_head.weight"]
        recipe = Recipe(lr=1e-5, epochs=60, batch_size=8, warmup=0, weight_decay=0, **change)
        fitter(tmp_path)(lm, ordinary, recipe)
        return float((weights(lm)["lm_head.weight"] - start).ne(0).float().mean())

    assert moved() > 0.1  # sixty steps of 1e-5 add up; one alone rounds to nothing


def test_an_adapter_is_float32_over_a_small_model(tiny: Path, tmp_path: Path) -> None:
    lm = adapt.trainable(small(tiny), Peft(rank=4, alpha=8), 0)
    fitter(tmp_path)(lm, ordinary, SHORT)
    kinds = {p.requires_grad: p.dtype for p in lm.model.parameters()}
    assert kinds == {True: torch.float32, False: torch.bfloat16}
