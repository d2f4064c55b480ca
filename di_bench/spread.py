"""Means with their variances and degrees of freedom, many at once: what `stats.py` is made of.

The first axes are whatever is asked together; the last ones are seeds (S) and units (G).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

Floats = NDArray[np.float64]

ROUNDING = 1e-12
"""A difference below so small a part of the scores is the last digits of a sum, not a finding."""


class Spread(NamedTuple):
    """Means with the variance of each and its degrees of freedom, of any shape."""

    mean: Floats
    variance: Floats
    df: Floats

    @np.errstate(over="ignore", invalid="ignore")
    def bounds(self) -> tuple[Floats, Floats]:
        """The ends of the 95 % intervals; not finite where squares were too large to hold."""
        half = stdtrit(self.df, 0.975) * np.sqrt(self.variance)
        return self.mean - half, self.mean + half

    @np.errstate(divide="ignore", invalid="ignore")
    def p(self, scale: Floats | float) -> Floats:
        """Two-sided p-values of a mean of zero, which is known to about `ROUNDING * scale`."""
        found = 2 * stdtr(self.df, -np.abs(self.mean) / np.sqrt(self.variance))
        return np.where(np.abs(self.mean) <= ROUNDING * np.abs(scale), 1.0, found)


@np.errstate(over="ignore", divide="ignore", invalid="ignore")
def crossed(table: Floats) -> Spread:
    """Of (..., S, G) values, seeds by units: the mean when both are draws.

    Var = (MS_seed + MS_item - MS_residual) / (S G). Where neither matters that may fall below zero:
    it is at least the smaller of MS_seed and MS_item (the larger, where coarse values leave nothing
    of the smaller). Degrees of freedom are those of seeds and units, 1 / df averaged by their
    shares of Var. Satterthwaite's, which weigh the squares of shares, cover 92 % at three seeds.
    """
    mean, by_seed, by_unit, left = effects(table)
    squares = (by_seed**2).sum(-1), (by_unit**2).sum(-1), (left**2).sum((-2, -1))
    return combined(mean, squares, *table.shape[-2:])


def effects(table: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """The mean of (..., S, G) values, what each seed and each unit moves it by, and the rest."""
    mean = table.mean((-2, -1))
    centred = table - mean[..., None, None]
    by_seed, by_unit = centred.mean(-1), centred.mean(-2)
    return mean, by_seed, by_unit, centred - by_seed[..., None] - by_unit[..., None, :]


@np.errstate(over="ignore", divide="ignore", invalid="ignore")
def combined(mean: Floats, sums: tuple[Floats, Floats, Floats], seeds: int, units: int) -> Spread:
    """`crossed`, from the sums of squared effects of seeds, of units, and of the rest."""
    free = (seeds - 1, units - 1)
    by_seed, by_unit = units * sums[0] / free[0], seeds * sums[1] / free[1]
    left = sums[2] / (free[0] * free[1])
    least = np.minimum(by_seed, by_unit)
    least = np.where(least > ROUNDING * left, least, np.maximum(by_seed, by_unit))
    whole = np.maximum(by_seed + by_unit - left, least)
    shares = [
        np.clip(square / whole, 0, 1) / of
        for square, of in ((by_seed, free[0]), (by_unit, free[1]))
    ]
    df = np.where(whole > 0, 1 / (shares[0] + shares[1]), 0.0)
    return Spread(mean, whole / (seeds * units), np.maximum(df, min(free)))


@np.errstate(over="ignore", divide="ignore", invalid="ignore")
def alone(values: Floats) -> Spread:
    """Of (..., N) values with one thing to draw: Student's t."""
    count = values.shape[-1]
    variance = values.var(-1, ddof=1) / count
    return Spread(values.mean(-1), variance, np.full_like(variance, count - 1))


@np.errstate(over="ignore", divide="ignore", invalid="ignore")
def welch(a: Floats, b: Floats) -> Spread:
    """The difference of the means of (..., N) and (..., M) values that do not pair."""
    free = (a.shape[-1] - 1, b.shape[-1] - 1)
    parts = a.var(-1, ddof=1) / a.shape[-1], b.var(-1, ddof=1) / b.shape[-1]
    whole = parts[0] + parts[1]
    doubt = parts[0] ** 2 / free[0] + parts[1] ** 2 / free[1]
    df = np.where(doubt > 0, whole**2 / doubt, min(free))
    return Spread(a.mean(-1) - b.mean(-1), whole, df)
