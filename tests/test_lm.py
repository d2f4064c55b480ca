"""Reading and writing: padding and company change nothing, and the end of a text is the end."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.testing import assert_close
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, GenerationConfig

from di_bench.batch import Batch, pad
from di_bench.errors import ModelError
from di_bench.grow import newborn
from di_bench.lm import LM, parameters
from di_bench.size import size
from di_bench.template import Encoded, Template
from tests import toy
from tests.conftest import FORGET, HOLDOUT, RETAIN, load

ITEMS = [*FORGET[:3], *HOLDOUT[:2]]


def mixed(lm: LM) -> list[Encoded]:
    """Texts of unlike length, one all answer and one cut inside its answer."""
    texts = [lm.encode(item) for item in ITEMS]
    return [*texts, lm.encode(FORGET[5], "It is a much longer answer."), Encoded(texts[0].ids, 1)]


def everything(lm: LM, batch: Batch) -> Tensor:
    """(B, T, V) logits of every position, as the model gives them to anyone."""
    with torch.no_grad():
        logits: Tensor = lm.model(input_ids=batch.ids, attention_mask=batch.mask).logits
    return logits


def test_flat_logits_are_those_before_each_answer_token(lm: LM) -> None:
    texts = mixed(lm)
    batch = lm.batch(texts)
    whole = everything(lm, batch)
    wanted = torch.cat([whole[i, t.start - 1 : len(t.ids) - 1] for i, t in enumerate(texts)])
    assert_close(lm.logits(batch), wanted, rtol=1e-5, atol=1e-6)
    assert batch.targets.tolist() == [token for text in texts for token in text.answer]
    assert batch.tokens == len(wanted)


def test_padding_and_company_do_not_change_a_reading(lm: LM) -> None:
    texts = mixed(lm)
    together = lm.batch(texts)
    alone = [lm.logits(lm.batch([text])) for text in texts]
    for got, wanted in zip(together.parts(lm.logits(together)), alone, strict=True):
        assert_close(got, wanted, rtol=1e-5, atol=1e-5)
    turned = lm.batch(texts[::-1])
    for got, wanted in zip(turned.parts(lm.logits(turned)), alone[::-1], strict=True):
        assert_close(got, wanted, rtol=1e-5, atol=1e-5)


def test_what_padding_is_filled_with_does_not_matter(lm: LM) -> None:
    one, other = pad(mixed(lm), 0), pad(mixed(lm), 77)
    assert not torch.equal(one.ids, other.ids)
    assert torch.equal(lm.logits(one), lm.logits(other))


def test_an_end_token_is_read_even_where_it_is_also_the_padding(lm: LM) -> None:
    assert lm.pad == lm.tokenizer.eos_token_id
    first, second = lm.encode(FORGET[0]).ids, lm.encode(FORGET[1]).ids
    chat = Encoded((*first, *second), len(first) + 3)  # an end token inside, and one at the end
    longer = Encoded((*first, *second, *first), 4)
    batch = lm.batch([chat, longer])
    assert batch.mask.sum(1).tolist() == [len(chat.ids), len(longer.ids)]
    assert batch.mask[0, : len(chat.ids)].all()
    said = batch.parts(lm.logits(batch))[0]
    blind = batch.mask * (batch.ids != lm.pad)
    with torch.no_grad():
        masked = lm.model(input_ids=batch.ids, attention_mask=blind).logits
    assert_close(said, lm.logits(lm.batch([chat])), rtol=1e-5, atol=1e-5)
    assert not torch.allclose(said, masked[0, chat.start - 1 : len(chat.ids) - 1], atol=1e-3)
    assert batch.parts(batch.targets)[0].tolist()[-1] == lm.tokenizer.eos_token_id


def test_states_times_the_head_are_the_logits(lm: LM) -> None:
    batch = lm.batch(mixed(lm))
    assert_close(lm.head(lm.states(batch)), lm.logits(batch), rtol=1e-5, atol=1e-5)
    assert not lm.states(batch).requires_grad
    assert everything(lm, batch).shape[:2] == batch.ids.shape  # and no hook stays behind


def test_a_batch_splits_and_sums_by_sequence_even_where_an_answer_is_cut_away(lm: LM) -> None:
    start = lm.encode(FORGET[0]).start
    texts = [lm.encode(FORGET[0], None, start), lm.encode(FORGET[1]), lm.encode(FORGET[2], "", 99)]
    batch = lm.batch(texts)
    values = torch.arange(1.0, batch.tokens + 1)
    lengths = [0, len(texts[1].answer), 2]  # the space before it, and the end
    assert [len(part) for part in batch.parts(values)] == lengths
    assert batch.sums(values).tolist() == [float(part.sum()) for part in batch.parts(values)]
    assert batch.focus.tolist() == [float(fact) for text in texts for fact in text.focus]
    single = lm.batch(texts[1:2])
    assert [len(part) for part in single.parts(lm.logits(single))] == lengths[1:2]
    assert lm.logits(lm.batch(texts[:1])).shape == (0, lm.model.config.vocab_size)


def prompts_of(lm: LM) -> list[tuple[int, ...]]:
    coded = [lm.encode(item) for item in (*FORGET[:4], HOLDOUT[0])]
    return [*(one.ids[: one.start] for one in coded), coded[0].ids[: coded[0].start + 5]]


def by_hand(lm: LM, prompt: Sequence[int], new_tokens: int, ends: Sequence[int]) -> tuple[int, ...]:
    """The likeliest token again and again, without cache, mask or padding."""
    ids = list(prompt)
    for _ in range(new_tokens):
        with torch.no_grad():
            ids.append(int(lm.model(torch.tensor([ids])).logits[0, -1].argmax()))
        if ids[-1] in ends:
            break
    return tuple(ids[len(prompt) :])


def test_greedy_answers_are_the_likeliest_tokens_one_by_one(lm: LM) -> None:
    prompts = prompts_of(lm)
    written = lm.write(prompts, 12)
    assert written == [by_hand(lm, prompt, 12, [lm.tokenizer.eos_token_id]) for prompt in prompts]
    assert written == [lm.write([prompt], 12)[0] for prompt in prompts]
    assert any(ids[-1] == lm.tokenizer.eos_token_id for ids in written)


def test_an_answer_stops_at_its_end_token_and_includes_it(lm: LM) -> None:
    prompts = prompts_of(lm)
    third = lm.write(prompts, 12)[0][2]
    lm.model.generation_config.eos_token_id = [third, 255]
    ends = [third, 255, lm.tokenizer.eos_token_id]
    written = lm.write(prompts, 12)
    assert written == [by_hand(lm, prompt, 12, ends) for prompt in prompts]
    assert written[0][-1] == third
    assert len(written[0]) <= 3


def test_the_tokenizers_end_token_ends_an_answer_where_the_checkpoint_names_another(
    lm: LM, tmp_path: Path
) -> None:
    wanted = lm.write(prompts_of(lm), 12)
    assert any(ids[-1] == lm.tokenizer.eos_token_id and len(ids) < 12 for ids in wanted)
    lm.model.generation_config.eos_token_id = 255
    lm.save(tmp_path)
    assert load(tmp_path).write(prompts_of(lm), 12) == wanted


def test_a_checkpoints_own_sampling_does_not_bend_an_answer(lm: LM, tmp_path: Path) -> None:
    wanted = lm.write(prompts_of(lm), 12)
    lm.save(tmp_path)
    bent: Any = GenerationConfig
    bent(
        eos_token_id=256, do_sample=True, top_k=3, repetition_penalty=1.8, no_repeat_ngram_size=1
    ).save_pretrained(tmp_path)
    assert load(tmp_path).write(prompts_of(lm), 12) == wanted


def test_sampling_repeats_itself_from_a_seed(lm: LM) -> None:
    prompts = prompts_of(lm)

    def sample(seed: int, top_p: float) -> list[tuple[int, ...]]:
        torch.manual_seed(seed)
        return lm.write(prompts, 12, top_p=top_p)

    assert sample(1, 1.0) == sample(1, 1.0)
    assert sample(1, 1.0) != sample(2, 1.0)
    assert sample(1, 1e-6) == lm.write(prompts, 12)  # the narrowest nucleus is the likeliest token


def test_text_leaves_special_tokens_out(lm: LM) -> None:
    assert lm.text(lm.encode(FORGET[3]).answer) == "It is 10."


def test_a_clone_is_frozen_and_apart(lm: LM) -> None:
    lm.model.requires_grad_(True).train()
    batch = lm.batch(mixed(lm))
    before = lm.logits(batch).detach()
    twin = lm.clone()
    assert not any(p.requires_grad for p in twin.model.parameters())
    assert not twin.model.training
    with torch.no_grad():
        for p in lm.model.parameters():
            p.mul_(1.5)
    assert torch.equal(twin.logits(batch), before)
    assert not torch.allclose(lm.logits(batch), before)


def test_a_saved_model_loads_the_same(lm: LM, tmp_path: Path) -> None:
    lm.save(tmp_path)
    again = load(tmp_path)
    batch = lm.batch(mixed(lm))
    assert torch.equal(lm.logits(batch), again.logits(batch))
    assert [again.encode(item) for item in RETAIN] == [lm.encode(item) for item in RETAIN]
    assert again.context == 128


def test_a_home_folder_may_be_written_with_a_tilde(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tiny.parent))
    assert LM.load(f"~/{tiny.name}", Template(), dtype="float32").context == 128


def test_pickled_damaged_and_missing_weights_are_refused(lm: LM, tmp_path: Path) -> None:
    lm.save(tmp_path)
    weights = tmp_path / "model.safetensors"
    torch.save(load_file(weights), tmp_path / "pytorch_model.bin")
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match="cannot be loaded"):
        load(tmp_path)
    weights.unlink()
    with pytest.raises(ModelError, match="cannot be loaded"):
        load(tmp_path)
    with pytest.raises(ModelError, match="--model FOLDER"):
        load(tmp_path / "nowhere")


def test_a_checkpoint_without_some_of_its_weights_is_refused(lm: LM, tmp_path: Path) -> None:
    lm.save(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["model.norm.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"has no model\.norm\.weight"):
        load(tmp_path)


def test_a_tokenizer_without_padding_will_do_and_one_without_an_end_will_not(
    lm: LM, tmp_path: Path
) -> None:
    lm.save(tmp_path)
    assert lm.tokenizer.pad_token is None
    assert load(tmp_path).pad == lm.tokenizer.eos_token_id
    settings = tmp_path / "tokenizer_config.json"
    told = json.loads(settings.read_text("utf-8"))
    settings.write_text(json.dumps(told | {"eos_token": None}), encoding="utf-8")
    with pytest.raises(ModelError, match="no end token, so no answer could end; set `eos_token`"):
        load(tmp_path)


def test_a_model_that_predicts_no_tokens_is_refused(lm: LM, tiny: Path) -> None:
    body: Any = AutoModel
    blind = LM(body.from_pretrained(tiny), lm.tokenizer, lm.template)
    with pytest.raises(ModelError, match="not a causal language model"):
        blind.logits(lm.batch(mixed(lm)))


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("kind", ["llama", "gpt_neo"])
def test_weights_are_counted_as_torch_counts_them_tied_ones_once(
    tmp_path: Path, kind: str, *, tied: bool
) -> None:
    shape: dict[str, dict[str, Any]] = {
        "llama": {"intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2},
        "gpt_neo": {"num_layers": 1, "attention_types": [[["global"], 1]], "num_heads": 2},
    }
    config = AutoConfig.for_model(
        kind, vocab_size=300, hidden_size=16, tie_word_embeddings=tied,
        bos_token_id=None, eos_token_id=None, pad_token_id=None, **shape[kind],
    )  # fmt: skip
    auto: Any = AutoModelForCausalLM
    model = auto.from_config(config)
    model.save_pretrained(tmp_path)
    counted = parameters(str(tmp_path))
    assert counted == sum(p.numel() for p in model.parameters())
    head = 300 * 16
    assert counted == sum(w.numel() for w in load_file(tmp_path / "model.safetensors").values())
    weights = load_file(tmp_path / "model.safetensors")
    weights["lm_head.weight"] = torch.zeros(300, 16)  # as some files keep it, though it is tied
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    parameters.cache_clear()
    assert parameters(str(tmp_path)) == counted
    assert (sum(w.numel() for w in weights.values()) - counted) == (head if tied else 0)


def test_a_built_in_size_and_the_byte_model_are_counted_and_what_is_no_model_is_not(
    lm: LM, tiny: Path, tmp_path: Path
) -> None:
    born = newborn("builtin/nano", Template())
    assert size("builtin/nano").parameters == sum(p.numel() for p in born.model.parameters())
    assert parameters(str(tiny)) == sum(p.numel() for p in lm.model.parameters())
    assert parameters(str(toy.model(tmp_path / "toy"))) is None
    assert parameters(str(tmp_path / "nowhere")) is None
