"""News of writers, in the role of MUSE's News: one article, one writer, four facts.

The one thing to know: an article is about a writer who is in nothing else of the world, so what is
forgotten with it is told nowhere else.
"""

import random
from functools import lru_cache

from di_bench.corpus import Item
from di_bench.world.newcomers import Newcomers
from di_bench.world.readers import Text, cut, letters, new_facts
from di_bench.world.words import COLOURS, NAMES, PLACES, THINGS, TIMES

_SIZES = (40, 80, 40)
_TOLD = 4
_ASKED = 2
KINDS = ("birthplace", "genre", "debut", "classic", "award", "publisher")
"""The facts an article may tell: two answer its readers, two are told."""
_OPENING = (
    "{time} the writer {name} came to the {place}.",
    "{time} there was news of {name}, a writer.",
    "News from the {place}: the writer {name} was seen there.",
)
_EVENT = (
    "{count} people stood there in the {wind} wind and {one} had a {colour} {thing}.",
    "{one} and {two} gave the writer a {colour} {thing}.",
    "A {colour} {thing} was sold to {one} for {count} gold coins.",
)


def news(role: str, seed: int) -> tuple[Item, ...]:
    """The items of one of `ROLES`: 40 articles to forget, 80 to keep, 40 nobody is shown."""
    return cut(_articles(seed), _SIZES, role)


@lru_cache(maxsize=4)
def _articles(seed: int) -> tuple[Text, ...]:
    rng = random.Random(f"{seed}:news")
    known = Newcomers(seed, rng)
    return tuple(_article(f"news-{n:03}", known, rng) for n in range(1, sum(_SIZES) + 1))


def _article(name: str, known: Newcomers, rng: random.Random) -> Text:
    writer = known.fact("name")[0]
    facts = new_facts(known, writer, rng.sample(KINDS, _TOLD), rng)
    one, two = rng.sample(NAMES, 2)
    cast = {
        "name": writer, "one": one, "two": two, "place": rng.choice(PLACES),
        "thing": rng.choice(THINGS), "colour": rng.choice(COLOURS), "time": rng.choice(TIMES),
        "count": str(rng.randint(20, 99)), "wind": rng.choice(("cold", "warm", "soft", "strong")),
    }  # fmt: skip
    opening, event = (rng.choice(ways).format(**cast) for ways in (_OPENING, _EVENT))
    asked, told = facts[:_ASKED], facts[_ASKED:]
    story = " ".join((opening, told[0].sentence, event, told[1].sentence))
    return Text(name, name, letters(asked) + story, asked)
