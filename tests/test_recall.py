"""Perplexity and what can be said by heart, against formulas that read one token at a time."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from di_bench.corpus import Item
from di_bench.lm import LM
from di_bench.recall import Recall, perplexity, recall
from di_bench.template import Encoded
from tests.case import log_softmax
from tests.conftest import FORGET, RETAIN, load


@pytest.fixture
def texts(lm: LM) -> list[Encoded]:
    """More than are read at once, of different lengths."""
    longer = Item("long", "long", "qa", RETAIN[1].prompt, "It is 60. It is 60. No, it is not.")
    items = [*FORGET, *RETAIN, longer] * 4
    return [lm.encode(item) for item in items]


def said(lm: LM, ids: tuple[int, ...]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """(T, V) log-probabilities after each token of a text read alone."""
    with torch.no_grad():
        logits = lm.model(input_ids=torch.tensor([ids])).logits[0]
    return log_softmax(logits.double().numpy())


def test_perplexity_is_of_the_mean_over_all_tokens(lm: LM, texts: list[Encoded]) -> None:
    nlls = [
        [-said(lm, t.ids)[at - 1, t.ids[at]] for at in range(t.start, len(t.ids))] for t in texts
    ]
    pooled = math.exp(float(np.mean([nll for text in nlls for nll in text])))
    assert perplexity(lm, texts) == pytest.approx(pooled, rel=1e-4)
    of_texts = math.exp(float(np.mean([np.mean(text) for text in nlls])))
    assert abs(of_texts - pooled) > 0.01


def test_perplexity_of_ruin_is_a_number(lm: LM, texts: list[Encoded]) -> None:
    with torch.no_grad():
        lm.head.weight.mul_(1e6)
    assert math.isfinite(perplexity(lm, texts))


def greedy(lm: LM, ids: tuple[int, ...], room: int) -> tuple[int, ...]:
    """The likeliest next token, one by one, up to and including the end."""
    own: list[int] = []
    while len(own) < room and (not own or own[-1] != lm.tokenizer.eos_token_id):
        own.append(int(said(lm, (*ids, *own))[-1].argmax()))
    return tuple(own)


@pytest.mark.parametrize(("n", "stride"), [(2, 1), (3, 4), (10, 3)])
def test_recall_is_jangs_el_and_ma(lm: LM, texts: list[Encoded], n: int, stride: int) -> None:
    few = texts[:3] + texts[16:17]
    shares, hits = [], []
    for text in few:
        ranks = said(lm, text.ids)[text.start - 1 : -1].argmax(-1)
        hits.append(float(np.mean(ranks == np.array(text.answer))))
        for revealed in range(stride, len(text.answer) - n + 1, stride):
            cut = text.start + revealed
            true = text.ids[cut:]
            own = greedy(lm, text.ids[:cut], len(true))
            grams = [own[at : at + n] for at in range(len(own) - n + 1)]
            known = {true[at : at + n] for at in range(len(true) - n + 1)}
            shares.append(float(np.mean([gram in known for gram in grams])) if grams else 0.0)
    assert shares
    got = recall(lm, few, n, stride)
    assert got.likelihood == pytest.approx(float(np.mean(shares)))
    assert got.accuracy == pytest.approx(float(np.mean(hits)))
    assert 0 < got.accuracy < 1


def test_answers_shorter_than_an_n_gram_have_no_likelihood(lm: LM, texts: list[Encoded]) -> None:
    assert recall(lm, texts[:2], 30, 1).likelihood == 0.0
    assert recall(lm, [], 2, 1) == Recall(0.0, 0.0)


def test_no_more_is_known_where_both_are_at_or_below(tiny: Path) -> None:
    mark = Recall(0.2, 0.5)
    assert mark.within(mark)
    assert Recall(0.1, 0.5).within(mark)
    assert not Recall(0.3, 0.1).within(mark)
    assert not Recall(0.1, 0.6).within(mark)
    known, unknown = ([load(tiny).encode(item) for item in items] for items in (FORGET, FORGET[:0]))
    assert not recall(load(tiny), known, 2, 1).within(recall(load(tiny), unknown, 2, 1))
