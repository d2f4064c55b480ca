"""What the statistics hold: coverage of 95 % intervals, false alarms, and power.

    python -m benchmarks.coverage [--runs 20000]

Scores are drawn from worlds where seeds, items or both make the difference, and where the answer
is known: a mean of zero, and a second method that is no better or better by `PLANTED`. Each number
is the share of many such draws, in percent.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np

from di_bench.spread import Floats, Spread, alone, crossed, welch

PLANTED = 0.1
CHUNK = 2_000_000
"""Cells drawn at once."""


@dataclass(frozen=True)
class World:
    """Standard deviations of what a draw of seeds, of items, and of both together moves."""

    name: str
    seed: float = 0.0
    item: float = 0.0
    noise: float = 0.3
    ratio: float = 1.0
    """How much more all of that moves the second method."""
    right: float = 0.0
    """If set, items are answered rightly or wrongly, this share of them rightly."""

    def draw(self, rng: np.random.Generator, shape: tuple[int, int, int]) -> "Pair":
        """Three tables: two methods on the same seeds and items, and the first on other seeds.

        Methods share half of the variance that seeds and items make. Their true means are zero.
        """
        runs, seeds, units = shape

        def normal(*of: int) -> Floats:
            drawn: Floats = rng.standard_normal((runs, *of)) / np.sqrt(2)
            return drawn

        by_seed = [normal(seeds, 1) + own for own in (normal(seeds, 1), normal(seeds, 1))]
        other = np.sqrt(2) * normal(seeds, 1)
        shared = normal(1, units)
        by_item = [shared + normal(1, units) for _ in range(2)]
        return Pair(
            self._table(rng, by_seed[0], by_item[0], 1.0),
            self._table(rng, by_seed[1], by_item[1], self.ratio),
            self._table(rng, other, by_item[0], 1.0),
        )

    def _table(self, rng: np.random.Generator, seed: Floats, item: Floats, size: float) -> Floats:
        moved: Floats = size * (self.seed * seed + self.item * item)
        shape = np.broadcast_shapes(seed.shape, item.shape)
        if self.right:
            chance = self.right + moved * np.sqrt(self.right * (1 - self.right))
            answered: Floats = (rng.random(shape) < chance) - self.right
            return answered
        noise: Floats = size * self.noise * rng.standard_normal(shape)
        return moved + noise


@dataclass(frozen=True)
class Pair:
    """(R, S, G) tables of scores."""

    first: Floats
    second: Floats
    again: Floats
    """The first method with other seeds."""


@dataclass(frozen=True)
class Shares:
    """Percent of draws."""

    interval: float
    """The 95 % interval of a mean holds the true one; 95 is right."""
    seeds_alone: float
    """So does that of the means of seeds, when no score of an item is known."""
    paired: float
    """Two methods that are no different are told apart; 5 is right, less is safe."""
    welch: float
    """So is a method from itself with other seeds."""
    welch_two: float
    """So are two methods with other seeds each."""
    power: float
    """A difference of `PLANTED` is found where seeds pair."""
    power_welch: float
    """It is found between other seeds."""


WORLDS = (
    World("seeds matter", seed=0.1, item=0.1),
    World("items matter", seed=0.005, item=0.3),
    World("both matter", seed=0.05, item=0.3),
    World("neither matters"),
    World("second method 3 x", seed=0.05, item=0.15, ratio=3.0),
    World("right or wrong, half", seed=0.05, item=0.3, right=0.5),
    World("right or wrong, 5 %", seed=0.02, item=0.1, right=0.05),
)


def shares(world: World, seeds: int, units: int, runs: int, seed: int = 0) -> Shares:
    """Many draws of one world. Deterministic in `seed`."""
    found = [
        [float(share.mean()) for share in _held(pair)]
        for pair in _pairs(world, seeds, units, runs, seed)
    ]
    return Shares(*(100 * np.mean(found, axis=0)))


def _pairs(world: World, seeds: int, units: int, runs: int, seed: int) -> Iterator[Pair]:
    rng = np.random.default_rng(seed)
    size = max(1, min(runs, CHUNK // (seeds * units)))
    for _ in range(runs // size):
        yield world.draw(rng, (size, seeds, units))


def _held(pair: Pair) -> list[Floats]:
    first, second, again = (table.mean(-1) for table in (pair.first, pair.second, pair.again))
    paired, other = crossed(pair.first - pair.second), welch(first, again)
    return [
        _holds(crossed(pair.first), 0.0),
        _holds(alone(first), 0.0),
        1 - _holds(paired, 0.0),
        1 - _holds(other, 0.0),
        1 - _holds(welch(again, second), 0.0),
        1 - _holds(paired, PLANTED),
        1 - _holds(other, PLANTED),
    ]


def _holds(spread: Spread, value: float) -> Floats:
    low, high = spread.bounds()
    return ((low <= value) & (value <= high)).astype(np.float64)


def main() -> None:
    parser = argparse.ArgumentParser(description="Coverage, false alarms and power.")
    parser.add_argument("--runs", type=int, default=20_000, help="draws for each line")
    runs = parser.parse_args().runs
    names = [field.name.replace("_", " ") for field in fields(Shares)]
    print(f"percent of {runs} draws; an error of {100 * np.sqrt(0.05 * 0.95 / runs):.2f} at 5 %")
    print("| seeds | units | world | " + " | ".join(names) + " |")
    print("| ---: | ---: | --- |" + " ---: |" * len(names))
    for seeds in (3, 5, 10):
        for units in (10, 40, 400):
            for world in WORLDS:
                found = shares(world, seeds, units, runs)
                cells = " | ".join(f"{getattr(found, field.name):.1f}" for field in fields(found))
                print(f"| {seeds} | {units} | {world.name} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
