"""How sure a mean over seeds and items is, and whether two of them differ.

Every seed is asked every item, so both are crossed: an interval speaks of other seeds and of other
items at once. Items of one author or document go together and count as one unit. What the intervals
hold and how often a difference is a false alarm is measured by `benchmarks/coverage.py`.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

Floats = NDArray[np.float64]

ROUNDING = 1e-12
"""A difference below so small a part of the scores is the last digits of a sum, not a finding."""


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


@dataclass(frozen=True)
class Estimate:
    """A mean and its interval; `how` says what it was made from."""

    mean: float
    low: float
    high: float
    df: float
    how: Literal["crossed", "seeds", "items"]


@dataclass(frozen=True)
class Difference:
    """One mean less another, its interval, and the p-value of there being none."""

    mean: float
    low: float
    high: float
    p: float
    df: float
    how: Literal["paired", "paired seeds", "welch", "items"]


class Spread(NamedTuple):
    """Means with the variance of each and its degrees of freedom, of any shape."""

    mean: Floats
    variance: Floats
    df: Floats

    def bounds(self, level: float) -> tuple[Floats, Floats]:
        """The ends of the intervals."""
        half = stdtrit(self.df, (1 + level) / 2) * np.sqrt(self.variance)
        return self.mean - half, self.mean + half

    def p(self, scale: Floats | float) -> Floats:
        """Two-sided p-values of a mean of zero, which is known to about `ROUNDING * scale`."""
        with np.errstate(divide="ignore", invalid="ignore"):
            found = 2 * stdtr(self.df, -np.abs(self.mean) / np.sqrt(self.variance))
        return np.where(np.abs(self.mean) <= ROUNDING * np.abs(scale), 1.0, found)


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
    if not agrees or 2 * shared < len(units):
        return Sample(seeds, values)
    score = values[:, None]
    items = score + len(units) * (sums - counts * score) / total[:, None]
    return Sample(seeds, values, tuple(units), items)


def interval(sample: Sample, level: float = 0.95) -> Estimate | None:
    """The interval of a mean; none where there is one seed and no items, or nothing at all."""
    if not sample.seeds:
        return None
    how: Literal["crossed", "seeds", "items"]
    table = sample.items if len(sample.units) > 1 else None
    if len(sample.seeds) > 1:
        how = "seeds" if table is None else "crossed"
        spread = alone(sample.scores) if table is None else crossed(table)
    elif table is not None:
        how, spread = "items", alone(table[0])
    else:
        return None
    low, high = spread.bounds(level)
    return Estimate(float(sample.scores.mean()), float(low), float(high), float(spread.df), how)


def difference(a: Sample, b: Sample, level: float = 0.95) -> Difference | None:
    """`a` less `b`; none where neither seeds nor items can tell.

    Samples of the same seeds are paired, by items too where both have them. Other seeds are other
    draws: then the means of seeds are compared (Welch). A single seed leaves the items alone.
    """
    if not a.seeds or not b.seeds:
        return None
    how: Literal["paired", "paired seeds", "welch", "items"]
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


def crossed(table: Floats) -> Spread:
    """Of (..., S, G) values, seeds by units: the mean when both are draws.

    Var = (MS_seed + MS_item - MS_residual) / (S G), with Satterthwaite's degrees of freedom. Where
    neither seeds nor items matter that may fall below zero: it is at least the smaller of MS_seed
    and MS_item (the larger, where coarse values leave nothing of the smaller), and the degrees of
    freedom are at least those of the smaller side.
    """
    seeds, units = table.shape[-2:]
    mean = table.mean((-2, -1))
    centred = table - mean[..., None, None]
    by_seed, by_unit = centred.mean(-1), centred.mean(-2)
    left = centred - by_seed[..., None] - by_unit[..., None, :]
    free = (seeds - 1, units - 1, (seeds - 1) * (units - 1))
    squares = (
        units * (by_seed**2).sum(-1) / free[0],
        seeds * (by_unit**2).sum(-1) / free[1],
        (left**2).sum((-2, -1)) / free[2],
    )
    return combined(mean, squares, free)


def combined(mean: Floats, squares: tuple[Floats, Floats, Floats], free: Sequence[int]) -> Spread:
    """From the mean squares of seeds, units and residual, and their degrees of freedom."""
    by_seed, by_unit, left = squares
    least = np.minimum(by_seed, by_unit)
    least = np.where(least > ROUNDING * left, least, np.maximum(by_seed, by_unit))
    whole = np.maximum(by_seed + by_unit - left, least)
    doubt = sum((square**2 / of for square, of in zip(squares, free, strict=True)), np.zeros(()))
    with np.errstate(divide="ignore", invalid="ignore"):
        df = np.where(doubt > 0, whole**2 / doubt, 0.0)
    cells = (free[0] + 1) * (free[1] + 1)
    return Spread(mean, whole / cells, np.maximum(df, min(free)))


def alone(values: Floats) -> Spread:
    """Of (..., N) values with one thing to draw: Student's t."""
    count = values.shape[-1]
    variance = values.var(-1, ddof=1) / count
    return Spread(values.mean(-1), variance, np.full_like(variance, count - 1))


def welch(a: Floats, b: Floats) -> Spread:
    """The difference of the means of (..., N) and (..., M) values that do not pair."""
    free = (a.shape[-1] - 1, b.shape[-1] - 1)
    parts = a.var(-1, ddof=1) / a.shape[-1], b.var(-1, ddof=1) / b.shape[-1]
    whole = parts[0] + parts[1]
    doubt = parts[0] ** 2 / free[0] + parts[1] ** 2 / free[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        df = np.where(doubt > 0, whole**2 / doubt, min(free))
    return Spread(a.mean(-1) - b.mean(-1), whole, df)


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
