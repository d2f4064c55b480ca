"""How sure a mean over seeds and items is, and whether two of them differ.

Every seed is asked every item, so both are crossed: an interval speaks of other seeds and of other
items at once. Items of one author or document go together and count as one unit. What the intervals
hold and how often a difference is a false alarm is measured by `benchmarks/coverage.py`.
"""

import math
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Literal

import numpy as np

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


def sample(
    scores: Mapping[int, float], items: Mapping[int, Iterable[tuple[str, str, float]]]
) -> Sample:
    """Of a row's scores by seed, and of the (item, group, value) behind each of them.

    Seeds whose score is no number are left out. The items are used where their mean is the score
    in every seed. A lone group says nothing of groups, so its items are the units.
    """
    known = {seed: scores[seed] for seed in sorted(scores) if math.isfinite(scores[seed])}
    seeds, values = tuple(known), np.array(list(known.values()), dtype=np.float64)
    rows = {seed: list(items.get(seed, ())) for seed in seeds}
    if not all(rows.values()) or not seeds:
        return Sample(seeds, values)
    lone = len({group for found in rows.values() for _, group, _ in found}) == 1
    names = {seed: [item if lone else group for item, group, _ in rows[seed]] for seed in seeds}
    units = sorted({name for found in names.values() for name in found})
    place = {name: at for at, name in enumerate(units)}
    sums, counts = np.zeros((2, len(seeds), len(units)))
    for at, seed in enumerate(seeds):
        where = [place[name] for name in names[seed]]
        np.add.at(sums[at], where, [value for _, _, value in rows[seed]])
        np.add.at(counts[at], where, 1.0)
    return of_sums(known, units, sums, counts)


def of_sums(
    scores: Mapping[int, float], units: Sequence[str], sums: Floats, counts: Floats
) -> Sample:
    """Of what each unit sums up to (S, G) and the items it has (S, G); scores as `sample` says.

    A large group counts for more: its contribution is m + G n_g / N (mean_g - m), which averages to
    the score m. One that has no items in a seed does not move that seed, and where fewer than half
    are in all seeds there is nothing to cross.
    """
    seeds, values = tuple(scores), np.array(list(scores.values()), dtype=np.float64)
    total = counts.sum(1)
    means = sums.sum(1) / np.maximum(total, 1)
    shared = int((counts > 0).all(0).sum())
    agrees = total.all() and np.allclose(means, values, rtol=1e-9, atol=1e-12)
    if not seeds or not agrees or 2 * shared < len(units):
        return Sample(seeds, values)
    score = values[:, None]
    items = score + len(units) * (sums - counts * score) / total[:, None]
    return Sample(seeds, values, tuple(units), items)


def interval(sample: Sample, level: float = 0.95) -> Estimate | None:
    """The interval of a mean; none where there is one seed and no items, or nothing at all.

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
    low, high = spread.bounds(level)
    if not np.isfinite(low):
        return None
    return Estimate(float(sample.scores.mean()), float(low), float(high), float(spread.df), how)


def difference(a: Sample, b: Sample, level: float = 0.95) -> Difference | None:
    """`a` less `b`; none where neither seeds nor items can tell.

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
    low, high = spread.bounds(level)
    if not np.isfinite(low):
        return None
    p = spread.p(max(np.abs(a.scores).max(), np.abs(b.scores).max()))
    mean = float(a.scores.mean() - b.scores.mean())
    return Difference(mean, float(low), float(high), float(p), float(spread.df), how)


def holm(p: Sequence[float]) -> list[float]:
    """P-values adjusted for being several (Holm, 1979), in the given order; NaN is no test."""
    adjusted = [math.nan] * len(p)
    order = sorted((value, at) for at, value in enumerate(p) if not math.isnan(value))
    most = 0.0
    for place, (value, at) in enumerate(order):
        most = max(most, min(1.0, (len(order) - place) * value))
        adjusted[at] = most
    return adjusted


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
    """Contributions over more units than the sample has: those it lacks do not move its scores."""
    if sample.units == units:
        return items
    score = sample.scores[:, None]
    wide = np.repeat(score, len(units), axis=1)
    places = [units.index(unit) for unit in sample.units]
    wide[:, places] += (items - score) * len(units) / len(sample.units)
    return wide
