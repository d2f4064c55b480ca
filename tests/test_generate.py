"""The greedy loop writes what transformers' own would, and stops working on what is done."""

from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from di_bench import adapt, generate
from di_bench.lm import LM
from tests.conftest import FORGET, HOLDOUT, RETAIN, newborn


def prompts(lm: LM) -> list[tuple[int, ...]]:
    texts = [lm.encode(item) for item in (*FORGET, *RETAIN[:3], *HOLDOUT[:3])]
    return [text.ids[: text.start + n % 5] for n, text in enumerate(texts)]


def theirs(lm: LM, asked: list[tuple[int, ...]], new_tokens: int) -> list[list[int]]:
    """One at a time, by `generate`, cut after the end token."""
    ends = [int(lm.tokenizer.eos_token_id)]
    found = []
    for prompt in asked:
        ids, mask = generate.padded([prompt], lm.pad)
        (row,) = generate.by_transformers(lm.model, ids, mask, new_tokens, ends=ends, pad=lm.pad)
        stop = row.index(ends[0]) + 1 if ends[0] in row else len(row)
        found.append(row[:stop])
    return found


def test_it_writes_what_transformers_would(lm: LM) -> None:
    asked = prompts(lm)
    wanted = theirs(lm, asked, 20)
    assert len({len(row) for row in wanted}) > 1  # some are done early
    assert [list(row) for row in lm.write(asked, 20)] == wanted


def test_each_row_has_its_own_limit(lm: LM) -> None:
    asked = prompts(lm)
    rooms = [1 + 3 * n % 17 for n in range(len(asked))]
    whole = lm.write(asked, 20)
    assert lm.write(asked, rooms) == [row[:room] for row, room in zip(whole, rooms, strict=True)]


def test_rows_that_are_done_leave_the_batch(lm: LM) -> None:
    seen: list[int] = []
    lm.model.model.register_forward_pre_hook(
        lambda _, args, named: seen.append(len(named["input_ids"])), with_kwargs=True
    )
    asked = prompts(lm)
    lm.write(asked, [2] * 10 + [12] * 4)
    assert seen[:3] == [1, 14, 14]  # what all begin with, then each
    assert all(count <= 4 for count in seen[3:])
    assert len(seen) <= 13


def test_prompts_that_begin_alike_are_read_as_one_up_to_there(lm: LM) -> None:
    seen: list[tuple[int, ...]] = []
    lm.model.model.register_forward_pre_hook(
        lambda _, args, named: seen.append(tuple(named["input_ids"].shape)), with_kwargs=True
    )
    alike = [(*range(40, 60), n, n + 1) for n in (1, 5, 9)]
    apart = [(n, *range(40, 60)) for n in (1, 5, 9)]
    for asked, first in ((alike, (1, 20)), (apart, (3, 21)), (alike[:1], (1, 22))):
        seen.clear()
        assert [list(row) for row in lm.write(asked, 6)] == theirs(lm, asked, 6)
        assert seen[0] == first


def test_a_model_beside_loses_the_same_rows(lm: LM) -> None:
    mixed = adapt.decoding(lm, lambda own, other: own - 0.5 * other, newborn())
    asked = prompts(mixed)
    rooms = [2] * 10 + [12] * 4
    assert mixed.write(asked, rooms) == [
        mixed.write([prompt], room)[0] for prompt, room in zip(asked, rooms, strict=True)
    ]


def test_a_memory_of_another_kind_is_left_to_transformers() -> None:
    """Convolutions and recurrent states: rows cannot be taken out of them."""
    own = newborn()
    config = AutoConfig.for_model(
        "lfm2", vocab_size=own.vocabulary, hidden_size=32, intermediate_size=48,
        num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        layer_types=["conv", "full_attention"], max_position_embeddings=128,
        pad_token_id=own.pad, eos_token_id=own.pad, bos_token_id=None,
    )  # fmt: skip
    models: Any = AutoModelForCausalLM
    lm = LM(models.from_config(config).eval(), own.tokenizer, own.template)
    assert generate.steps_alone(own.inner)
    assert not generate.steps_alone(lm.inner)
    written = lm.write(prompts(lm), [2] * 10 + [8] * 4)
    assert [len(row) <= room for row, room in zip(written, [2] * 10 + [8] * 4, strict=True)]


def test_prompts_are_padded_on_the_left() -> None:
    ids, mask = generate.padded([(1, 2, 3), (4,)], 9)
    assert torch.equal(ids, torch.tensor([[1, 2, 3], [9, 9, 4]]))
    assert torch.equal(mask, torch.tensor([[1, 1, 1], [0, 0, 1]]))
