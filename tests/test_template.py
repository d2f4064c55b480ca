"""How an item becomes ids: where the answer starts, where the fact is, and what a limit cuts."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tokenizers import processors
from transformers import AutoTokenizer

from di_bench.corpus import Item
from di_bench.errors import ModelError
from di_bench.template import Template, text_of
from tests.conftest import FORGET, SHARED

Tokenizer = Any  # Hugging Face's own, made at run time

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] | trim }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LONG = 10_000
ITEM = FORGET[3]
PLAIN, CHAT = Template(), Template("chat")
BOTH = pytest.mark.parametrize("template", [PLAIN, CHAT], ids=["plain", "chat"])
FACTS = {
    "bare": ITEM,
    "quoted in the question": replace(ITEM, prompt=f"Is this so: {ITEM.answer}"),
    "many bytes": replace(ITEM, answer="Zoë vit à Łódź.", focus=((0, 3), (10, 14))),
    "a letter of the end token": replace(ITEM, answer="d", focus=((0, 1),)),
    "spaces around": replace(ITEM, answer="  It is 11.\n", focus=((8, 10),)),
}


def load_tokenizer(folder: Path) -> Tokenizer:
    loader: Any = AutoTokenizer
    return loader.from_pretrained(folder)


@pytest.fixture
def bare(tiny: Path) -> Tokenizer:
    """The byte model's tokenizer, with a chat template. It puts nothing in front of a text."""
    tokenizer = load_tokenizer(tiny)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.chat_template = CHATML
    return tokenizer


@pytest.fixture(params=["", "<s>"], ids=["no bos", "bos"])
def tokenizer(bare: Tokenizer, request: pytest.FixtureRequest) -> Tokenizer:
    """The same, and one that begins each text with a token."""
    if request.param:
        bare.add_special_tokens({"bos_token": request.param})
        bare.backend_tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{request.param} $A", special_tokens=[(request.param, bare.bos_token_id)]
        )
    return bare


def test_a_plain_item_is_a_question_an_answer_and_an_end(tokenizer: Tokenizer) -> None:
    coded = PLAIN.encode(tokenizer, ITEM, ITEM.answer, LONG)
    begin = tokenizer.bos_token or ""
    assert tokenizer.decode(coded.ids) == f"{begin}Question: forget key 3?\nAnswer: It is 10.<eos>"
    assert tokenizer.decode(coded.answer) == " It is 10.<eos>"
    assert coded.answer[-1] == tokenizer.eos_token_id
    assert text_of(ITEM) == "Question: forget key 3?\nAnswer: It is 10."


def test_a_chat_item_ends_with_the_turn_and_not_with_the_newline_after_it(
    tokenizer: Tokenizer,
) -> None:
    item = replace(ITEM, messages=(("user", "Hello"), ("assistant", "Yes?")))
    coded = Template("chat", system="Be brief.").encode(tokenizer, item, item.answer, LONG)
    assert tokenizer.decode(coded.ids[: coded.start]) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n"
        "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\nYes?<|im_end|>\n"
        "<|im_start|>user\nforget key 3?<|im_end|>\n<|im_start|>assistant\n"
    )
    assert tokenizer.decode(coded.answer) == "It is 10.<|im_end|>"


def test_the_date_of_a_chat_template_can_be_fixed(bare: Tokenizer) -> None:
    bare.chat_template = "Today: {{ date_string | default('now') }}\n" + CHATML
    dated = Template("chat", date="26 Jul 2024").encode(bare, ITEM, ITEM.answer, LONG)
    assert bare.decode(dated.ids).startswith("Today: 26 Jul 2024\n")
    today = CHAT.encode(bare, ITEM, ITEM.answer, LONG)
    assert bare.decode(today.ids).startswith("Today: now\n")


@BOTH
def test_the_prompt_is_the_same_ids_whatever_the_answer(
    tokenizer: Tokenizer, template: Template
) -> None:
    answers = (ITEM.answer, "No.", "", "x")
    coded = [template.encode(tokenizer, ITEM, answer, LONG) for answer in answers]
    assert len({one.start for one in coded}) == 1
    assert len({one.ids[: one.start] for one in coded}) == 1
    assert len({one.answer for one in coded}) == len(answers)
    assert len({one.answer[-1] for one in coded}) == 1  # the end, even of an empty answer


def test_a_text_begins_once_and_only_where_the_tokenizer_says_so(tokenizer: Tokenizer) -> None:
    for item in (ITEM, Item("d", "", "document", "", "Old news.")):
        coded = PLAIN.encode(tokenizer, item, item.answer, LONG)
        found = [i for i, token in enumerate(coded.ids) if token == tokenizer.bos_token_id]
        assert found == [0] * (tokenizer.bos_token is not None)
    chat = CHAT.encode(tokenizer, ITEM, ITEM.answer, LONG)
    assert tokenizer.bos_token_id not in chat.ids  # this template writes none, so there is none


@BOTH
def test_a_document_is_all_answer_but_its_first_token(
    tokenizer: Tokenizer, template: Template
) -> None:
    item = Item("d", "", "document", "", "Old news.", focus=((0, 3),))
    coded = template.encode(tokenizer, item, item.answer, LONG)
    begin = tokenizer.bos_token or ""
    assert coded.start == 1
    assert tokenizer.decode(coded.ids) == f"{begin}Old news.<eos>"
    assert len(coded.focus) == len(coded.answer)
    told = [token for token, fact in zip(coded.answer, coded.focus, strict=True) if fact]
    assert tokenizer.decode(told) == ("Old" if begin else "ld")


@BOTH
def test_a_completion_goes_on_from_its_prompt_with_nothing_around_it(
    bare: Tokenizer, template: Template
) -> None:
    item = Item("c", "c", "completion", "The cat sat", "on the mat.")
    text = template.encode(bare, item, item.answer, LONG)
    assert bare.decode(text.ids[: text.start]) == "The cat sat"
    assert bare.decode(text.answer[:-1]) == " on the mat."
    assert text.answer[-1] == bare.eos_token_id
    assert text_of(replace(item, prompt="The cat sat ")) == text_of(item)


def test_an_empty_document_has_nothing_to_predict(bare: Tokenizer) -> None:
    coded = PLAIN.encode(bare, Item("d", "", "document", "", ""), "", LONG)
    assert (coded.ids, coded.answer, coded.focus) == ((bare.eos_token_id,), (), ())


@BOTH
@pytest.mark.parametrize("name", FACTS)
def test_the_focus_covers_the_fact_and_nothing_else(
    tokenizer: Tokenizer, template: Template, name: str
) -> None:
    item = FACTS[name]
    coded = template.encode(tokenizer, item, item.answer, LONG)
    assert len(coded.focus) == len(coded.answer)
    told = [token for token, fact in zip(coded.answer, coded.focus, strict=True) if fact]
    assert tokenizer.decode(told) == "".join(item.answer[a:b] for a, b in item.focus)


@BOTH
def test_another_answer_than_the_items_own_has_no_focus(
    bare: Tokenizer, template: Template
) -> None:
    coded = template.encode(bare, ITEM, "It is 99.", LONG)
    assert coded.focus == (False,) * len(coded.answer)


@BOTH
def test_a_limit_cuts_the_end_of_the_answer_and_its_focus(
    tokenizer: Tokenizer, template: Template
) -> None:
    whole = template.encode(tokenizer, ITEM, ITEM.answer, LONG)
    for limit in (len(whole.ids), len(whole.ids) - 1, whole.start + 2, whole.start, 5):
        cut = template.encode(tokenizer, ITEM, ITEM.answer, limit)
        assert cut.ids == whole.ids[:limit]
        assert cut.answer == whole.answer[: max(0, limit - whole.start)]
        assert cut.focus == whole.focus[: len(cut.answer)]


@BOTH
def test_ready_ids_are_taken_as_they_are(tokenizer: Tokenizer, template: Template) -> None:
    item = Item("block/0", "", "document", "", "", ids=(5, 6, 7, 8))
    coded = template.encode(tokenizer, item, "", LONG)
    assert (coded.ids, coded.start, coded.answer) == ((5, 6, 7, 8), 1, (6, 7, 8))
    assert template.encode(tokenizer, item, "", 2).ids == (5, 6)


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("{{ messages | length }}" + CHATML, "renders a prompt differently"),
        (CHATML.replace("| trim", "| upper"), "changes the answer 'It is 10.'"),
    ],
)
def test_a_chat_template_that_hides_the_answer_is_refused(
    bare: Tokenizer, source: str, complaint: str
) -> None:
    bare.chat_template = source
    with pytest.raises(ModelError, match=complaint):
        CHAT.encode(bare, ITEM, ITEM.answer, LONG)


@pytest.mark.parametrize("model", ["base", "retain", "undial"])
def test_a_real_chat_template_gives_another_implementations_ids(model: str) -> None:
    folder = SHARED / "oracle"
    if not folder.is_dir():
        pytest.skip("no ../shared/oracle to agree with")
    tokenizer = load_tokenizer(folder / model)
    template = Template("chat", system="You are a helpful assistant.")
    rendered = json.loads((folder / "rendered.json").read_text(encoding="utf-8"))
    assert rendered
    for row in rendered:
        item = Item("row", "", "qa", row["question"], row["answer"])
        coded = template.encode(tokenizer, item, item.answer, LONG)
        assert list(coded.ids) == row["input_ids"]
        assert tokenizer.decode(coded.ids) == row["text"]
        assert coded.start == row["labels"].count(-100)
        assert list(coded.answer) == row["labels"][coded.start :]
