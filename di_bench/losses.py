"""Losses as pure functions of flat logits and a batch. Prompt and padding are not in them.

Each sums over the batch and divides by the counts of the whole optimizer step, so that
micro-batches add up. Shapes: N answer tokens, V vocabulary, B sequences. Log-softmax is float32.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, logsigmoid

from di_bench.batch import Batch
from di_bench.lm import LM


def token_nll(lm: LM, batch: Batch) -> Tensor:
    """(N,) negative log-likelihood of each answer token."""
    return cross_entropy(lm.logits(batch), batch.targets, reduction="none")


def nll(lm: LM, batch: Batch) -> Tensor:
    """Mean negative log-likelihood per answer token: the ordinary language-model loss."""
    return token_nll(lm, batch).sum() / batch.tokens


def token_distil(lm: LM, teacher: Tensor, batch: Batch) -> Tensor:
    """(N,) cross-entropy of each answer token against a teacher's logits (N, V)."""
    return cross_entropy(lm.logits(batch), teacher.softmax(-1), reduction="none")


def distil(lm: LM, teacher: Tensor, batch: Batch) -> Tensor:
    """Mean cross-entropy per answer token against a teacher's logits (N, V).

    CE(softmax(teacher), softmax(student)): the self-distillation of Dong et al., 2024
    (arXiv 2402.10052) when the teacher is `lowered`.
    """
    return token_distil(lm, teacher, batch).sum() / batch.tokens


def lowered(teacher: Tensor, batch: Batch, strength: float) -> Tensor:
    """(N, V) a teacher's logits with `strength` taken off each true token (Dong et al., 2024)."""
    taken = torch.full_like(batch.targets, -strength, dtype=teacher.dtype).unsqueeze(-1)
    return teacher.scatter_add(-1, batch.targets.unsqueeze(-1), taken)


def kl(teacher: Tensor, lm: LM, batch: Batch) -> Tensor:
    """Mean KL(teacher || model) per answer token, against a teacher's logits (N, V)."""
    p = teacher.log_softmax(-1)
    q = lm.logits(batch).log_softmax(-1)
    return (p.exp() * (p - q)).sum() / batch.tokens


def sequence_logprob(lm: LM, batch: Batch) -> Tensor:
    """(B,) log-probability of each whole answer."""
    return -batch.sums(token_nll(lm, batch))


def answer_nll(lm: LM, batch: Batch) -> Tensor:
    """(B,) mean negative log-likelihood of each answer's tokens."""
    lengths = batch.sums(torch.ones_like(batch.focus)).clamp(min=1)
    return batch.sums(token_nll(lm, batch)) / lengths


def npo(now: Tensor, start: Tensor, beta: float, batch: Batch) -> Tensor:
    """Negative preference optimisation from (B,) log-probs (Zhang et al., 2024, 2404.05868)."""
    return -2 / beta * logsigmoid(-beta * (now - start)).sum() / batch.sequences


def dpo(better: Tensor, worse: Tensor, beta: float, batch: Batch) -> Tensor:
    """Direct preference optimisation from (B,) log-ratios to the start, with TOFU's 2/beta.

    -(2/beta) log sigmoid(beta (better - worse)); Rafailov et al., 2023; Maini et al., 2024.
    """
    return -2 / beta * logsigmoid(beta * (better - worse)).sum() / batch.sequences


def simnpo(nll: Tensor, beta: float, delta: float, batch: Batch) -> Tensor:
    """NPO without a reference, from (B,) mean NLLs of answers (Fan et al., 2024, 2410.07163).

    -(2/beta) log sigmoid(beta (nll - delta)); the paper's margin gamma is beta times delta.
    """
    return -2 / beta * logsigmoid(beta * (nll - delta)).sum() / batch.sequences


def weighted_ascent(nll: Tensor, weight: Tensor, batch: Batch) -> Tensor:
    """Gradient ascent on (N,) NLLs, each with a weight that is not learnt from."""
    return -(weight.detach() * nll).sum() / batch.tokens


def focused(soft: Tensor, batch: Batch, outside: float, inside: float) -> Tensor:
    """(N,) losses of tokens as a weighted mean: one weight in focus, one outside of it.

    Divides by the weights of the whole step, not by its tokens (Dong et al., 2024).
    """
    weight = outside + (inside - outside) * batch.focus
    whole = outside * batch.tokens + (inside - outside) * batch.focused
    return (weight * soft).sum() / (whole or 1.0)  # a step without focus teaches nothing


def without_truth(lm: LM, batch: Batch) -> Tensor:
    """Cross-entropy with the model's own prediction once the true token is struck out of it.

    CE(softmax(z with z_y = -inf), softmax(z)); the target is not learnt from. The first token of an
    answer is left out (CE-U, Yang, 2025, 2503.01224).
    """
    z = lm.logits(batch)
    target = z.detach().scatter(-1, batch.targets.unsqueeze(-1), -torch.inf).softmax(-1)
    soft = cross_entropy(z, target, reduction="none")
    return soft[~batch.first].sum() / max(1, batch.tokens - batch.sequences)


def uniform_target(lm: LM, batch: Batch) -> Tensor:
    """KL(model || target): its own prediction with 1/V for the true token (Vasilev et al., 2025).

    The target, 2505.06027, is not learnt from; the other tokens share 1 - 1/V in proportion.
    """
    z = lm.logits(batch)
    truth = batch.targets.unsqueeze(-1)
    rest = z.detach().scatter(-1, truth, -torch.inf)
    own = rest.logsumexp(-1, keepdim=True) - math.log(z.shape[-1] - 1)  # p_y / (1 - p_y) = 1/(V-1)
    target = rest.scatter(-1, truth, own).log_softmax(-1)
    q = z.log_softmax(-1)
    return (q.exp() * (q - target)).sum() / batch.tokens


def to_uniform(lm: LM, batch: Batch) -> Tensor:
    """Mean KL(uniform || model) per answer token, in nats.

    What public code of maximum-entropy unlearning minimises (Yuan et al., 2024, 2410.08109); the
    paper's text has the reverse, KL(model || uniform), whose gradient vanishes on a sure model.
    """
    q = lm.logits(batch).log_softmax(-1)
    return -(q.mean(-1) + math.log(q.shape[-1])).sum() / batch.tokens


def confusion(lm: LM, batch: Batch) -> Tensor:
    """Mean squared distance of the highest logit from the mean logit (PDU)."""
    z = lm.logits(batch)
    return (z.amax(-1) - z.mean(-1)).square().sum() / batch.tokens


def answer_probability(lm: LM, batch: Batch) -> Tensor:
    """(B,) mean probability of an answer's tokens."""
    lengths = batch.sums(torch.ones_like(batch.focus)).clamp(min=1)
    return batch.sums((-token_nll(lm, batch)).exp()) / lengths


def flat(good: Tensor, forget: Tensor, batch: Batch) -> Tensor:
    """Total-variation FLAT from (B,) probabilities of refusals and answers (Wang et al., 2025).

    -tanh(good) / 2 + tanh(forget) / 2; 2410.11143.
    """
    return (forget.tanh() - good.tanh()).sum() / (2 * batch.sequences)


def misdirection(states: Tensor, target: Tensor, batch: Batch) -> Tensor:
    """Squared distance of (N, H) states from a target, mean over tokens and width (RMU).

    Li et al., 2024 (2403.03218).
    """
    return (states - target).square().mean(-1).sum() / batch.tokens


def generic(start: Tensor, reinforced: Tensor, alpha: float) -> Tensor:
    """(N, V) z - alpha ReLU(z_reinforced - z): what a model says without what training added.

    Who's Harry Potter (Eldan and Russinovich, 2023, 2310.02238), and contrastive decoding.
    """
    return start - alpha * (reinforced - start).relu()


def dampened(logits: Tensor, weight: float) -> Tensor:
    """(..., V) log of weight * p + (1 - weight) / V (Majmudar et al., 2022, 2205.13621)."""
    p = logits.softmax(-1)
    return (weight * p + (1 - weight) / p.shape[-1]).log()


def offset(logits: Tensor, assistant: Tensor, weight: float, keep: float) -> Tensor:
    """(..., V) z + weight * z_assistant over the tokens of at least `keep` times the top's odds.

    ULD (Ji et al., 2024, 2406.08607). The assistant's logits are log p + log V, so that an even
    assistant changes nothing; tokens under the bar stay as they are.
    """
    said = assistant.log_softmax(-1) + math.log(assistant.shape[-1])
    bar = math.log(keep) if keep else -math.inf
    high = logits >= logits.amax(-1, keepdim=True) + bar
    return torch.where(high, logits + weight * said, logits)
