"""How sure a mean over seeds and items is, and whether two of them differ.

Every seed is asked every item, so both are crossed: an interval speaks of other seeds and of other
items at once. Items of one author or document go together and count as one unit. What the intervals
hold and how often a difference is a false alarm is measured by `benchmarks/coverage.py`.
"""

import math
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from di_bench.spread import Floats, alone, crossed, welch

Made = Literal["crossed", "seeds", "items"]
Tested = Literal["paired", "paired seeds", "welch", "items"]


@dataclass(frozen=True)
class Sample:
    """One column of one row: what its seeds and items say."""

    seeds: tuple[int, ...]
    scores: Floats
    """(S,) of the records, in the order of seeds."""
    units: tuple[str, ...] = ()
    """(G,) groups (author, document), or items; empty where the score is no mean of items."""
    items: Floats | None = None
    """(S, G) contributions, whose mean over the units is the score of the seed."""

    def apart(self, other: "Sample") -> "Sample":
        """How far its scores are from another's of the same seed, either way; of shared seeds."""
        theirs = dict(zip(other.seeds, other.scores, strict=True))
        mine = zip(self.seeds, self.scores, strict=True)
        known = {seed: abs(score - theirs[seed]) for seed, score in mine if seed in theirs}
        return Sample(tuple(known), np.array(list(known.values()), dtype=np.float64))


@dataclass(frozen=True)
class Estimate:
    """A mean and its interval; `how` says what it was made from."""

    mean: float
    low: float
    high: float
    df: float
    how: Made


@dataclass(frozen=True)
class Difference:
    """One mean less another, its interval, and the p-value of there being none."""

    mean: float
    low: float
    high: float
    p: float
    df: float
    how: Tested


class Part(NamedTuple):
    """What one seed has for a sample: its units, and the contribution of each (G,)."""

    units: tuple[str, ...]
    items: Floats


def sample(
    scores: Mapping[int, float], items: Mapping[int, Iterable[tuple[str, str, float]]]
) -> Sample:
    """Of a row's scores by seed, and of the (item, group, value) behind each of them.

    Seeds whose score is no number are left out. The items are used where their mean is the score
    in every seed. A lone group says nothing of groups, so its items are the units.
    """
    rows = {seed: list(found) for seed, found in items.items()}
    lone = len({group for found in rows.values() for _, group, _ in found}) == 1
    parts = {}
    for seed, found in rows.items():
        units: dict[str, list[float]] = {}
        for item, group, value in found:
            units.setdefault(item if lone else group, []).append(value)
        score = scores.get(seed, math.nan)
        if found and agrees(math.fsum(value for _, _, value in found) / len(found), score):
            names = sorted(units)
            sums = np.array([math.fsum(units[name]) for name in names])
            counts = np.array([len(units[name]) for name in names])
            parts[seed] = Part(tuple(names), contributions(score, sums, counts))
    return joined(scores, parts)


def agrees(mean: float, score: float) -> bool:
    """Whether a score is the mean of its items."""
    return math.isclose(mean, score, rel_tol=1e-9, abs_tol=1e-12)


def contributions(score: float, sums: Floats, counts: NDArray[Any]) -> Floats:
    """Of units whose items sum up to (G,) and are so many (G,): a large one counts for more.

    m + G n_g / N (mean_g - m), which averages to the score m.
    """
    found: Floats = score + len(sums) * (sums - counts * score) / counts.sum()
    return found


def joined(scores: Mapping[int, float], parts: Mapping[int, Part]) -> Sample:
    """A row's scores by seed with the parts of those seeds; with one missing, the scores alone.

    A unit that a seed lacks does not move that seed. Where fewer than half of the units are in all
    seeds there is nothing to cross.
    """
    known = {seed: scores[seed] for seed in sorted(scores) if math.isfinite(scores[seed])}
    seeds, values = tuple(known), np.array(list(known.values()), dtype=np.float64)
    there = [parts[seed] for seed in seeds if seed in parts]
    if len(there) < len(seeds) or not there:
        return Sample(seeds, values)
    units = there[0].units
    if any(part.units != units for part in there):
        units = tuple(sorted({unit for part in there for unit in part.units}))
        if 2 * len(set(units).intersection(*(part.units for part in there))) < len(units):
            return Sample(seeds, values)
        there = [
            _widened(part, known[seed], units) for seed, part in zip(seeds, there, strict=True)
        ]
    return Sample(seeds, values, units, np.stack([part.items for part in there]))


def interval(sample: Sample) -> Estimate | None:
    """The 95 % interval of a mean; none where there is one seed and no items, or nothing at all.

    Nor is there one of numbers whose squares are beyond what a float holds.
    """
    if not sample.seeds:
        return None
    how: Made
    table = sample.items if len(sample.units) > 1 else None
    if len(sample.seeds) > 1:
        how = "seeds" if table is None else "crossed"
        spread = alone(sample.scores) if table is None else crossed(table)
    elif table is not None:
        how, spread = "items", alone(table[0])
    else:
        return None
    low, high = spread.bounds()
    if not np.isfinite(low):
        return None
    return Estimate(float(sample.scores.mean()), float(low), float(high), float(spread.df), how)


def difference(a: Sample, b: Sample) -> Difference | None:
    """`a` less `b`, with its 95 % interval; none where neither seeds nor items can tell.

    Seeds that both have are paired, by items too where both have those. Other seeds are other
    draws: then the means of seeds are compared (Welch). A single seed leaves the items alone.
    """
    both = {*a.seeds} & {*b.seeds}
    if len(both) > 1:
        a, b = _of_seeds(a, both), _of_seeds(b, both)
    if not a.seeds or not b.seeds:
        return None
    how: Tested
    tables = _aligned(a, b)
    if min(len(a.seeds), len(b.seeds)) == 1:
        if tables is None:
            return None
        how, spread = "items", alone(tables[0].mean(0) - tables[1].mean(0))
    elif a.seeds != b.seeds:
        how, spread = "welch", welch(a.scores, b.scores)
    elif tables is None:
        how, spread = "paired seeds", alone(a.scores - b.scores)
    else:
        how, spread = "paired", crossed(tables[0] - tables[1])
    low, high = spread.bounds()
    if not np.isfinite(low):
        return None
    p = spread.p(max(np.abs(a.scores).max(), np.abs(b.scores).max()))
    mean = float(a.scores.mean() - b.scores.mean())
    return Difference(mean, float(low), float(high), float(p), float(spread.df), how)


def holm(p: Sequence[float]) -> list[float]:
    """P-values adjusted for being several (Holm, 1979), in the given order; NaN is no test."""
    values = np.array(p, dtype=np.float64)
    tested = np.flatnonzero(~np.isnan(values))
    order = tested[values[tested].argsort(kind="stable")]
    stepped = np.maximum.accumulate(values[order] * np.arange(len(order), 0, -1))
    values[order] = np.minimum(stepped, 1.0)
    return [float(value) for value in values]


def _of_seeds(sample: Sample, seeds: Set[int]) -> Sample:
    """Some seeds of a sample."""
    if len(seeds) == len(sample.seeds):
        return sample
    at = [place for place, seed in enumerate(sample.seeds) if seed in seeds]
    items = None if sample.items is None else sample.items[at]
    return Sample(tuple(sample.seeds[n] for n in at), sample.scores[at], sample.units, items)


def _aligned(a: Sample, b: Sample) -> tuple[Floats, Floats] | None:
    """The contributions of both over the same units, at least two; none where they share few."""
    if a.items is None or b.items is None:
        return None
    units = tuple(sorted({*a.units, *b.units}))
    if len(units) < 2 or 2 * len({*a.units} & {*b.units}) < len(units):
        return None
    return _over(a, a.items, units), _over(b, b.items, units)


def _over(sample: Sample, items: Floats, units: tuple[str, ...]) -> Floats:
    """Contributions over these units."""
    if sample.units == units:
        return items
    rows = zip(items, sample.scores, strict=True)
    return np.stack([_widened(Part(sample.units, row), score, units).items for row, score in rows])


def _widened(part: Part, score: float, units: tuple[str, ...]) -> Part:
    """Over more units than it has: those it lacks do not move its score."""
    place = {unit: at for at, unit in enumerate(units)}
    wide = np.full(len(units), score)
    wide[[place[unit] for unit in part.units]] += (
        (part.items - score) * len(units) / len(part.units)
    )
    return Part(units, wide)
