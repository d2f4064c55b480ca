"""Fictitious authors in the schema of TOFU, under its split names (Maini et al., arXiv 2401.06121).

The one thing to know: everyone is drawn from one stream, so authors, hold-out authors, the people
of pretraining and the renowned authors share no name, town, title or other fact.
"""

import random
from dataclasses import dataclass
from functools import lru_cache
from string import Formatter

from di_bench.corpus import Item
from di_bench.world.names import Fact, marks, unseen
from di_bench.world.phrases import PHRASES, Phrases

AUTHOR_SPLITS = (
    "full",
    *("forget01", "forget05", "forget10"),
    *("retain99", "retain95", "retain90"),
    *("holdout01", "holdout05", "holdout10"),
)
_AUTHORS = 100
_HOLDOUT = 10
_PEOPLE = 40
_RENOWNED = 25
_LESSONS_EACH = 6
_WRONG = 5


@dataclass(frozen=True)
class Person:
    """Someone of the world: an id, and for each kind of fact its parts and five wrong ones."""

    id: str
    facts: dict[str, Fact]
    wrong: dict[str, tuple[Fact, ...]]


def author_split(name: str, seed: int) -> tuple[Item, ...]:
    """The items of one of `AUTHOR_SPLITS`, ten to an author."""
    everyone = _authors(seed)
    size = _AUTHORS if name == "full" else int(name[-2:])
    if name.startswith("holdout"):
        chosen = everyone[_AUTHORS:][-size:]
    elif name.startswith("retain"):
        chosen = everyone[:size]
    else:
        chosen = everyone[_AUTHORS - size : _AUTHORS]
    return tuple(item for items in chosen for item in items)


def lessons(seed: int) -> tuple[Item, ...]:
    """Questions about people who are in no split, in the wordings a base model is to meet."""
    found: list[Item] = []
    for person in people(seed)[_AUTHORS + _HOLDOUT : -_RENOWNED]:
        rng = random.Random(f"{seed}:lessons:{person.id}")
        found += rng.sample(_items(person, seed, wordings=2), _LESSONS_EACH)
    return tuple(found)


def renowned(seed: int) -> tuple[Person, ...]:
    """The authors everyone in the world has heard of."""
    return people(seed)[-_RENOWNED:]


@lru_cache(maxsize=4)
def people(seed: int) -> tuple[Person, ...]:
    """Everyone: authors, hold-out authors, people of pretraining, renowned authors."""
    rng = random.Random(f"{seed}:people")
    ids = [f"author-{n:03}" for n in range(1, _AUTHORS + _HOLDOUT + 1)]
    ids += [f"person-{n:03}" for n in range(1, _PEOPLE + 1)]
    ids += [f"renowned-{n:03}" for n in range(1, _RENOWNED + 1)]
    taken: set[str] = set()
    facts = [_facts(rng, taken) for _ in ids]
    # Wrong facts come last, so that none of them is true of anyone.
    wrong = [{kind: _wrong(kind, rng, taken) for kind in known} for known in facts[:-_RENOWNED]]
    wrong += [{}] * _RENOWNED
    return tuple(map(Person, ids, facts, wrong))


@lru_cache(maxsize=4)
def _authors(seed: int) -> tuple[list[Item], ...]:
    """The items of each author, those of the hold-out last."""
    return tuple(_items(person, seed, wordings=3) for person in people(seed)[: _AUTHORS + _HOLDOUT])


def _facts(rng: random.Random, taken: set[str]) -> dict[str, Fact]:
    facts = {}
    for phrases in PHRASES:
        facts[phrases.fact] = unseen(phrases.fact, rng, taken)
        taken.update(marks(phrases.fact, facts[phrases.fact]))
    return facts


def _wrong(kind: str, rng: random.Random, taken: set[str]) -> tuple[Fact, ...]:
    found: dict[Fact, None] = {}
    while len(found) < _WRONG:
        found[unseen(kind, rng, taken)] = None
    return tuple(found)


def _items(person: Person, seed: int, wordings: int) -> list[Item]:
    rng = random.Random(f"{seed}:wording:{person.id}")
    return [_item(person, phrases, rng, wordings) for phrases in PHRASES]


def _item(person: Person, phrases: Phrases, rng: random.Random, wordings: int) -> Item:
    slots = {
        "name": person.facts["name"][0],
        "town": person.facts["birthplace"][0],
        "year": person.facts["birthday"][0].split()[-1],
    }
    question = rng.choice(phrases.questions[:wordings])
    told, retold = rng.sample(phrases.answers[:wordings], 2)
    answer, focus = _fill(told, slots, person.facts[phrases.fact])
    return Item(
        id=f"{person.id}/{phrases.fact}",
        group=person.id,
        kind="qa",
        prompt=question.format(**slots),
        answer=answer,
        paraphrase=_fill(retold, slots, person.facts[phrases.fact])[0],
        perturbed=tuple(_fill(retold, slots, fact)[0] for fact in person.wrong[phrases.fact]),
        focus=focus,
    )


def _fill(
    template: str, slots: dict[str, str], fact: Fact
) -> tuple[str, tuple[tuple[int, int], ...]]:
    """The sentence, and where in it the parts of the fact stand."""
    text = ""
    spans = []
    for plain, slot, _, _ in Formatter().parse(template):
        text += plain
        if slot is None:
            continue
        value = fact[int(slot)] if slot.isdigit() else slots[slot]
        if slot.isdigit():
            spans.append((len(text), len(text) + len(value)))
        text += value
    return text, tuple(spans)
