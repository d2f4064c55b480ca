"""Losses against plain NumPy formulas, and nothing learnt from prompts and padding.

Those of imagination stand here; other families have a file of their own.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from di_bench import losses
from di_bench.batch import Batch
from di_bench.lm import LM
from tests.case import BETA, Case, answers, learnt, log_softmax, made, same, sums, tensor, told


@pytest.fixture
def case(lm: LM) -> Case:
    return made(lm)


def test_nll_is_the_mean_over_answer_tokens_of_the_step_and_of_nothing_else(case: Case) -> None:
    per_token = [-one for one in case.chosen(case.now)]
    same(losses.token_nll(case.lm, case.batch), np.concatenate(per_token))
    same(losses.nll(case.lm, case.batch), case.mean(per_token))
    whole = replace(case.batch, tokens=len(case.batch.targets))
    same(losses.nll(case.lm, whole), np.concatenate(per_token).mean())


def test_sequence_logprob_sums_each_answer(case: Case) -> None:
    same(losses.sequence_logprob(case.lm, case.batch), sums(case, case.now))


def test_distil_is_the_cross_entropy_with_the_teacher(case: Case) -> None:
    soft = [-(np.exp(p) * q).sum(-1) for p, q in zip(case.start, case.now, strict=True)]
    same(losses.distil(case.lm, case.teacher, case.batch), case.mean(soft))


def test_distil_against_the_model_itself_is_its_entropy(case: Case) -> None:
    own = case.lm.logits(case.batch).detach()
    entropy = [-(np.exp(p) * p).sum(-1) for p in case.now]
    same(losses.distil(case.lm, own, case.batch), case.mean(entropy))


def test_lowered_takes_strength_off_the_true_token_and_off_no_other(case: Case) -> None:
    taken = case.teacher - losses.lowered(case.teacher, case.batch, 4.0)
    wanted = torch.zeros_like(taken)
    wanted[torch.arange(len(wanted)), case.batch.targets] = 4.0
    torch.testing.assert_close(taken, wanted, rtol=1e-5, atol=1e-5)
    assert torch.equal(losses.lowered(case.teacher, case.batch, 0.0), case.teacher)


def test_imagination_follows_its_published_formula(case: Case) -> None:
    """CE(softmax(z0 - beta e_y), softmax(z)), Dong et al., 2024."""
    soft = []
    for p, q, y in zip(case.start, case.now, case.answers, strict=True):
        target = np.exp(log_softmax(p - 10.0 * np.eye(p.shape[1])[y]))
        soft.append(-(target * q).sum(-1))
    teacher = losses.lowered(case.teacher, case.batch, 10.0)
    same(losses.distil(case.lm, teacher, case.batch), case.mean(soft))


def test_kl_goes_from_the_start_to_the_model(case: Case) -> None:
    pairs = list(zip(case.start, case.now, strict=True))
    forward = case.mean([(np.exp(p) * (p - q)).sum(-1) for p, q in pairs])
    backward = case.mean([(np.exp(q) * (q - p)).sum(-1) for p, q in pairs])
    same(losses.kl(case.teacher, case.lm, case.batch), forward)
    assert abs(forward - backward) > 0.01
    own = case.lm.logits(case.batch).detach()
    same(losses.kl(own, case.lm, case.batch), 0.0)


def test_imagination_of_three_tokens_by_hand() -> None:
    """With ln 5 taken off the true token, .5 .3 .2 becomes 1/6 1/2 1/3."""
    batch, start = answers([0]), tensor(np.log([[0.5, 0.3, 0.2]]))
    teacher = losses.lowered(start, batch, np.log(5))
    same(teacher.softmax(-1), [[1 / 6, 1 / 2, 1 / 3]])
    same(losses.distil(told([[1 / 3] * 3]), teacher, batch), np.log(3))
    lm = told([[0.5, 0.3, 0.2]])
    same(losses.distil(lm, teacher, batch), 1.2539902)
    same(learnt(lm, losses.distil(lm, teacher, batch)), [[1 / 3, -0.2, -2 / 15]])


def test_token_distil_is_distil_before_the_mean(case: Case) -> None:
    soft = [-(np.exp(p) * q).sum(-1) for p, q in zip(case.start, case.now, strict=True)]
    same(losses.token_distil(case.lm, case.teacher, case.batch), np.concatenate(soft))


@pytest.mark.parametrize(("outside", "inside"), [(1.0, 10.0), (0.0, 1.0), (1.0, 1.0)])
def test_focus_is_a_mean_by_the_weights_of_the_whole_step(
    case: Case, outside: float, inside: float
) -> None:
    focus = case.batch.focus.double().numpy()
    assert 0 < focus.sum() < len(focus)
    soft = np.arange(len(focus)) / 7
    weight = np.where(focus == 1, inside, outside)
    whole = outside * (case.batch.tokens - case.batch.focused) + inside * case.batch.focused
    got = losses.focused(tensor(soft), case.batch, outside, inside)
    same(got, (weight * soft).sum() / whole)
    if outside == inside:
        same(got, soft.sum() / case.batch.tokens)


def focus_of(focus: list[float], tokens: int, focused: int) -> Batch:
    return replace(answers([0] * len(focus)), focus=tensor(focus), tokens=tokens, focused=focused)


def test_focus_by_hand() -> None:
    """Public code divides by the number of tokens, which shrinks a step of little focus."""
    soft, batch = tensor([1.0, 2.0, 3.0]), focus_of([0.0, 1.0, 0.0], 3, 1)
    same(losses.focused(soft, batch, 1.0, 10.0), (1 + 20 + 3) / 12)
    same(losses.focused(soft, batch, 0.0, 1.0), 2.0)


def test_a_step_without_focus_is_plain_when_soft_and_nothing_when_hard() -> None:
    soft, batch = tensor([1.0, 2.0, 3.0]).requires_grad_(True), focus_of([0.0] * 3, 3, 0)
    same(losses.focused(soft, batch, 1.0, 10.0), 2.0)
    hard = losses.focused(soft, batch, 0.0, 1.0)
    assert (hard.item(), hard.requires_grad) == (0.0, True)


@pytest.mark.parametrize("outside", [0.0, 1.0])
def test_parts_of_a_step_add_up_to_its_focus(outside: float) -> None:
    soft, focus = tensor([1.0, 2.0, 3.0, 4.0, 5.0]), [1.0, 0.0, 0.0, 1.0, 1.0]
    whole = losses.focused(soft, focus_of(focus, 5, 3), outside, 7.0)
    parts = [
        losses.focused(soft[part], focus_of(focus[part], 5, 3), outside, 7.0)
        for part in (slice(1), slice(1, 3), slice(3, 5))
    ]
    same(torch.stack(parts).sum(), whole.item())


Made = Callable[[Case], Tensor]
LOSSES: dict[str, Made] = {
    "nll": lambda c: losses.nll(c.lm, c.batch),
    "distil": lambda c: losses.distil(c.lm, losses.lowered(c.teacher, c.batch, 10.0), c.batch),
    "soft": lambda c: losses.focused(
        losses.token_distil(c.lm, c.teacher, c.batch), c.batch, 1.0, 10.0
    ),
    "hard": lambda c: losses.focused(
        losses.token_distil(c.lm, c.teacher, c.batch), c.batch, 0.0, 1.0
    ),
    "kl": lambda c: losses.kl(c.teacher, c.lm, c.batch),
    "npo": lambda c: losses.npo(
        losses.sequence_logprob(c.lm, c.batch), tensor(sums(c, c.start)), BETA, c.batch
    ),
    "dpo": lambda c: losses.dpo(
        losses.sequence_logprob(c.lm, c.batch), tensor(sums(c, c.start)), BETA, c.batch
    ),
    "simnpo": lambda c: losses.simnpo(losses.answer_nll(c.lm, c.batch), 2.5, 0.0, c.batch),
    "flat": lambda c: losses.flat(
        tensor(np.zeros(5)), losses.answer_probability(c.lm, c.batch), c.batch
    ),
    "weighted_ascent": lambda c: losses.weighted_ascent(
        losses.token_nll(c.lm, c.batch), torch.linspace(1, 2, len(c.batch.targets)), c.batch
    ),
    "without_truth": lambda c: losses.without_truth(c.lm, c.batch),
    "uniform_target": lambda c: losses.uniform_target(c.lm, c.batch),
    "to_uniform": lambda c: losses.to_uniform(c.lm, c.batch),
    "confusion": lambda c: losses.confusion(c.lm, c.batch),
}


def taught(name: str, batch: Batch) -> Tensor:
    """(N,) which answer tokens a loss learns from."""
    some = {"hard": batch.focus == 1, "without_truth": ~batch.first}
    return some.get(name, torch.ones_like(batch.first))


@pytest.mark.parametrize("name", LOSSES)
def test_nothing_is_learnt_from_a_prediction_in_prompt_or_padding(case: Case, name: str) -> None:
    kept: list[Tensor] = []

    def keep(_: object, args: tuple[Tensor, ...]) -> None:
        args[0].retain_grad()
        kept.append(args[0])

    handle = case.lm.head.register_forward_pre_hook(keep)  # before the choice of positions
    LOSSES[name](case).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    handle.remove()
    (states,) = kept
    assert states.shape[:2] == case.batch.ids.shape
    assert states.grad is not None
    moved = states.grad.abs().sum(-1).reshape(-1)
    predicts = torch.zeros_like(moved, dtype=torch.bool)
    predicts[case.batch.position[taught(name, case.batch)]] = True
    assert (moved[~predicts] == 0).all()
    assert (moved[predicts] > 0).all()
    embedding = case.lm.model.get_input_embeddings().weight.grad
    assert (embedding[7] == 0).all()  # what padding is filled with
    assert (embedding[case.batch.ids[0, 0]] != 0).any()


def test_no_label_is_ever_an_index_from_the_end_of_the_vocabulary(case: Case) -> None:
    """A published implementation took strength off token V - 100 wherever the label was -100."""
    assert case.batch.targets.tolist() == [token for answer in case.answers for token in answer]
    trap = case.lm.model.config.vocab_size - 100
    assert trap not in case.batch.targets
    lowered = losses.lowered(case.teacher, case.batch, 10.0)
    assert torch.equal(lowered[:, trap], case.teacher[:, trap])


def test_logits_of_half_precision_are_reduced_in_single(case: Case) -> None:
    half = LM(case.lm.clone().model.to(torch.bfloat16), case.lm.tokenizer, case.lm.template)
    assert half.logits(case.batch).dtype == torch.float32
    assert losses.nll(half, case.batch).dtype == torch.float32
