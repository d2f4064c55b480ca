"""Losses that prefer one answer to another, or dislike one, against plain NumPy formulas."""

import numpy as np
import pytest
import torch

from di_bench import losses
from di_bench.lm import LM
from tests.case import BETA, Case, answers, learnt, made, same, sums, tensor, told


@pytest.fixture
def case(lm: LM) -> Case:
    return made(lm)


def test_npo_follows_its_published_formula_and_sign(case: Case) -> None:
    """(2 / beta) log(1 + (p / p0) ** beta), Zhang et al., 2024, equation 3."""
    now, start = sums(case, case.now), sums(case, case.start)
    wanted = 2 / BETA * np.log1p(np.exp(BETA * (now - start))).sum() / case.batch.sequences
    same(losses.npo(tensor(now), tensor(start), BETA, case.batch), wanted)
    known, forgotten = (
        losses.npo(tensor(now + by), tensor(now), BETA, case.batch) for by in (1, -1)
    )
    assert known > forgotten


def test_npo_of_a_small_beta_is_gradient_ascent(case: Case) -> None:
    """Its gradient goes to that of the summed log-probability (Zhang et al., 2024)."""
    start = losses.sequence_logprob(case.lm, case.batch).detach()
    now = start.clone().requires_grad_(True)
    losses.npo(now, start, 1e-3, case.batch).backward()  # type: ignore[no-untyped-call]  # torch's
    assert now.grad is not None
    same(now.grad, np.full(len(now), 1 / case.batch.sequences))


def test_dpo_prefers_the_better_with_two_over_beta(case: Case) -> None:
    better, worse = sums(case, case.now), sums(case, case.start)
    margin = BETA * (better - worse)
    wanted = 2 / BETA * np.log1p(np.exp(-margin)).sum() / case.batch.sequences
    same(losses.dpo(tensor(better), tensor(worse), BETA, case.batch), wanted)
    right = losses.dpo(tensor(better + 1), tensor(better), BETA, case.batch)
    assert right < losses.dpo(tensor(better), tensor(better + 1), BETA, case.batch)


def test_npo_and_dpo_of_one_answer_by_hand() -> None:
    batch = answers([1])
    same(losses.npo(tensor([-1.0 + np.log(3)]), tensor([-1.0]), 1.0, batch), 2 * np.log(4))
    same(losses.dpo(tensor([np.log(2)]), tensor([0.0]), 2.0, batch), np.log(1.25))


def test_answer_nll_is_the_mean_over_each_answers_own_tokens(case: Case) -> None:
    means = [-one.mean() for one in case.chosen(case.now)]
    same(losses.answer_nll(case.lm, case.batch), means)


def test_answer_probability_is_the_mean_of_probabilities(case: Case) -> None:
    """Neither the exponential of the mean log-probability nor the answer's own probability."""
    chosen = case.chosen(case.now)
    got = losses.answer_probability(case.lm, case.batch)
    same(got, [np.exp(one).mean() for one in chosen])
    assert (got.detach().numpy() - np.exp([one.mean() for one in chosen]) > 1e-3).any()


@pytest.mark.parametrize("delta", [0.0, 1.0])
def test_simnpo_follows_its_published_formula_and_sign(case: Case, delta: float) -> None:
    """-(2 / beta) log sigmoid(-(beta / |y|) log p - gamma), Fan et al., 2024."""
    beta = 2.5
    gamma = beta * delta  # the paper's margin
    means = np.array([one.mean() for one in case.chosen(case.now)])
    wanted = 2 / beta * np.log1p(np.exp(beta * means + gamma)).sum() / case.batch.sequences
    known = losses.answer_nll(case.lm, case.batch)
    same(losses.simnpo(known, beta, delta, case.batch), wanted)
    assert losses.simnpo(known + 1, beta, delta, case.batch) < wanted


def test_simnpo_of_one_answer_by_hand() -> None:
    """A margin that is not multiplied by beta would give ln 1.5."""
    batch, lm = answers([0, 0]), told([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]])
    mean = losses.answer_nll(lm, batch)
    same(mean, [np.log(2)])
    same(losses.simnpo(mean, 2.0, 0.0, batch), np.log(1.25))
    loss = losses.simnpo(mean, 2.0, np.log(2), batch)
    same(loss, np.log(2))
    same(learnt(lm, loss), [[0.25, -0.15, -0.1]] * 2)  # not of the sum, which would be twice that


def test_flat_follows_its_published_formula_and_sign(case: Case) -> None:
    good = np.linspace(0.1, 0.9, 5)
    known = np.array([np.exp(one).mean() for one in case.chosen(case.now)])
    wanted = (-np.tanh(good) / 2 + np.tanh(known) / 2).sum() / case.batch.sequences
    forget = losses.answer_probability(case.lm, case.batch)
    same(losses.flat(tensor(good), forget, case.batch), wanted)


def test_flat_of_two_answers_by_hand() -> None:
    """Of probabilities: tanh of a mean NLL would give -.0084 here."""
    refusal, answer = answers([1]), answers([0, 2])
    good, known = told([[0.5, 0.3, 0.2]]), told([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]])
    p = losses.answer_probability(known, answer)
    same(p, [0.35])
    loss = losses.flat(losses.answer_probability(good, refusal), p, answer)
    same(loss, 0.0225315)
    slope = (1 - np.tanh(0.35) ** 2) / 4  # half of tanh, half of a mean of two tokens
    same(learnt(known, loss)[:, 0], [slope * 0.25, slope * -0.1])


def test_parts_of_a_step_add_up_to_its_preference() -> None:
    known = tensor([0.3, 0.9, 2.0])
    batch = answers([0], [1], [2])
    whole = losses.simnpo(known, BETA, 0.5, batch), losses.flat(known, known / 2, batch)
    parts = [
        (losses.simnpo(one, BETA, 0.5, batch), losses.flat(one, one / 2, batch))
        for one in (known[:1], known[1:2], known[2:])
    ]
    same(torch.stack([a for a, _ in parts]).sum(), whole[0].item())
    same(torch.stack([b for _, b in parts]).sum(), whole[1].item())
