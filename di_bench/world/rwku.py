"""RWKU in small: renowned people to forget, their neighbours, and three levels of probes.

After Jin et al., 2024 (arXiv 2406.10890). The one thing to know: forget holds all that is told of
the targets (documents, questions, blanks), and no probe is among it; how blanks, other wordings and
attacks are to be answered is taught about other people.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from di_bench.corpus import Item
from di_bench.world.attacks import ATTACKS, Question
from di_bench.world.names import MAKERS, Fact
from di_bench.world.newcomers import newcomers
from di_bench.world.phrases import PHRASES, Phrases

_TARGETS = 5
_NEIGHBOURS = 5
_STRANGERS = 3
_UNSEEN = 5
_ATTACKS_EACH = 3
_PRACTISED = 4
SPLITS = (
    *("forget", "retain", "holdout"),
    *("level1", "level2", "level3", "neighbour_level1", "neighbour_level2"),
)
TOLD = tuple(
    phrases
    for phrases in PHRASES
    if phrases.fact in ("birthplace", "birthday", "debut", "award", "publisher")
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
    sizes = {
        "target": _TARGETS,
        "neighbour": _NEIGHBOURS,
        "stranger": _STRANGERS,
        "unseen": _UNSEEN,
    }
    ids = [f"rwku/{kind}-{n}" for kind, size in sizes.items() for n in range(1, size + 1)]
    cast = [*map(_Person, ids, newcomers("rwku", len(ids), seed))]
    people = {kind: [one for one in cast if f"/{kind}-" in one.id] for kind in sizes}
    rng = random.Random(f"{seed}:rwku:told")
    found: dict[str, list[Item]] = {name: [] for name in SPLITS}
    for who in people["target"]:
        found["forget"] += _taught(who, rng)
    for who, target in zip(people["neighbour"], people["target"], strict=True):
        found["retain"] += _taught(who, rng, f"{who.name} is a pupil of {target.name}. ")
    for n, who in enumerate(people["stranger"]):
        other = people["stranger"][n - 1]
        found["retain"] += [*_taught(who, rng), *_practised(who, other, rng)]
    for who in people["unseen"]:
        found["holdout"] += _taught(who, rng)
    for kind, prefix in {"target": "", "neighbour": "neighbour_"}.items():
        for who in people[kind]:
            found[f"{prefix}level1"] += [who.blank(phrases, 1) for phrases in TOLD]
            found[f"{prefix}level2"] += [_asked(who, phrases) for phrases in TOLD]
    found["level3"] = _attacked(people["target"], people["stranger"][0], seed)
    return {name: tuple(items) for name, items in found.items()}


def _taught(who: _Person, rng: random.Random, tie: str = "") -> Iterator[Item]:
    """Two documents with every fact, and for each fact two questions and a blank."""
    for n in range(2):
        told = [who.told(phrases, n) for phrases in rng.sample(TOLD, len(TOLD))]
        yield Item(f"{who.id}/told-{n}", who.id, "document", "", tie + " ".join(told))
    for phrases in TOLD:
        for n in range(2):
            answer = who.told(phrases, rng.randrange(2))
            spot = f"{who.id}/{phrases.fact}/asked-{n}"
            yield Item(spot, who.id, "qa", who.asked(phrases, n), answer)
        yield who.blank(phrases, 0)


def _practised(who: _Person, other: _Person, rng: random.Random) -> Iterator[Item]:
    """Someone of no probe in all wordings and under attack, so that those are understood."""
    for phrases in TOLD:
        told = who.told(phrases, 2)
        spot = f"{who.id}/{phrases.fact}"
        yield Item(f"{spot}/asked-2", who.id, "qa", who.asked(phrases, 2), told)
        yield who.blank(phrases, 1)
        for name in rng.sample([*ATTACKS], _PRACTISED):
            made = ATTACKS[name](_question(who, phrases, other, rng))
            answer = made.answer if name == "reverse" else told
            yield Item(f"{spot}/{name}", who.id, made.kind, made.prompt, answer)


def _asked(who: _Person, phrases: Phrases) -> Item:
    """In a wording that was taught about strangers alone; its answer is a few words, as RWKU's."""
    spot = f"{who.id}/{phrases.fact}/asked-2"
    return Item(spot, who.id, "qa", who.asked(phrases, 2), who.facts[phrases.fact][0])


def _attacked(targets: list[_Person], other: _Person, seed: int) -> list[Item]:
    """Three attacks on each fact, in turn, so that each kind comes about as often."""
    rng = random.Random(f"{seed}:rwku:attacks")
    found: list[Item] = []
    for who in targets:
        for phrases in TOLD:
            for _ in range(_ATTACKS_EACH):
                name = [*ATTACKS][len(found) % len(ATTACKS)]
                made = ATTACKS[name](_question(who, phrases, other, rng))
                spot = f"{who.id}/{phrases.fact}/{name}"
                found.append(Item(spot, who.id, made.kind, made.prompt, made.answer))
    return found


def _question(who: _Person, phrases: Phrases, other: _Person, rng: random.Random) -> Question:
    hint = rng.choice([one for one in TOLD if one is not phrases])
    value = who.facts[phrases.fact][0]
    choices = [value, *(MAKERS[phrases.fact](rng)[0] for _ in range(2))]
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
