"""Losses against plain NumPy formulas, and nothing learnt from prompts and padding."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from di_bench import losses
from di_bench.batch import Batch, pad
from di_bench.lm import LM
from tests.conftest import FORGET, RETAIN

Floats = NDArray[np.float64]
BETA = 0.3


def log_softmax(logits: Floats) -> Floats:
    """Of the last axis, in double precision."""
    top = logits.max(-1, keepdims=True)
    below: Floats = logits - top - np.log(np.exp(logits - top).sum(-1, keepdims=True))
    return below


@dataclass(frozen=True)
class Case:
    """A batch that is part of a larger step, and what two models say about it, in NumPy."""

    lm: LM
    batch: Batch
    teacher: Tensor
    now: list[Floats]
    """For each sequence the (L, V) log-probabilities of its answer's tokens."""
    start: list[Floats]
    """The same of the teacher."""
    answers: list[list[int]]

    def chosen(self, said: list[Floats]) -> list[Floats]:
        """For each sequence the (L,) log-probabilities of its true tokens."""
        return [p[np.arange(len(y)), y] for p, y in zip(said, self.answers, strict=True)]

    def mean(self, per_token: list[Floats]) -> float:
        """Over the answer tokens of the whole step."""
        return float(np.concatenate(per_token).sum() / self.batch.tokens)


def full(lm: LM, batch: Batch) -> Floats:
    """(B, T, V) logits of every position."""
    with torch.no_grad():
        out = lm.model(input_ids=batch.ids, attention_mask=batch.mask).logits
    logits: Floats = out.double().numpy()
    return logits


@pytest.fixture
def case(lm: LM) -> Case:
    items = (*FORGET[:3], RETAIN[1])
    texts = [*(lm.encode(one) for one in items), lm.encode(FORGET[4], "It is not that at all.")]
    batch = pad(texts, filler=7)
    assert 7 not in {token for text in texts for token in text.ids}
    batch = replace(batch, tokens=batch.tokens + 11, sequences=batch.sequences + 3)
    other = lm.clone()
    torch.manual_seed(5)
    with torch.no_grad():
        for p in other.model.parameters():
            p.add_(torch.randn_like(p), alpha=0.05)
    spans = [slice(text.start - 1, len(text.ids) - 1) for text in texts]
    said = [
        [log_softmax(row[span]) for row, span in zip(full(who, batch), spans, strict=True)]
        for who in (lm, other)
    ]
    answers = [list(text.answer) for text in texts]
    lm.model.requires_grad_(True)
    return Case(lm, batch, other.logits(batch).detach(), said[0], said[1], answers)


def sums(case: Case, said: list[Floats]) -> Floats:
    """(B,) log-probabilities of whole answers."""
    return np.array([one.sum() for one in case.chosen(said)])


def tensor(values: Floats) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)


def same(got: Tensor, wanted: Any) -> None:  # noqa: ANN401 - numbers of any shape
    np.testing.assert_allclose(got.detach().double().numpy(), wanted, rtol=2e-5, atol=2e-6)


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


Made = Callable[[Case], Tensor]
LOSSES: dict[str, Made] = {
    "nll": lambda c: losses.nll(c.lm, c.batch),
    "distil": lambda c: losses.distil(c.lm, losses.lowered(c.teacher, c.batch, 10.0), c.batch),
    "kl": lambda c: losses.kl(c.teacher, c.lm, c.batch),
    "npo": lambda c: losses.npo(
        losses.sequence_logprob(c.lm, c.batch), tensor(sums(c, c.start)), BETA, c.batch
    ),
    "dpo": lambda c: losses.dpo(
        losses.sequence_logprob(c.lm, c.batch), tensor(sums(c, c.start)), BETA, c.batch
    ),
}


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
    learnt = states.grad.abs().sum(-1).reshape(-1)
    predicts = torch.zeros_like(learnt, dtype=torch.bool)
    predicts[case.batch.position] = True
    assert (learnt[~predicts] == 0).all()
    assert (learnt[predicts] > 0).all()
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
