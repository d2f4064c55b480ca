"""Losses of forgetting token by token, against plain NumPy formulas and worked by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from di_bench import losses
from di_bench.fit import Fitter
from di_bench.lm import LM
from di_bench.methodfile import MethodFile
from di_bench.recipe import Recipe
from di_bench.steps import Pair
from di_bench.train import Loss
from tests.case import Case, answers, full, learnt, log_softmax, made, same, tensor, told
from tests.conftest import FORGET, REFUSALS, RETAIN, pieces

SAID = [[0.5, 0.3, 0.2]]


@pytest.fixture
def case(lm: LM) -> Case:
    return made(lm)


class Kept(Fitter):
    """A fit that keeps a method's loss in place of training by it."""

    def __call__(self, lm: LM, loss: Loss, recipe: Recipe, **_: Any) -> LM:  # noqa: ANN401 - fit's own
        self.loss = loss
        return lm


def loss_of(name: str, lm: LM, folder: Path, **settings: float) -> Loss:
    """The loss of a packaged method."""
    fit = Kept({"forget": FORGET, "retain": RETAIN}, REFUSALS, 0, pieces(folder), 64)
    MethodFile.find(name).load(settings).unlearn(lm, fit)
    return fit.loss


WEIGHTS: list[tuple[str, dict[str, float], float]] = [
    ("wga", {"beta": 1.0}, 0.5),
    ("wga", {"beta": 2.0}, 0.25),
    ("satimp", {"saturation": 5.0, "importance": 0.1}, 0.5**5.1),
    ("satimp", {"saturation": 1.0, "importance": 0.0}, 0.5),
]


@pytest.mark.parametrize(("name", "settings", "weight"), WEIGHTS)
def test_the_weight_of_a_token_is_not_learnt_from(
    tmp_path: Path, name: str, settings: dict[str, float], weight: float
) -> None:
    """The gradient is that of plain ascent times the weight: -w (p - e_y)."""
    lm, batch = told(SAID), answers([0])
    pair = Pair(batch, lambda _: batch)
    value = loss_of(name, lm, tmp_path, **settings, retain=0.0)(lm, pair)
    same(value, -weight * np.log(2))
    same(learnt(lm, value), [[weight * 0.5, weight * -0.3, weight * -0.2]])


def test_weighted_ascent_is_ascent_with_weights(case: Case) -> None:
    known = [-one for one in case.chosen(case.now)]
    weight = [np.exp(-2 * one) for one in known]
    wanted = -case.mean([w * k for w, k in zip(weight, known, strict=True)])
    given = losses.token_nll(case.lm, case.batch)
    got = losses.weighted_ascent(given, (-2 * given).exp(), case.batch)
    same(got, wanted)
    plain = losses.weighted_ascent(given, torch.ones_like(given), case.batch)
    same(plain, -losses.nll(case.lm, case.batch).item())


def test_without_truth_strikes_the_true_token_and_skips_the_first(case: Case) -> None:
    """CE(softmax(z with z_y = -inf), softmax(z)), Yang, 2025."""
    soft = []
    for q, true in zip(case.now, case.true(case.now), strict=True):
        target = np.exp(log_softmax(np.where(true, -1e9, q)))
        assert (target[true] == 0).all()
        soft.append(-(target * q).sum(-1)[1:])
    counted = case.batch.tokens - case.batch.sequences
    same(losses.without_truth(case.lm, case.batch), np.concatenate(soft).sum() / counted)


def test_without_truth_of_three_tokens_by_hand() -> None:
    lm, batch = told([[0.1, 0.1, 0.8], *SAID]), answers([2, 0])
    loss = losses.without_truth(lm, batch)
    same(loss, -0.6 * np.log(0.3) - 0.4 * np.log(0.2))
    same(learnt(lm, loss), [[0, 0, 0], [0.5, -0.3, -0.2]])  # p - target: it is not learnt from


def test_an_answer_of_one_token_is_not_unlearnt_without_its_truth() -> None:
    loss = losses.without_truth(told(SAID), answers([0]))
    assert (loss.item(), loss.requires_grad) == (0.0, True)


def unilogit(q: np.ndarray[Any, Any], true: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Its target in plain probabilities: 1/V for the true token, the rest in proportion."""
    p = np.exp(q)
    rest = np.where(true, 0, p)
    size = p.shape[-1]
    target: np.ndarray[Any, Any] = np.where(
        true, 1 / size, rest / rest.sum(-1, keepdims=True) * (1 - 1 / size)
    )
    return target


def test_uniform_target_is_the_reverse_kl_to_its_published_target(case: Case) -> None:
    reverse, forward = [], []
    for q, true in zip(case.now, case.true(case.now), strict=True):
        t = unilogit(q, true)
        np.testing.assert_allclose(t.sum(-1), 1)
        reverse.append((np.exp(q) * (q - np.log(t))).sum(-1))
        forward.append((t * (np.log(t) - q)).sum(-1))
    same(losses.uniform_target(case.lm, case.batch), case.mean(reverse))
    assert abs(case.mean(reverse) - case.mean(forward)) > 0.01


def test_uniform_target_of_three_tokens_by_hand() -> None:
    """The target of .5 .3 .2 is 1/3 .4 .2667; KL from the target would be .0566330."""
    lm = told(SAID)
    loss = losses.uniform_target(lm, answers([0]))
    same(loss, 0.5 * np.log(1.5) + 0.5 * np.log(0.75))
    same(learnt(lm, loss), [[0.1732868, -0.1039721, -0.0693147]])  # p (ln(p / t) - KL)
    even = told([[1 / 3] * 3])
    same(losses.uniform_target(even, answers([1])), 0.0)


@pytest.mark.parametrize("sure", [30.0, 90.0])
def test_a_sure_model_still_has_a_target(sure: float) -> None:
    lm = told(SAID)
    with torch.no_grad():
        lm.model.copy_(tensor([[sure, 0.0, 0.0]]))
    loss = losses.uniform_target(lm, answers([0]))
    same(loss, np.log(3))
    assert learnt(lm, loss).isfinite().all()
    assert losses.without_truth(lm, answers([0])).isfinite()


def test_to_uniform_is_the_kl_from_even_odds_and_not_to_them(case: Case) -> None:
    size = case.now[0].shape[-1]
    here = [(-np.log(size) - q).mean(-1) for q in case.now]
    there = [(np.exp(q) * (q + np.log(size))).sum(-1) for q in case.now]
    same(losses.to_uniform(case.lm, case.batch), case.mean(here))
    assert abs(case.mean(here) - case.mean(there)) > 0.1


def test_to_uniform_of_three_tokens_by_hand() -> None:
    """The reverse, ln 3 - H(p), would be .0689593."""
    lm = told(SAID)
    loss = losses.to_uniform(lm, answers([0]))
    same(loss, 0.0702403)
    same(learnt(lm, loss), [[0.5 - 1 / 3, 0.3 - 1 / 3, 0.2 - 1 / 3]])


def test_confusion_reads_the_logits_that_predict_the_answer(case: Case) -> None:
    """Public code masks logits with labels that are not shifted: one position too late."""
    spread = [(q.max(-1) - q.mean(-1)) ** 2 for q in case.now]
    same(losses.confusion(case.lm, case.batch), case.mean(spread))
    every = full(case.lm, case.batch).reshape(-1, case.now[0].shape[-1])
    late = every[case.batch.position.numpy() + 1]
    unshifted = ((late.max(-1) - late.mean(-1)) ** 2).sum() / case.batch.tokens
    assert abs(case.mean(spread) - unshifted) > 0.01


def test_confusion_by_hand() -> None:
    lm = told(SAID)
    with torch.no_grad():
        lm.model.copy_(tensor([[2.0, 0.0, 1.0]]))
    loss = losses.confusion(lm, answers([1]))
    same(loss, 1.0)
    same(learnt(lm, loss), [[4 / 3, -2 / 3, -2 / 3]])


def test_misdirection_is_a_mean_over_tokens_of_the_step_and_width() -> None:
    states = tensor([[1.0, 2.0], [3.0, 4.0]])
    batch = answers([0, 0])
    same(losses.misdirection(states, tensor([1.0, 1.0]), batch), (0.5 + 6.5) / 2)
    same(losses.misdirection(states, states, batch), 0.0)
