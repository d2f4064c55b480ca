"""Texts that tell facts, and what a reader is asked about them, in the roles of MUSE's corpora.

A text is asked for twice: word for word (its first half is the prompt), and for what it answers.
The one thing to know: a text begins with its readers' questions and their answers. A model of a
million weights that is shown sentences alone has no way from them to an answer (MUSE's models do:
Shi et al., 2024, arXiv 2407.06460), so here the questions are part of what is learnt and forgotten.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from di_bench.corpus import Item
from di_bench.world.names import Fact
from di_bench.world.newcomers import Newcomers
from di_bench.world.phrases import PHRASES

ROLES = (
    "forget",
    *(f"forget_{fold}" for fold in range(1, 5)),
    "retain",
    "holdout",
    *("forget_qa", "retain_qa"),
    *("forget_verbatim", "retain_verbatim"),
)
"""What a corpus of texts is cut into; `forget` is its four folds."""
_FOLDS = 4
_WORDINGS = 2
_BETWEEN = {"parents": " and ", "pet": " called "}
_KNOWN = {phrases.fact: phrases for phrases in PHRASES}


@dataclass(frozen=True)
class Told:
    """A fact of someone as a text tells it: the sentence, what is asked, and the short answer."""

    kind: str
    sentence: str
    question: str
    answer: str


@dataclass(frozen=True)
class Text:
    """A document with the facts it is asked for; texts of one group belong together."""

    id: str
    group: str
    text: str
    facts: tuple[Told, ...]


def new_facts(
    known: Newcomers, name: str, kinds: Iterable[str], rng: random.Random
) -> tuple[Told, ...]:
    """Facts of these kinds about someone, each told and asked for in pretraining's way."""
    return tuple(_told(kind, name, known.fact(kind), rng) for kind in kinds)


def _told(kind: str, name: str, fact: Fact, rng: random.Random) -> Told:
    """A fact in one of the first two wordings of its question and of its answer."""
    sentence = rng.choice(_KNOWN[kind].answers[:_WORDINGS]).format(*fact, name=name)
    question = rng.choice(_KNOWN[kind].questions[:_WORDINGS]).format(name=name)
    return Told(kind, sentence, question, _BETWEEN.get(kind, " in ").join(fact))


def letters(facts: Iterable[Told]) -> str:
    """The readers' questions with their answers, as a template without chat puts them."""
    return "".join(f"Question: {fact.question}\nAnswer: {fact.answer}\n" for fact in facts)


def cut(texts: Sequence[Text], sizes: tuple[int, int, int], role: str) -> tuple[Item, ...]:
    """The items of one of `ROLES`, of texts in the order forget, retain, holdout of these sizes."""
    side, _, part = role.partition("_")
    first = {"forget": 0, "retain": sizes[0], "holdout": sizes[0] + sizes[1]}[side]
    own = texts[
        first : first + dict(zip(("forget", "retain", "holdout"), sizes, strict=True))[side]
    ]
    if part == "qa":
        return tuple(item for text in own for item in _questions(text))
    if part == "verbatim":
        return tuple(map(_halves, own))
    if part:
        size = len(own) // _FOLDS
        own = own[size * (int(part) - 1) : size * int(part)]
    return tuple(Item(text.id, text.group, "document", "", text.text) for text in own)


def _questions(text: Text) -> list[Item]:
    return [
        Item(f"{text.id}/{fact.kind}", text.group, "qa", fact.question, fact.answer)
        for fact in text.facts
    ]


def _halves(text: Text) -> Item:
    words = text.text.split(" ")
    half = len(words) // 2
    prompt, rest = " ".join(words[:half]), " ".join(words[half:])
    return Item(text.id, text.group, "completion", prompt, rest)
