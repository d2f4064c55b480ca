"""Losses as pure functions of flat logits and a batch. Prompt and padding are not in them.

Each sums over the batch and divides by the counts of the whole optimizer step, so that
micro-batches add up. Shapes: N answer tokens, V vocabulary, B sequences. Log-softmax is float32.
"""

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


def distil(lm: LM, teacher: Tensor, batch: Batch) -> Tensor:
    """Mean cross-entropy per answer token against a teacher's logits (N, V).

    CE(softmax(teacher), softmax(student)): the self-distillation of Dong et al., 2024
    (arXiv 2402.10052) when the teacher is `lowered`.
    """
    soft = cross_entropy(lm.logits(batch), teacher.softmax(-1), reduction="none")
    return soft.sum() / batch.tokens


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


def npo(now: Tensor, start: Tensor, beta: float, batch: Batch) -> Tensor:
    """Negative preference optimisation from (B,) log-probs (Zhang et al., 2024, 2404.05868)."""
    return -2 / beta * logsigmoid(-beta * (now - start)).sum() / batch.sequences


def dpo(better: Tensor, worse: Tensor, beta: float, batch: Batch) -> Tensor:
    """Direct preference optimisation from (B,) log-ratios to the start, with TOFU's 2/beta.

    -(2/beta) log sigmoid(beta (better - worse)); Rafailov et al., 2023; Maini et al., 2024.
    """
    return -2 / beta * logsigmoid(beta * (better - worse)).sum() / batch.sequences
