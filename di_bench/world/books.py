"""Books in chapters, in the role of MUSE's Books: a hero whose life is told over four of them.

The one thing to know: a book is a group. Its chapters share the hero, friend and animal, so what
one chapter tells leans on the others, as in a novel.
"""

import random
from functools import lru_cache

from di_bench.corpus import Item
from di_bench.world.newcomers import Newcomers
from di_bench.world.readers import Text, cut, letters, new_facts
from di_bench.world.words import ANIMALS, COLOURS, NAMES, PLACES, THINGS

_BOOKS = (8, 20, 8)
_CHAPTERS = 4
KINDS = (
    ("birthplace", "genre"),
    ("parents", "award"),
    ("pet", "debut"),
    ("publisher", "birthday"),
)
"""The facts of each chapter: the first is asked for by its readers, the second is told."""
_STORY = (
    (
        "One morning {hero} and {friend} walked to the {place}.",
        "Every evening {hero} went down to the {place} with {friend}.",
        "{hero} lived near the {place} and {friend} lived there too.",
    ),
    (
        "There they found a {colour} {thing} on the ground.",
        "Under a tree lay a {colour} {thing}, and {friend} picked it up.",
        "By the gate {friend} saw a {colour} {thing}.",
    ),
    (
        "They went home with the {thing} and slept well.",
        "So the {animal} never lost the {thing} again.",
        "From that day on {friend} and the {animal} were good friends.",
    ),
)


def books(role: str, seed: int) -> tuple[Item, ...]:
    """The items of one of `ROLES`: 8 books to forget, 20 to keep, 8 nobody is shown.

    A document is a chapter, four to a book.
    """
    forget, retain, holdout = (count * _CHAPTERS for count in _BOOKS)
    return cut(_chapters(seed), (forget, retain, holdout), role)


@lru_cache(maxsize=4)
def _chapters(seed: int) -> tuple[Text, ...]:
    rng = random.Random(f"{seed}:books")
    known = Newcomers(seed, rng)
    return tuple(
        chapter for n in range(1, sum(_BOOKS) + 1) for chapter in _book(f"book-{n:02}", known, rng)
    )


def _book(name: str, known: Newcomers, rng: random.Random) -> list[Text]:
    hero, title = known.fact("name")[0], known.fact("classic")[0]
    friend, animal = rng.choice(NAMES), rng.choice(ANIMALS)
    found = []
    for n in range(_CHAPTERS):
        cast = {
            "hero": hero.split()[0], "friend": friend, "animal": animal,
            "place": rng.choice(PLACES), "thing": rng.choice(THINGS),
            "colour": rng.choice(COLOURS),
        }  # fmt: skip
        first, second, last = (rng.choice(ways).format(**cast) for ways in _STORY)
        facts = new_facts(known, hero, KINDS[n], rng)
        heading = f"{title}, chapter {n + 1}."
        story = " ".join((heading, first, facts[1].sentence, second, last))
        found.append(Text(f"{name}/{n + 1}", name, letters(facts[:1]) + story, facts[:1]))
    return found
