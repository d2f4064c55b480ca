"""More people, for suites about other persons than the authors: nobody's namesakes.

The one thing to know: each suite draws from a stream of its own, after everyone of the old world,
so a new suite changes nothing that was there.
"""

import random
from functools import lru_cache

from di_bench.world.authors import people
from di_bench.world.names import MAKERS, Fact, marks, unseen


class Newcomers:
    """Facts that are nobody else's in the world: no name, town, title or prize is shared."""

    def __init__(self, seed: int, rng: random.Random) -> None:
        """Of this world; `rng` draws them."""
        self._rng = rng
        self._taken = {
            mark
            for known in people(seed)
            for kind, fact in known.facts.items()
            for mark in marks(kind, fact)
        }

    def fact(self, kind: str) -> Fact:
        """A fact that is nobody's yet."""
        found = unseen(kind, self._rng, self._taken)
        self._taken.update(marks(kind, found))
        return found


@lru_cache(maxsize=8)
def newcomers(stream: str, count: int, seed: int) -> tuple[dict[str, Fact], ...]:
    """All facts of so many people."""
    known = Newcomers(seed, random.Random(f"{seed}:{stream}"))
    return tuple({kind: known.fact(kind) for kind in MAKERS} for _ in range(count))
