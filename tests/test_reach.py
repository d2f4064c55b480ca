"""A method that asks for more than there is: context, layers, splits, facts. One line, or less."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from di_bench.batch import together
from di_bench.errors import DiBenchError, MethodError, ModelError
from di_bench.fit import Fitter
from di_bench.lm import LM
from di_bench.losses import nll, offset
from di_bench.methodfile import MethodFile
from di_bench.recall import recall
from di_bench.recipe import Recipe
from tests.conftest import FORGET, RETAIN, fitter, newborn
from tests.toy import line

CONTEXT = 64


@pytest.fixture
def short() -> LM:
    """A model that has no position beyond its context, as GPT-2 and GPT-Neo have none."""
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=257, n_positions=CONTEXT, n_embd=32, n_layer=2, n_head=2,
        bos_token_id=None, eos_token_id=256,
    )  # fmt: skip
    born = newborn()
    model: Any = GPT2LMHeadModel(config)
    return LM(model.eval(), born.tokenizer, born.template)


def fit_over(folder: Path, prompt: str, answer: str) -> Fitter:
    """A text among others: a question and an answer of any length."""
    odd = replace(FORGET[0], prompt=prompt, answer=answer, focus=())
    return replace(fitter(folder), splits={"forget": [odd, *FORGET[1:3]], "retain": RETAIN})


def test_what_is_written_at_once_stays_in_the_context() -> None:
    lengths, rooms = [30, 2, 61, 40, 3, 2], [10, 62, 3, 5, 20, 1]
    prompts = [(7,) * length for length in lengths]
    chunks = list(together(prompts, rooms, CONTEXT))
    assert sorted(i for chunk in chunks for i in chunk) == list(range(6))
    for chunk in chunks:
        assert max(lengths[i] for i in chunk) + max(rooms[i] for i in chunk) <= CONTEXT
    assert len(chunks) == 3
    assert [len(chunk) for chunk in together([(7,)] * 130, [1] * 130, CONTEXT, 64)] == [64, 64, 2]
    assert list(together([], [], CONTEXT)) == []


def test_recall_is_the_same_alone_and_beside_a_longer_text(short: LM) -> None:
    long, late = "x" * 80, "y" * 30
    items = [replace(FORGET[0], prompt=p, answer=a) for p, a in (("?", long), ("?" * 25, late))]
    texts = [short.encode(item, limit=CONTEXT) for item in items]
    assert {len(text.ids) for text in texts} == {CONTEXT}
    both, alone = recall(short, texts, 2, 1), [recall(short, [text], 2, 1) for text in texts]
    cuts = [len(text.answer) - 2 for text in texts]
    shares = np.average([each.likelihood for each in alone], weights=cuts)
    assert both.likelihood == pytest.approx(shares)


def test_answers_are_imagined_within_the_context(short: LM, tmp_path: Path) -> None:
    fit = fit_over(tmp_path, "?" * 20, "x" * 90)
    fit.imagine(short, 3, 1.0)
    assert all(len(own) == 3 and all(own) for own in fit._imagined)


def test_a_question_that_fills_the_limit_has_no_other_answer(short: LM, tmp_path: Path) -> None:
    fit = fit_over(tmp_path, "?" * 200, "x")
    fit.imagine(short, 2, 1.0)
    texts = fit._encoded(short, "alternate")
    assert [bool(text.answer) for text in texts] == [False] * 2 + [True] * 4
    short.model.requires_grad_(True)
    fit(short, lambda lm, pair: nll(lm, pair.alternate), Recipe(epochs=1, batch_size=1))


@pytest.mark.parametrize("layer", [-1, 3])
def test_a_layer_that_is_not_there_is_one_line(lm: LM, tmp_path: Path, layer: int) -> None:
    said = f"a model of 2 layers has no layer {layer}; 1 is the first"
    with pytest.raises(ModelError) as error:
        fitter(tmp_path).reference(lm, "retain", layer=layer)
    assert line(error.value) == said
    with pytest.raises(ModelError, match=said):
        MethodFile.find("rmu").load({"layer": layer}).unlearn(lm, fitter(tmp_path))


def test_a_split_that_is_not_there_is_one_line(lm: LM, tmp_path: Path) -> None:
    with pytest.raises(MethodError) as error:
        fitter(tmp_path).reference(lm, "forget", "retian")
    assert line(error.value).startswith("a reference has no split 'retian'; did you mean 'retain'?")


def test_no_answers_cannot_be_imagined(lm: LM, tmp_path: Path) -> None:
    with pytest.raises(MethodError, match="0 answers cannot be imagined; ask for 1 or more"):
        fitter(tmp_path).imagine(lm, 0, 1.0)


@pytest.mark.parametrize("name", ["di_hard", "di_soft"])
def test_focus_on_nothing_is_an_error_and_no_unlearning_of_nothing(
    lm: LM, tmp_path: Path, name: str
) -> None:
    bare = [replace(item, focus=()) for item in FORGET]
    fit = replace(fitter(tmp_path), splits={"forget": bare, "retain": RETAIN}, load_base=lm.clone)
    lm.model.requires_grad_(True)
    with pytest.raises(DiBenchError) as error:
        MethodFile.find(name).load({}).unlearn(lm, fit)
    assert line(error.value).startswith("found no fact in any text of forget by surprise; name")
    splits = {"forget": [*bare, FORGET[0]], "retain": RETAIN}
    replace(fit, splits=splits).focus(lm)  # one that names its own is enough


def test_an_offset_of_every_token_has_no_bar() -> None:
    z, other = torch.tensor([[9.0, 0.0, -90.0]]), torch.tensor([[1.0, 0.0, 2.0]])
    moved = offset(z, other, -0.8, 0.0) - z
    torch.testing.assert_close(moved, -0.8 * (other.log_softmax(-1) + np.log(3)), atol=1e-5, rtol=0)
