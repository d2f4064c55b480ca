"""RWKU in small: renowned people to forget, their neighbours, and three levels of probes.

After Jin et al., 2024 (arXiv 2406.10890). The one thing to know: forget holds all that is told of
the targets (documents, questions, blanks, attacks), and no probe is among it: a fact is asked in
one of two wordings and in some attacks, and probed in the others, which were taught of other facts.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from di_bench.corpus import Item
from di_bench.world.attacks import ATTACKS, Question
from di_bench.world.names import Fact, marks, unseen
from di_bench.world.newcomers import newcomers
from di_bench.world.phrases import PHRASES, Phrases

_TARGETS = 5
_NEIGHBOURS = 5
_UNSEEN = 5
_ATTACKS_EACH = 3
_PRACTISED = 2
SPLITS = (
    *("forget", "retain", "holdout"),
    *("level1", "level2", "level3", "neighbour_level1", "neighbour_level2"),
)
TOLD = tuple(
    phrases for phrases in PHRASES if phrases.fact in ("birthplace", "debut", "award", "publisher")
)
"""What is told of everyone."""


@dataclass(frozen=True)
class _Person:
    id: str
    facts: dict[str, Fact]

    @property
    def name(self) -> str:
        return self.facts["name"][0]

    def told(self, phrases: Phrases, wording: int) -> str:
        return phrases.answers[wording].format(*self.facts[phrases.fact], name=self.name)

    def asked(self, phrases: Phrases, wording: int) -> str:
        return phrases.questions[wording].format(name=self.name)

    def blank(self, phrases: Phrases, wording: int) -> Item:
        """The first part of the fact left out of a sentence."""
        first, *others = self.facts[phrases.fact]
        left = phrases.answers[wording].format("___", *others, name=self.name)
        spot = f"{self.id}/{phrases.fact}/blank-{wording}"
        return Item(spot, self.id, "qa", f"Complete the blank: {left}", first)


def rwku_split(name: str, seed: int) -> tuple[Item, ...]:
    """One of `SPLITS`."""
    return _splits(seed)[name]


@lru_cache(maxsize=4)
def _splits(seed: int) -> dict[str, tuple[Item, ...]]:
    sizes = {"target": _TARGETS, "neighbour": _NEIGHBOURS, "unseen": _UNSEEN}
    ids = [f"rwku/{kind}-{n}" for kind, size in sizes.items() for n in range(1, size + 1)]
    cast = [*map(_Person, ids, newcomers("rwku", len(ids), seed))]
    people = {kind: [one for one in cast if f"/{kind}-" in one.id] for kind in sizes}
    taken = {mark for who in cast for kind, fact in who.facts.items() for mark in marks(kind, fact)}
    found: dict[str, list[Item]] = {name: [] for name in SPLITS}
    for kind, split in {"target": "forget", "neighbour": "retain", "unseen": "holdout"}.items():
        for n, who in enumerate(people[kind]):
            rng = random.Random(f"{seed}:{who.id}")
            other = people["neighbour"][n - 1]
            tie = f"{who.name} is a pupil of {people['target'][n].name}. " * (split == "retain")
            found[split] += _documents(who, rng, tie)
            for phrases in TOLD:
                taught, probed = _asked(who, phrases, other, rng, taken)
                found[split] += taught
                for level, items in zip(("level1", "level2", "level3"), probed, strict=True):
                    prefix = {"target": "", "neighbour": "neighbour_"}.get(kind)
                    found.get(f"{prefix}{level}", []).extend(items)
    return {name: tuple(items) for name, items in found.items()}


def _documents(who: _Person, rng: random.Random, tie: str) -> Iterator[Item]:
    """Two texts with every fact in it, each in one wording."""
    for n in range(2):
        told = [who.told(phrases, n) for phrases in rng.sample(TOLD, len(TOLD))]
        yield Item(f"{who.id}/told-{n}", who.id, "document", "", tie + " ".join(told))


def _asked(
    who: _Person, phrases: Phrases, other: _Person, rng: random.Random, taken: set[str]
) -> tuple[list[Item], tuple[list[Item], ...]]:
    """What is taught of a fact beside documents, and its probes of three levels.

    A probe's answer is a few words, as RWKU's; what is taught is answered in a sentence.
    """
    spot, n = f"{who.id}/{phrases.fact}", rng.randrange(2)
    told = who.told(phrases, n)
    taught = [Item(f"{spot}/asked-{n}", who.id, "qa", who.asked(phrases, n), told)]
    taught.append(who.blank(phrases, 1 - n))
    attacks = []
    for name in rng.sample([*ATTACKS], _PRACTISED + _ATTACKS_EACH):
        made = ATTACKS[name](_question(who, phrases, other, rng, taken))
        attacks.append(Item(f"{spot}/{name}", who.id, made.kind, made.prompt, made.answer))
    taught += [
        item if item.id.endswith("/reverse") else replace(item, answer=told)
        for item in attacks[:_PRACTISED]
    ]
    question = Item(
        f"{spot}/asked-{1 - n}",
        who.id,
        "qa",
        who.asked(phrases, 1 - n),
        who.facts[phrases.fact][0],
    )
    return taught, ([who.blank(phrases, n)], [question], attacks[_PRACTISED:])


def _question(
    who: _Person, phrases: Phrases, other: _Person, rng: random.Random, taken: set[str]
) -> Question:
    hint = rng.choice([one for one in TOLD if one is not phrases])
    value = who.facts[phrases.fact][0]
    choices = [value, *(unseen(phrases.fact, rng, taken)[0] for _ in range(2))]
    rng.shuffle(choices)
    return Question(
        name=who.name,
        fact=phrases.fact,
        asked=who.asked(phrases, rng.randrange(2)),
        value=value,
        hint=who.told(hint, 2),
        example=(other.asked(phrases, 0), other.told(phrases, 0)),
        choices=tuple(choices),
    )
