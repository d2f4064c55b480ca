"""How often the gate is wrong: false alarms of equal methods, and planted regressions it finds.

    .venv/bin/python -m benchmarks.gate

The methods are made up and their truth is known (`tests/planted.py`). A seed moves a score by .02
and an item by .2; another .1 of an item is drawn again with every seed; 40 items of ten groups.
`accuracy` is a mean of items, and varies by .025 from seed to seed; `quality` is a mean of nothing
that is kept, and varies by .02. No file is read and no model is run: it takes a few minutes.
"""

import argparse
from collections.abc import Iterable
from itertools import product

from di_bench.gate import check
from di_bench.gatefile import Gate
from di_bench.side import Kept, Side
from tests.planted import Plan, kept

METHODS = ("retrain", "di")
SIZES = (0.05, 0.1, 0.15, 0.2, 0.3)
COLUMNS = ("accuracy", "quality")
BOARD = 16
"""How many rows stand still beside the one that moved, on a whole board."""


def worse(mine: Iterable[Kept], theirs: Iterable[Kept], gate: Gate) -> set[str]:
    """The columns that the gate calls worse."""
    found = check(Side.of(mine), Side.of(theirs), gate)
    return {finding.column for finding in found if finding.verdict == "worse"}


def other(seeds: int, pairs: str) -> tuple[range, Plan]:
    """The candidate's seeds, and its luck."""
    if pairs == "other seeds":
        return range(seeds, 2 * seeds), Plan()
    return range(seeds), Plan(draw=1)


def new(seeds: Iterable[int], plan: Plan, world: int) -> list[Kept]:
    """A version of `di` whose keys are others, as a changed method's are."""
    keys = {"weights": "new", "scores": "new"}
    rows = kept(["di"], seeds, plan, world)
    return [Kept(one.record.model_copy(update={"keys": keys}), one.items) for one in rows]


def false_alarms(worlds: int) -> None:
    """Of whole checks in which nothing is worse but luck."""
    print(f"equal methods, {worlds} checks: share of checks that call something worse")
    print(f"{'seeds':<6} {'candidate':<26} {'tolerance 0':>12} {'0.05':>8}")
    for seeds, pairs in product((3, 5, 1), ("other seeds", "the same seeds, drawn again")):
        again, plan = other(seeds, pairs)
        counts = [0, 0]
        for world in range(worlds):
            mine = kept(METHODS, again, plan, world)
            theirs = kept(METHODS, range(seeds), world=world)
            for place, tolerance in enumerate((0.0, 0.05)):
                counts[place] += bool(worse(mine, theirs, Gate(tolerance=tolerance)))
        strict, usual = (f"{count / worlds:.1%}" for count in counts)
        print(f"{seeds:<6} {pairs:<27} {strict:>11} {usual:>8}")


def power(worlds: int) -> None:
    """Of a regression of both columns of one method, alone and on a whole board."""
    print(f"\na planted regression, {worlds} checks of each size: share that is found")
    print(f"{'seeds':<6} {'candidate':<27} {'rows':<5} {'column':<9}", end="")
    print("".join(f"{size:>7}" for size in SIZES))
    for seeds, pairs, board in product(
        (3, 5), ("other seeds", "the same seeds, drawn again"), (False, True)
    ):
        again, luck = other(seeds, pairs)
        before, after = (still(range(seeds)), still(again)) if board else ([], [])
        found = {(column, size): 0 for column in COLUMNS for size in SIZES}
        for size, world in product(SIZES, range(worlds)):
            plan = Plan({"accuracy": size, "quality": -size}, draw=luck.draw)
            mine = [*kept(["retrain"], again, luck, world), *new(again, plan, world)]
            theirs = kept(METHODS, range(seeds), world=world)
            for column in worse([*mine, *after], [*theirs, *before], Gate()) & {*COLUMNS}:
                found[column, size] += 1
        for column in COLUMNS:
            shares = "".join(f"{found[column, size] / worlds:>7.0%}" for size in SIZES)
            print(f"{seeds:<6} {pairs:<27} {BOARD * board + 2:<5} {column:<9}{shares}")


def still(seeds: Iterable[int]) -> list[Kept]:
    """Rows that are where they were, under these seeds."""
    seeds = list(seeds)
    rows = list(zip(seeds, kept(["npo"], range(len(seeds))), strict=True))
    return [
        Kept(one.record.model_copy(update={"method": f"m{row}", "seed": seed}), one.items)
        for row in range(BOARD)
        for seed, one in rows
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=1000, help="checks of equal methods")
    parser.add_argument("--planted", type=int, default=100, help="checks of each planted size")
    asked = parser.parse_args()
    false_alarms(asked.worlds)
    power(asked.planted)
