"""A second model reads texts: what it keeps of them, who it may be, and what it cannot do."""

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from di_bench import judging
from di_bench.asking import written
from di_bench.asks import Judge, Write
from di_bench.corpus import Item
from di_bench.errors import ModelError
from di_bench.lm import LM
from di_bench.metrics import metric
from di_bench.metrics.judged import HUMAN, prompts
from di_bench.model import ModelSpec
from di_bench.transcript import Row, Rows
from tests import toy
from tests.conftest import FORGET, HOLDOUT, RETAIN, newborn

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")

DOCUMENT = Item("doc", "", "document", "", "It is 37. It is 74. It is 10.")


def judge(lm: LM, rows: Rows, new_tokens: int = 1000, **asked: Any) -> Rows:  # noqa: ANN401 - fields
    spec = Judge.model_validate({"ask": "judge", "of": "stories"} | asked)
    return judging.judge(lm, judging.texts(lm, rows, spec, new_tokens), spec)


def write(lm: LM, items: Sequence[Item], seed: int = 0, **changes: object) -> Rows:
    asked = Write.model_validate({"ask": "write", "split": "forget", "new_tokens": 8} | changes)
    return written(lm, asked, items, seed, lambda _: None)


def ids(lm: LM, text: str) -> tuple[int, ...]:
    return tuple(lm.tokenizer(text).input_ids)


def said(lm: LM, item: str, text: str, truth: str = "It is 1.", prompt: str = "") -> Row:
    """What a model wrote from a document's beginning, or to a question."""
    start = 1 if prompt and "?" not in prompt else 0
    space = " " * bool(start)
    return Row(
        item,
        start=start,
        prompt=prompt,
        answer_ids=ids(lm, space + text) if text else (),
        truth_ids=ids(lm, space + truth),
    )


# Features


def test_a_judge_reads_the_models_text_and_the_humans(
    lm: LM, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrote = [
        Row(
            "a", "g", answer_ids=lm.encode(FORGET[0]).answer, truth_ids=lm.encode(FORGET[1]).answer
        ),
        Row("b", "h", answer_ids=(lm.pad,), truth_ids=lm.encode(DOCUMENT).ids),
    ]
    rows = judge(lm, wrote, new_tokens=6)
    assert [(row.item, row.group, row.index) for row in rows] == [
        ("a", "g", 0), ("b", "h", 0), ("a", "g", 1), ("b", "h", 1),
    ]  # fmt: skip
    texts = ["It is 0.", " ", lm.text(wrote[0].truth_ids[:6]), lm.text(wrote[1].truth_ids[:6])]
    for row, text in zip(rows, texts, strict=True):
        ids = torch.tensor([lm.tokenizer(text).input_ids])
        with torch.no_grad():
            last = lm.model(ids, output_hidden_states=True).hidden_states[-1][0, -1]
        assert_close(torch.tensor(row.features), last, rtol=1e-5, atol=1e-5)
    monkeypatch.setattr(judging, "ROWS", 1)
    for one, again in zip(rows, judge(lm, wrote, 6), strict=True):
        assert_close(torch.tensor(one.features), torch.tensor(again.features), rtol=1e-5, atol=1e-5)


def test_a_judge_reads_no_more_than_its_context(lm: LM) -> None:
    text = DOCUMENT.answer * 10
    wrote = Row("a", answer_ids=tuple(lm.tokenizer(text).input_ids))
    cut = replace(wrote, answer_ids=wrote.answer_ids[: lm.context - 1])
    long, short = (judge(lm, [row])[0].features for row in (wrote, cut))
    assert_close(torch.tensor(long), torch.tensor(short), rtol=1e-5, atol=1e-5)


def test_prompts_are_kept_where_they_are_asked_for(lm: LM) -> None:
    rows = write(lm, [FORGET[0], DOCUMENT], top_p=0.9, samples=2)
    plain, more = judge(lm, rows, 6), judge(lm, rows, 6, prompts=True)
    assert more[: len(plain)] == plain
    assert [(row.item, row.index) for row in plain] == [
        *((item, index) for index in (0, 2) for item in (FORGET[0].id, "doc")),
        *((item, HUMAN) for item in (FORGET[0].id, "doc")),
    ]
    (question, blank) = prompts(more)
    for row, text in ((question, FORGET[0].prompt), (blank, " ")):
        with torch.no_grad():
            states = lm.model(torch.tensor([ids(lm, text)]), output_hidden_states=True)
        last = states.hidden_states[-1][0, -1]
        assert_close(torch.tensor(row.features), last, rtol=1e-5, atol=1e-5)


# Likelihood


def by_hand(lm: LM, before: str, text: str) -> list[float]:
    """The log-probabilities of a text's bytes after what stood before it."""
    whole, start = ids(lm, before + text), len(ids(lm, before))
    with torch.no_grad():
        logits = lm.model(torch.tensor([whole])).logits[0].double().log_softmax(-1)
    return [float(logits[at - 1, whole[at]]) for at in range(max(1, start), len(whole))]


def test_a_likelihood_is_of_the_text_alone_after_its_prompt(lm: LM) -> None:
    asked = FORGET[0].prompt
    wrote = [
        said(lm, "question", "It is 0.", "It is 74, no.", asked),
        said(lm, "document", "is 37.", "was 1.", "It"),
        said(lm, "nothing before", "It is 37."),
        said(lm, "nothing said", "", prompt=asked),
    ]
    texts = {
        "question": (f"Question: {asked}\nAnswer:", " It is 0.", " It is 74"),
        "document": ("It", " is 37.", " was 1."),
        "nothing before": ("", "It is 37.", "It is 1."),
        "nothing said": (f"Question: {asked}\nAnswer:", "", " It is 1."),
    }
    rows = judge(lm, wrote, len("It is 74"), keeps="likelihood")
    assert [row.index for row in rows] == [0] * 4 + [HUMAN] * 4
    for row in rows:
        before, *both = texts[row.item]
        text = both[row.index]
        wanted = by_hand(lm, before, text) if text else []
        assert row.answer == text.strip()
        assert row.logprobs == pytest.approx(wanted, abs=1e-5)
        assert len(row.answer_ids) == len(row.logprobs)
        assert row.features == ()


def test_neither_order_nor_company_changes_a_likelihood(
    lm: LM, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrote = write(lm, [*FORGET, *HOLDOUT[:3], DOCUMENT], new_tokens=20)
    rows = judge(lm, wrote, keeps="likelihood")
    turned = {(r.item, r.index): r for r in judge(lm, wrote[::-1], keeps="likelihood")}
    monkeypatch.setattr(judging, "TOKENS", 1)
    alone = judge(lm, wrote, keeps="likelihood")
    assert len({len(row.logprobs) for row in rows}) > 3
    for row, one in zip(rows, alone, strict=True):
        again = turned[row.item, row.index]
        assert row.answer_ids == one.answer_ids == again.answer_ids
        assert row.logprobs == pytest.approx(one.logprobs, abs=1e-5)
        assert row.logprobs == pytest.approx(again.logprobs, abs=1e-5)


def test_a_long_prompt_is_cut_from_the_left_and_a_long_text_is_not_read(lm: LM) -> None:
    prompt = "It is 37. " * 20 + "It"
    own = "is 37."
    (row, _) = judge(lm, [said(lm, "a", own, prompt=prompt)], keeps="likelihood")
    kept = prompt[len(prompt) + len(" " + own) - lm.context :]
    assert len(kept) == lm.context - 7
    assert row.logprobs == pytest.approx(by_hand(lm, kept, " " + own), abs=1e-5)
    fits, long = ("x" * (lm.context - 2), "x" * (lm.context - 1))
    rows = judge(
        lm, [said(lm, "a", text, prompt="It") for text in (fits, long)], keeps="likelihood"
    )
    assert [len(row.logprobs) for row in rows[:2]] == [lm.context - 1, 0]
    assert len(rows[1].answer_ids) == lm.context
    assert "context is too short" in metric("oracle_perplexity")([rows]).gap


def test_a_judge_whose_texts_begin_with_a_token_scores_the_first_word(lm: LM) -> None:
    begun = replace(lm, tokenizer=_with_bos(lm))
    (row, _) = judge(begun, [Row("a", answer_ids=ids(lm, "It is 37."))], keeps="likelihood")
    assert len(row.logprobs) == len("It is 37.")
    (bare, _) = judge(lm, [Row("a", answer_ids=ids(lm, "It is 37."))], keeps="likelihood")
    assert len(bare.logprobs) == len("t is 37.")


def _with_bos(lm: LM) -> Any:  # noqa: ANN401 - a tokenizer
    from tokenizers import Tokenizer
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer.from_str(lm.tokenizer.backend_tokenizer.to_str())
    core.post_processor = TemplateProcessing(single="<eos> $A", special_tokens=[("<eos>", 256)])
    fast: Any = PreTrainedTokenizerFast
    return fast(tokenizer_object=core, eos_token="<eos>", bos_token="<eos>")


def test_fluency_knows_gibberish_loops_and_silence(lm: LM) -> None:
    """Human-like answers stay near the top; each kind of collapse is at 0."""
    items = [*FORGET, *RETAIN, *HOLDOUT]
    rng = random.Random(0)

    def answers(kind: str, at: int) -> str:
        return {
            "other": items[(at + 8) % 24].answer,
            "loop": "It is It is It is It is It is",
            "drone": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "gibberish": "".join(rng.choices("#%&QZXJqzxj~^;[]{}", k=9)),
            "empty": "",
        }[kind]

    found = {}
    for kind in ("other", "loop", "drone", "gibberish", "empty"):
        wrote = [
            said(lm, item.id, answers(kind, at), item.answer, item.prompt)
            for at, item in enumerate(items)
        ]
        found[kind] = metric("fluency")([judge(lm, wrote, keeps="likelihood")])
        assert found[kind].parts["human"] >= 0.9
    assert found.pop("other").value == pytest.approx(1, abs=0.3)
    assert {kind: score.value for kind, score in found.items()} == dict.fromkeys(found, 0.0)
    assert found["loop"].parts["repetitive"] == found["drone"].parts["repetitive"] == 1
    assert found["gibberish"].parts["unlikely"] == found["empty"].parts["empty"] == 1


# Sentence embeddings


def test_a_sentence_embedder_says_what_it_needs(tmp_path: Path) -> None:
    folder = toy.model(tmp_path / "reader")
    spec = ModelSpec(id=str(folder))
    judging.check(spec, Judge(ask="judge", of="s", keeps="likelihood"))  # a language model can
    (folder / "modules.json").write_text("[]", encoding="utf-8")
    for each in (spec, ModelSpec(id="sentence-transformers/all-MiniLM-L6-v2")):
        with pytest.raises(ModelError, match="a sentence embedder gives no likelihood"):
            judging.check(each, Judge(ask="judge", of="s", keeps="likelihood"))
        if find_spec("sentence_transformers") is None:
            with pytest.raises(ModelError, match=r"pip install 'di-bench\[sentences\]'"):
                judging.check(each, Judge(ask="judge", of="s"))


def embedder(folder: Path) -> Path:
    """The byte model and a mean over its last states, laid out as sentence-transformers does."""
    lm = newborn()
    lm.tokenizer.pad_token = "<eos>"
    lm.save(folder)
    kinds = ("", "Transformer"), ("1_Pooling", "Pooling")
    modules = [
        {"idx": at, "name": str(at), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for at, (path, kind) in enumerate(kinds)
    ]
    pooling = {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True}
    (folder / "1_Pooling").mkdir()
    for place, content in (("modules.json", modules), ("1_Pooling/config.json", pooling)):
        (folder / place).write_text(json.dumps(content), encoding="utf-8")
    return folder


def test_an_embedder_brings_no_class_of_its_own(tmp_path: Path) -> None:
    folder = embedder(tmp_path / "embedder")
    judging.refuse(folder)
    for kind in ("custom.Layer", "org/name--custom.Layer", "os.abort"):
        layers = [{"idx": 0, "name": "0", "path": "", "type": kind}]
        (folder / "modules.json").write_text(json.dumps(layers), encoding="utf-8")
        with pytest.raises(ModelError, match="its own code is never run") as error:
            judging.refuse(folder)
        assert kind in str(error.value)


def test_sentence_embeddings(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers")
    folder, lm = embedder(tmp_path / "embedder"), newborn()
    spec = ModelSpec(id=str(folder))
    assert judging.embeds(spec)
    wrote = [said(lm, "a", "It is 0.", "It is 0."), said(lm, "b", "It is 7.", "No idea.")]
    asked = Judge(ask="judge", of="s", model=str(folder), prompts=True)
    judging.check(spec, asked)
    texts = judging.texts(lm, wrote, asked, 100)
    rows = judging.judge_by(spec, "float32", texts, asked)
    assert [row.index for row in rows] == [0, 0, HUMAN, HUMAN, 0, 0]
    assert rows[0].features == pytest.approx(rows[2].features, abs=1e-5)
    with torch.no_grad():
        states = lm.model.model(torch.tensor([ids(lm, "It is 7.")])).last_hidden_state[0]
    assert rows[1].features == pytest.approx(states.mean(0).tolist(), abs=1e-4)
    (alone,) = judging.judge_by(spec, "float32", texts[1:2], asked)
    assert alone.features == pytest.approx(rows[1].features, abs=1e-5)
    similar = metric("similarity")([rows])
    assert similar.items[0].value == pytest.approx(1, abs=1e-5)
    (folder / "2_Dense").mkdir()
    (folder / "2_Dense" / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(ModelError, match=r"2_Dense/pytorch_model\.bin: pickled"):
        judging.judge_by(spec, "float32", texts, asked)
