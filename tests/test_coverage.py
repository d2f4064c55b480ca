"""The statistics hold what they say, in draws where the truth is known (`benchmarks/coverage.py`).

A thousand draws and more leave an error of half a percent; bounds are wider than that.
"""

import pytest

from benchmarks.coverage import PLANTED, WORLDS, World, shares

CONTINUOUS = [world for world in WORLDS if not world.right]


@pytest.mark.parametrize("world", CONTINUOUS, ids=lambda world: world.name)
@pytest.mark.parametrize(
    ("seeds", "units", "runs"), [(3, 40, 12000), (5, 40, 8000), (3, 400, 3000)]
)
def test_intervals_cover_and_equals_are_not_told_apart(
    world: World, seeds: int, units: int, runs: int
) -> None:
    found = shares(world, seeds, units, runs)
    assert 93 <= found.interval <= 97
    assert found.paired <= 7
    assert found.welch <= 6


def test_a_planted_difference_is_found_as_seeds_and_items_grow() -> None:
    world = World("small", seed=0.02, item=0.1, noise=0.2)
    power = [shares(world, seeds, units, 1000).power for seeds, units in ((3, 40), (10, 40))]
    assert PLANTED == 0.1
    assert 40 < power[0] < 60
    assert power[1] > 95


def test_seeds_alone_would_not_speak_for_items() -> None:
    items = next(world for world in WORLDS if world.name == "items matter")
    assert shares(items, 10, 40, 1000).seeds_alone < 60
