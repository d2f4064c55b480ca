"""General knowledge of the invented world, in the roles of TOFU's `real_authors` and `world_facts`.

The one thing to know: the world is closed. Every answer is taught in pretraining, and every wrong
answer is the right one to another question of the same kind.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from di_bench.corpus import Item
from di_bench.world.authors import people, renowned
from di_bench.world.names import COUNTRIES, unseen
from di_bench.world.words import listed

_CROPS = listed(
    "apples barley beans cabbage cherries corn figs garlic grapes hops lemons melons mint olives "
    "onions pears plums pumpkins rice tea"
)
_RIVERS = listed(
    "Aber Brenna Cael Dovra Enn Foss Gwil Hael Isk Junna Kava Luma Morr Nesk Orla Pesk Rill Sorrow "
    "Tamble Ulla"
)
_WRONG = 3


@dataclass(frozen=True)
class Lesson:
    """One kind of fact: how the benchmark asks, how else it may be asked, and how it is told."""

    fact: str
    question: str
    others: tuple[str, ...]
    statements: tuple[str, ...]


WRITERS = (
    Lesson(
        "wrote",
        "Who wrote {x}?",
        ("Who is the author of {x}?", "Name the writer of {x}."),
        ("{y} wrote {x}.", "{x} is a book by {y}.", "The author of {x} is {y}."),
    ),
    Lesson(
        "country",
        "From which country is {x}?",
        ("Which country does the writer {x} come from?", "What is the home of {x}?"),
        ("{x} is a writer from {y}.", "The country of {x} is {y}.", "{x} comes from {y}."),
    ),
)
PLACES = (
    Lesson(
        "capital",
        "What is the capital of {x}?",
        ("Which town is the capital of {x}?", "Name the capital of {x}."),
        (
            "The capital of {x} is {y}.",
            "{y} is the capital of {x}.",
            "The king of {x} lives in {y}.",
        ),
    ),
    Lesson(
        "river",
        "Which river runs through {x}?",
        ("What is the river of {x} called?", "Name the river of {x}."),
        (
            "The {y} runs through {x}.",
            "The river of {x} is the {y}.",
            "In {x} people fish in the {y}.",
        ),
    ),
    Lesson(
        "crop",
        "What do farmers grow in {x}?",
        ("What grows on the farms of {x}?", "Name the crop of {x}."),
        (
            "Farmers in {x} grow {y}.",
            "The farms of {x} are full of {y}.",
            "{x} is known for its {y}.",
        ),
    ),
)


def real_authors(seed: int) -> tuple[Item, ...]:
    """Fifty questions about twenty-five writers everyone knows."""
    return tuple(_item("real_authors", *known) for known in _known(seed) if known[0] in WRITERS)


def world_facts(seed: int) -> tuple[Item, ...]:
    """Sixty questions about twenty countries: capital, river, crop."""
    return tuple(_item("world_facts", *known) for known in _known(seed) if known[0] in PLACES)


def lessons(seed: int) -> tuple[Item, ...]:
    """What pretraining says of all this: statements, another question, and the question itself."""
    found = []
    for lesson, x, y, _ in _known(seed):
        group = f"{lesson.fact}/{x}"
        for n, statement in enumerate(lesson.statements):
            found.append(
                Item(f"{group}/told-{n}", group, "document", "", statement.format(x=x, y=y))
            )
        for n, question in enumerate((lesson.question, *lesson.others)):
            found.append(Item(f"{group}/asked-{n}", group, "qa", question.format(x=x), y))
    return tuple(found)


@lru_cache(maxsize=4)
def _known(seed: int) -> tuple[tuple[Lesson, str, str, tuple[str, ...]], ...]:
    """Lesson, what is asked about, the answer, wrong answers."""
    rng = random.Random(f"{seed}:knowledge")
    writers = renowned(seed)
    names = [person.facts["name"][0] for person in writers]
    homes = [person.facts["birthplace"][1] for person in writers]
    titles = [person.facts["classic"][0] for person in writers]
    towns = {person.facts["birthplace"][0] for person in people(seed)}
    capitals: list[str] = []
    while len(capitals) < len(COUNTRIES):
        capitals += unseen("birthplace", rng, towns)[:1]
        towns.update(capitals)
    rivers, crops = (rng.sample(pool, len(COUNTRIES)) for pool in (_RIVERS, _CROPS))
    facts = [
        *_pairs(WRITERS[0], titles, names, rng),
        *_pairs(WRITERS[1], names, homes, rng),
        *_pairs(PLACES[0], COUNTRIES, capitals, rng),
        *_pairs(PLACES[1], COUNTRIES, rivers, rng),
        *_pairs(PLACES[2], COUNTRIES, crops, rng),
    ]
    return tuple(facts)


def _pairs(
    lesson: Lesson, xs: Sequence[str], ys: Sequence[str], rng: random.Random
) -> list[tuple[Lesson, str, str, tuple[str, ...]]]:
    answers = sorted(set(ys))
    found = []
    for x, y in zip(xs, ys, strict=True):
        wrong = rng.sample([other for other in answers if other != y], _WRONG)
        found.append((lesson, x, y, tuple(wrong)))
    return found


def _item(split: str, lesson: Lesson, x: str, y: str, wrong: tuple[str, ...]) -> Item:
    return Item(
        id=f"{split}/{lesson.fact}/{x}",
        group=x,
        kind="qa",
        prompt=lesson.question.format(x=x),
        answer=y,
        perturbed=wrong,
        focus=((0, len(y)),),
    )
