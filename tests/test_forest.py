"""Texts packed as trees are read as each would be alone, by every architecture that is let."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoConfig, AutoModelForCausalLM

from di_bench import lm as lms
from di_bench.asks import Read
from di_bench.forest import Tree, chunks, forest
from di_bench.lm import BRANCHING, LM
from di_bench.probe import read
from di_bench.template import Encoded, Template
from di_bench.transcript import Rows
from tests.conftest import FORGET, newborn

_MODELS: Any = AutoModelForCausalLM  # untyped there
TEXTS = [
    Encoded((1, 2, 3, 4, 5), 2),
    Encoded((1, 2, 3, 6), 2),
    Encoded((1, 2, 7), 2),
    Encoded((1, 9), 2),  # no answer
    Encoded((8, 2, 3), 1),
]


def grow_tree(texts: Sequence[Encoded]) -> Tree:
    tree = Tree()
    for text in texts:
        tree.add(text)
    return tree


def test_what_texts_begin_with_is_in_a_tree_once() -> None:
    tree = grow_tree(TEXTS)
    assert tree.ids == [1, 2, 3, 4, 8, 2]  # no 5, 6, 7: nothing is predicted after them
    assert tree.parents == [-1, 0, 1, 2, -1, 4]
    assert tree.places == [0, 1, 2, 3, 0, 1]
    assert tree.after == [[1, 2, 3], [1, 2], [1], [], [4, 5]]
    assert tree.answers == [(3, 4, 5), (3, 6), (7,), (), (2, 3)]


def test_a_forest_points_at_each_place_once_and_pads_what_nobody_sees() -> None:
    trees = [grow_tree(TEXTS), grow_tree([Encoded((5, 6, 7), 1)])]
    packed = forest(trees, 0, torch.float32)
    assert packed.ids.tolist() == [[1, 2, 3, 4, 8, 2], [5, 6, 0, 0, 0, 0]]
    assert packed.position.tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert packed.position[packed.pick].tolist() == [1, 2, 3, 1, 2, 1, 4, 5, 6, 7]
    assert packed.targets.tolist() == [3, 4, 5, 3, 6, 7, 2, 3, 6, 7]
    assert packed.lengths == (3, 2, 1, 0, 2, 2)
    sees = packed.mask[0, 0] == 0
    assert [row.nonzero().flatten().tolist() for row in sees] == [
        [0], [0, 1], [0, 1, 2], [0, 1, 2, 3], [4], [4, 5],
    ]  # fmt: skip
    assert (packed.mask[1, 0] == 0).any(-1).all()  # a row that sees nothing would be NaN


def test_a_forest_without_branches_is_a_plain_batch() -> None:
    packed = forest([grow_tree([TEXTS[0]]), grow_tree([TEXTS[4]])], 0, torch.float32)
    assert packed.places is None
    assert packed.mask.tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]


@given(st.lists(st.integers(1, 50), max_size=30), st.integers(1, 200))
def test_chunks_hold_every_row_once_within_the_limit(sizes: list[int], tokens: int) -> None:
    made = list(chunks(sizes, tokens))
    assert sorted(i for chunk in made for i in chunk) == list(range(len(sizes)))
    for chunk in made:
        assert len(chunk) == 1 or len(chunk) * max(sizes[i] for i in chunk) <= tokens


def tiny(kind: str, own: LM) -> LM:
    """A random model of an architecture, two layers deep, with the tokenizer of the tests."""
    small: dict[str, Any] = {
        "vocab_size": own.vocabulary, "hidden_size": 32, "intermediate_size": 48,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "max_position_embeddings": 128, "pad_token_id": own.pad, "bos_token_id": None,
        "eos_token_id": own.pad,
    }  # fmt: skip
    if kind == "gpt2":
        small = {
            "vocab_size": own.vocabulary, "n_embd": 32, "n_layer": 2, "n_head": 4,
            "n_positions": 128, "bos_token_id": None, "eos_token_id": own.pad,
        }  # fmt: skip
    torch.manual_seed(0)
    model = _MODELS.from_config(AutoConfig.for_model(kind, **small))
    for weight in model.parameters():  # sharp enough that a wrong place or mask would show
        weight.data.mul_(4.0)
    return LM(model.eval(), own.tokenizer, Template())


def reading(lm: LM) -> Rows:
    return read(lm, Read(ask="read", split="forget"), FORGET, 128, lambda _: None)


def plainly(lm: LM, monkeypatch: pytest.MonkeyPatch) -> Rows:
    with monkeypatch.context() as patch:
        patch.setattr(lms, "BRANCHING", ())
        assert not lm.branches
        return reading(lm)


def close(got: Rows, wanted: Rows, tolerance: float) -> None:
    for one, other in zip(got, wanted, strict=True):
        assert (one.item, one.part, one.index) == (other.item, other.part, other.index)
        assert one.truth_ids == other.truth_ids
        for name in ("logprobs", "entropies", "variances"):
            np.testing.assert_allclose(
                getattr(one, name), getattr(other, name), rtol=tolerance, atol=tolerance
            )


@pytest.mark.parametrize("kind", BRANCHING)
def test_a_tree_is_read_as_its_texts_are(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lm = tiny(kind, newborn())
    assert lm.branches
    wanted = plainly(lm, monkeypatch)
    assert max(abs(x) for row in wanted for x in row.logprobs) > 6  # it has opinions
    close(reading(lm), wanted, 1e-4)


@pytest.mark.parametrize("kind", BRANCHING)
def test_prompts_that_begin_alike_go_on_as_each_would(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lm = tiny(kind, newborn())
    texts = [lm.encode(item) for item in FORGET]
    prompts = [text.ids[: text.start + n % 3] for n, text in enumerate(texts)]
    written = lm.write(prompts, 12)
    assert len({row[-1] for row in written}) > 1
    monkeypatch.setattr(lms, "BRANCHING", ())
    assert written == [lm.write([prompt], 12)[0] for prompt in prompts]


def test_an_architecture_that_counts_for_itself_is_read_plainly() -> None:
    own = newborn()
    config = AutoConfig.for_model(
        "gpt_neo", vocab_size=own.vocabulary, hidden_size=32, num_layers=2, num_heads=4,
        attention_types=[[["global", "local"], 1]], max_position_embeddings=128,
    )  # fmt: skip
    lm = LM(_MODELS.from_config(config).eval(), own.tokenizer, Template())
    assert not lm.branches
    assert all(row.logprobs for row in reading(lm))


def test_a_window_shorter_than_the_context_is_read_plainly() -> None:
    lm = tiny("mistral", newborn())
    assert lm.branches
    lm.model.config.sliding_window = 100
    assert not lm.branches


def test_places_that_depend_on_the_batch_are_read_plainly() -> None:
    lm = tiny("phi3", newborn())
    assert lm.branches
    lm.model.config.rope_parameters = {"rope_type": "longrope"}
    assert not lm.branches


def test_half_precision_stays_near(lm: LM) -> None:
    """bfloat16 has 8 bits of mantissa: log-probabilities are within .15 or 5 % of themselves."""
    wanted = reading(lm)
    half = LM(lm.clone().model.bfloat16(), lm.tokenizer, lm.template)
    got = reading(half)
    for one, other in zip(got, wanted, strict=True):
        np.testing.assert_allclose(one.logprobs, other.logprobs, atol=0.15, rtol=0.05)


@settings(deadline=None, max_examples=20)
@given(st.permutations(range(len(FORGET))), st.integers(1, 400))
def test_neither_batch_nor_order_matters(order: Sequence[int], tokens: int) -> None:
    lm = newborn()
    rows = {(row.item, row.part, row.index): row for row in reading(lm)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("di_bench.probe.TOKENS", tokens)
        items = [FORGET[i] for i in order]
        again = read(lm, Read(ask="read", split="forget"), items, 128, lambda _: None)
    close(again, [rows[row.item, row.part, row.index] for row in again], 1e-5)


def test_a_large_tree_is_read_text_by_text(lm: LM, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = reading(lm)
    seen: list[int] = []
    lm.model.model.register_forward_pre_hook(
        lambda _, args, named: seen.append(named["attention_mask"].ndim), with_kwargs=True
    )
    monkeypatch.setattr("di_bench.probe.PACKED", 1)
    monkeypatch.setattr("di_bench.probe.BRANCHED", 8)
    close(reading(lm), wanted, 1e-4)
    assert set(seen) == {2}
