"""What decoding mixes and what weights are moved by: against plain formulas and by hand."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from di_bench import adapt, losses
from di_bench.lm import LM
from di_bench.model import Peft
from tests.case import Case, made, same, tensor
from tests.conftest import load

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")


@pytest.fixture
def case(lm: LM) -> Case:
    return made(lm)


@pytest.mark.parametrize("alpha", [0.0, 1.0, 5.0])
def test_generic_takes_off_what_training_added_and_adds_nothing(case: Case, alpha: float) -> None:
    start, strong = case.lm.logits(case.batch).detach(), case.teacher
    z, more = start.double().numpy(), strong.double().numpy()
    got = losses.generic(start, strong, alpha)
    same(got, z - alpha * np.maximum(more - z, 0))
    assert (got <= start).all()


def test_generic_by_hand() -> None:
    same(losses.generic(tensor([1.0, 2.0, 3.0]), tensor([2.0, 1.0, 3.0]), 5.0), [-4, 2, 3])


def test_dampened_mixes_probabilities_and_not_logits(case: Case) -> None:
    p = np.exp(np.concatenate(case.now))
    got = losses.dampened(case.lm.logits(case.batch), 0.6)
    same(got.exp(), 0.6 * p + 0.4 / p.shape[-1])
    same(got.exp().sum(-1), np.ones(len(p)))
    by_hand = losses.dampened(tensor(np.log([0.5, 0.3, 0.2])), 0.4)
    same(by_hand.exp(), [0.4, 0.32, 0.28])


def test_dampened_by_nothing_is_the_model_and_by_everything_is_even() -> None:
    z = tensor([2.0, 0.0, 1.0])
    same(losses.dampened(z, 1.0), z.log_softmax(-1).double().numpy())
    same(losses.dampened(z, 0.0), np.full(3, -np.log(3)))


def test_an_even_assistant_changes_nothing(case: Case) -> None:
    z = case.lm.logits(case.batch).detach()
    for level in (0.0, 7.0):
        assert_close(losses.offset(z, torch.full_like(z, level), -0.8, 0.01), z)


def test_offset_follows_its_formula_above_the_bar_and_leaves_the_rest(case: Case) -> None:
    z = case.lm.logits(case.batch).detach()
    own = np.concatenate(case.now)
    other = np.concatenate(case.start)
    high = np.exp(own) >= 0.01 * np.exp(own).max(-1, keepdims=True)
    assert high.any()
    assert not high.all()
    moved = -0.8 * (other + np.log(own.shape[-1]))
    got = losses.offset(z, case.teacher, -0.8, 0.01)
    np.testing.assert_allclose((got - z).double().numpy(), np.where(high, moved, 0), atol=2e-5)


def test_offset_by_hand() -> None:
    z, assistant = tensor(np.log([1.0, 0.5, 0.001])), tensor(np.log([0.6, 0.3, 0.1]))
    wanted = [-0.8 * np.log(1.8), np.log(0.5) - 0.8 * np.log(0.9), np.log(0.001)]
    same(losses.offset(z, assistant, -0.8, 0.01), wanted)
    same(losses.offset(z, assistant + 3, -0.8, 0.01), wanted)  # by its odds, not its scale


def moved(lm: LM) -> None:
    torch.manual_seed(3)
    with torch.no_grad():
        for p in lm.model.parameters():
            if p.requires_grad:
                p.add_(torch.randn_like(p), alpha=0.1)


@pytest.mark.parametrize("factor", [-1.0, -5.0, 0.5, 1.0])
def test_extrapolation_moves_by_the_difference_of_weights(tiny: Path, factor: float) -> None:
    """Public code negates the weights themselves."""
    lm = adapt.trainable(load(tiny), None, 0)
    start = adapt.trained(lm)
    moved(lm)
    learnt = adapt.trained(lm)
    assert adapt.extrapolate(lm, start, factor) is lm
    wanted = {k: v + factor * (learnt[k] - v) for k, v in start.items()}
    assert_close(adapt.trained(lm), wanted, rtol=0, atol=0)


@pytest.mark.parametrize("factor", [-1.0, -5.0])
def test_extrapolation_under_an_adapter_negates_its_product(tiny: Path, factor: float) -> None:
    """Negating A and B both would leave the product as it was."""
    lm = adapt.trainable(load(tiny), Peft(rank=4, alpha=8), 0)
    start = adapt.trained(lm)
    moved(lm)
    learnt = adapt.trained(lm)
    now = adapt.trained(adapt.extrapolate(lm, start, factor))
    pairs = [(k, k.replace("lora_A", "lora_B")) for k in start if "lora_A" in k]
    assert len(pairs) == 14
    for a, b in pairs:
        product = learnt[b] @ learnt[a]
        assert product.abs().max() > 0.01
        assert_close(now[b] @ now[a], factor * product, rtol=1e-5, atol=1e-6)
