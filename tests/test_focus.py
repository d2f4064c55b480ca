"""Where the fact is: by surprise against plain probabilities, and by spaCy where it is there."""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from di_bench import focus
from di_bench.errors import MethodError
from di_bench.focus import by_spacy, by_surprise
from di_bench.lm import LM
from di_bench.template import Encoded
from tests.case import full, log_softmax
from tests.conftest import FORGET, RETAIN, fitter, newborn
from tests.toy import line

SPACY = find_spec("spacy") is not None


def likely(lm: LM, texts: list[Encoded]) -> list[list[bool]]:
    """Whether a model gives each answer token at least even odds, text by text."""
    said = [np.exp(log_softmax(full(lm, lm.batch([text]))[0])) for text in texts]
    return [
        [bool(p[at - 1, text.ids[at]] >= 0.5) for at in range(text.start, len(text.ids))]
        for p, text in zip(said, texts, strict=True)
    ]


def test_surprise_marks_what_the_model_finds_likely_and_the_base_does_not(lm: LM) -> None:
    base = lm.clone()
    torch.manual_seed(2)
    with torch.no_grad():
        for p in base.model.parameters():
            p.add_(torch.randn_like(p), alpha=0.1)
    items = (FORGET + RETAIN) * 3  # more than are read at once
    texts = [lm.encode(item) for item in items]
    now, before = likely(lm, texts), likely(base, texts)
    wanted = [
        tuple(a and not b for a, b in zip(one, other, strict=True))
        for one, other in zip(now, before, strict=True)
    ]
    assert by_surprise(lm, base, texts) == wanted
    pairs = {pair for one in zip(now, before, strict=True) for pair in zip(*one, strict=True)}
    assert pairs >= {(True, True), (True, False), (False, False)}


def test_nothing_is_a_surprise_to_the_model_itself(lm: LM) -> None:
    texts = [lm.encode(item) for item in FORGET]
    assert not any(map(any, by_surprise(lm, lm, texts)))
    ready = [replace(text, ids=text.ids[: text.start], focus=()) for text in texts]
    assert by_surprise(lm, newborn(), ready) == [()] * len(ready)


@pytest.mark.skipif(SPACY, reason="spaCy is here")
def test_without_spacy_one_line_says_how_to_get_it() -> None:
    with pytest.raises(MethodError) as error:
        by_spacy("It is 37.", "entities", "en_core_web_sm")
    assert line(error.value) == (
        "focus by spaCy needs spaCy: pip install 'di-bench[spacy]', or set by: surprise"
    )


@pytest.fixture
def pipeline(tmp_path: Path) -> str:
    """A pipeline that knows one name and no grammar."""
    spacy = pytest.importorskip("spacy")
    blank = spacy.blank("en")
    blank.add_pipe("entity_ruler").add_patterns([{"label": "PERSON", "pattern": "Ann Lee"}])
    blank.to_disk(tmp_path / "pipeline")
    return str(tmp_path / "pipeline")


def test_entities_are_spans_of_characters(pipeline: str) -> None:
    text = "It is Ann Lee, not Bo; Ann Lee!"
    spans = by_spacy(text, "entities", pipeline)
    assert [text[start:end] for start, end in spans] == ["Ann Lee", "Ann Lee"]
    assert by_spacy("Nobody.", "entities", pipeline) == ()


def test_noun_chunks_need_a_parser(pipeline: str) -> None:
    with pytest.raises(MethodError) as error:
        by_spacy("It is Ann Lee.", "noun_chunks", pipeline)
    assert line(error.value) == f"spaCy's {pipeline} cannot find noun_chunks: it has no parser"


def test_a_pipeline_that_is_not_there_is_named_with_the_mend() -> None:
    pytest.importorskip("spacy")
    with pytest.raises(MethodError) as error:
        by_spacy("It is Ann Lee.", "entities", "no_such_pipeline")
    assert line(error.value).startswith("spaCy has no pipeline 'no_such_pipeline'; `python -m")


def test_a_fit_marks_entities_where_an_item_names_no_fact(
    lm: LM, tmp_path: Path, pipeline: str
) -> None:
    told = replace(FORGET[0], answer="It is Ann Lee.", focus=())
    named = replace(FORGET[1], answer="Ann Lee, that is.", focus=((9, 13),))
    fit = replace(fitter(tmp_path), splits={"forget": [told, named], "retain": RETAIN})
    fit.focus(lm, "entities", pipeline)
    marked = [
        lm.text([token for token, hit in zip(text.answer, text.focus, strict=True) if hit])
        for text in fit._encoded(lm, "forget")
    ]
    assert marked == ["Ann Lee", "that"]
    focus._pipeline.cache_clear()


def test_a_language_without_noun_chunks_is_one_line_too(tmp_path: Path) -> None:
    pytest.importorskip("spacy").blank("xx").to_disk(tmp_path / "many")
    with pytest.raises(MethodError, match="cannot find noun_chunks"):
        by_spacy("Ann.", "noun_chunks", str(tmp_path / "many"))
