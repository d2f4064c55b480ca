"""General prose: short stories from a grammar, for pretraining, perplexity and generation.

The one thing to know: hero, place, animal and thing stay the same through a story, so that a model
which reads along can foresee much of it.
"""

import random
from functools import lru_cache

from di_bench.corpus import Item
from di_bench.world.words import ANIMALS, COLOURS, NAMES, PLACES, THINGS, listed

_HELD_OUT = 160
_TRAINED = 200
_WORDS = (50, 80)

_CHOICES = {
    "age": listed("young wise poor kind"),
    "trade": listed("farmer baker sailor teacher shepherd tailor miller painter"),
    "time": ("morning", "evening", "day in spring", "day in winter"),
    "sky": listed("grey clear bright dark"),
    "wind": listed("cold warm soft strong"),
    "size": listed("small big little tall"),
    "look": listed("sad happy tired hungry"),
    "meal": listed("bread soup cheese honey cake fish"),
    "end": listed("friends partners neighbours"),
}
_STORY = (
    (
        "One {time} {hero} the {age} {trade} walked to the {place}.",
        "{hero} was a {age} {trade} who lived near the {place}.",
        "Every {time} the {age} {trade} {hero} went down to the {place}.",
    ),
    (
        "The sky was {sky} and the wind was {wind}.",
        "A {wind} wind came over the {place} and the sky was {sky}.",
        "It was a {sky} day with a {wind} wind.",
    ),
    (
        "By the gate {hero} found a {size} {colour} {thing}.",
        "There {hero} saw a {size} {colour} {thing} on the ground.",
        "Under a tree lay a {size} {colour} {thing}, and {hero} picked it up.",
    ),
    (
        "Then a {look} {animal} came and asked for the {thing}.",
        "A {look} {animal} looked at the {thing} and began to cry.",
        "Soon a {look} {animal} came along and said that the {thing} was lost.",
    ),
    (
        '"Is this your {thing}?" said {hero}. "Yes," said the {animal}, "it is mine."',
        '"You may have the {thing}," said {hero}, and the {animal} began to smile.',
        '"Please give me the {colour} {thing}," said the {animal}, and {hero} did.',
    ),
    (
        "{hero} shared some {meal} with the {animal}, and they ate by the {place}.",
        "The {animal} gave {hero} some {meal} to say thank you.",
        "They sat down together and ate {meal} until the sun went down.",
    ),
    (
        "From that day on {hero} and the {animal} were good {end}.",
        "The {animal} never lost the {colour} {thing} again.",
        "{hero} went home with a warm heart and slept well.",
    ),
)


def held_out(seed: int) -> tuple[Item, ...]:
    """160 stories of 50 to 80 words that are in no training document."""
    return _stories(seed)[:_HELD_OUT]


def trained(seed: int) -> tuple[Item, ...]:
    """The stories of pretraining."""
    return _stories(seed)[_HELD_OUT:]


@lru_cache(maxsize=4)
def _stories(seed: int) -> tuple[Item, ...]:
    rng = random.Random(f"{seed}:prose")
    texts: dict[str, None] = {}
    while len(texts) < _HELD_OUT + _TRAINED:
        text = _story(rng)
        if _WORDS[0] <= len(text.split()) <= _WORDS[1]:
            texts[text] = None
    names = [f"prose/{n:03}" for n in range(1, len(texts) + 1)]
    return tuple(
        Item(name, name, "document", "", text) for name, text in zip(names, texts, strict=True)
    )


def _story(rng: random.Random) -> str:
    cast = {slot: rng.choice(values) for slot, values in _CHOICES.items()}
    cast |= {
        "hero": rng.choice(NAMES),
        "place": rng.choice(PLACES),
        "colour": rng.choice(COLOURS),
        "thing": rng.choice(THINGS),
        "animal": rng.choice(ANIMALS),
    }
    return " ".join(rng.choice(ways).format(**cast) for ways in _STORY)
