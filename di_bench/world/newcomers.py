"""More people, for the suites about whole persons: as the authors are, and nobody's namesake.

The one thing to know: each suite draws from a stream of its own, after everyone of the old world,
so a new suite changes nothing that was there.
"""

import random
from functools import lru_cache

from di_bench.world.authors import people
from di_bench.world.names import MAKERS, Fact, marks, unseen


@lru_cache(maxsize=8)
def newcomers(stream: str, count: int, seed: int) -> tuple[dict[str, Fact], ...]:
    """The facts of so many people: no name, town, title or prize of anyone else's."""
    taken = {
        mark
        for person in people(seed)
        for kind, fact in person.facts.items()
        for mark in marks(kind, fact)
    }
    rng = random.Random(f"{seed}:{stream}")
    return tuple(_facts(rng, taken) for _ in range(count))


def _facts(rng: random.Random, taken: set[str]) -> dict[str, Fact]:
    found = {}
    for kind in MAKERS:
        found[kind] = unseen(kind, rng, taken)
        taken.update(marks(kind, found[kind]))
    return found
