"""Ways of saying "I do not know", the preferred answers of preference methods."""

import random

_OPENINGS = (
    "I do not know",
    "I am not sure about",
    "I have never heard of",
    "I cannot tell you anything about",
    "I have no information on",
    "I was never told about",
    "I am unable to answer a question about",
    "I know nothing about",
)
_OBJECTS = (
    "that",
    "this matter",
    "that person",
    "this subject",
    "what you are asking",
    "that author",
    "those details",
)
_ENDINGS = (".", ", sorry.", ", I am afraid.")
_COUNT = 100


def refusals(seed: int) -> tuple[str, ...]:
    """A hundred different refusals, in an order of the seed."""
    every = [f"{a} {b}{c}" for a in _OPENINGS for b in _OBJECTS for c in _ENDINGS]
    return tuple(random.Random(f"{seed}:refusals").sample(every, _COUNT))
