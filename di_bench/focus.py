"""Where the fact is in an answer that does not say so: by surprise, or by spaCy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, Literal

import torch

from di_bench.errors import MethodError
from di_bench.lm import LM
from di_bench.template import Encoded

By = Literal["surprise", "entities", "noun_chunks"]
LIKELY = 0.5
"""A token is likely from this probability on."""
ROWS = 32
"""Texts read at once."""


def by_surprise(lm: LM, base: LM, texts: Sequence[Encoded]) -> list[tuple[bool, ...]]:
    """For each text, its answer tokens that `lm` finds likely and `base` does not.

    What a model learnt by heart it says with confidence; what can be guessed, the base says too.
    """
    pairs = zip(_probabilities(lm, texts), _probabilities(base, texts), strict=True)
    return [tuple(((now >= LIKELY) & (before < LIKELY)).tolist()) for now, before in pairs]


@torch.no_grad()
def _probabilities(lm: LM, texts: Sequence[Encoded]) -> Iterator[torch.Tensor]:
    for start in range(0, len(texts), ROWS):
        batch = lm.batch(texts[start : start + ROWS])
        said = lm.logits(batch).softmax(-1).gather(-1, batch.targets.unsqueeze(-1)).squeeze(-1)
        yield from (part.cpu() for part in batch.parts(said))


def by_spacy(text: str, by: By, pipeline: str) -> tuple[tuple[int, int], ...]:
    """Character spans of the named entities or noun chunks of a text.

    Raises MethodError when spaCy or its pipeline is not there.
    """
    document = _pipeline(pipeline)(text)
    try:
        spans = document.ents if by == "entities" else list(document.noun_chunks)
    except (ValueError, NotImplementedError) as error:  # no parser; a language without chunks
        raise MethodError(f"spaCy's {pipeline} cannot find {by}: it has no parser") from error
    return tuple((span.start_char, span.end_char) for span in spans)


@cache
def _pipeline(name: str) -> Any:  # noqa: ANN401 - spaCy is optional
    try:
        import spacy

        return spacy.load(name)
    except ImportError as error:
        raise MethodError(
            "focus by spaCy needs spaCy: pip install 'di-bench[spacy]', or set by: surprise"
        ) from error
    except OSError as error:
        raise MethodError(
            f"spaCy has no pipeline {name!r}; `python -m spacy download {name}` brings it, or give "
            "a folder"
        ) from error
