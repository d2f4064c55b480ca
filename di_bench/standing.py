"""Who stands where in a column: the best row, those not told apart from it, and ranks.

All pairs of rows are tested at once; `stats.difference` is the same test of one pair.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from di_bench.spread import Floats, Spread, alone, combined, crossed, effects
from di_bench.stats import Estimate, Made, Sample, difference, holm

LEVEL = 0.05
"""A difference whose adjusted p-value is below this is told."""


@dataclass(frozen=True)
class Place:
    """Where a row stands among the rows that compete."""

    best: bool
    tied: bool
    """Not told apart from the best."""
    low: int
    """One more than the rows that are told to be better."""
    high: int
    """All rows but those that are told to be worse."""

    def __str__(self) -> str:
        """`2`, or `1-3`."""
        return f"{self.low}" if self.low == self.high else f"{self.low}-{self.high}"


def places(samples: Sequence[Sample], *, lower: bool) -> list[Place]:
    """The place of each row; the first of equal means is the best one.

    Ties are adjusted for one test with each other row, ranks for a test of every pair (Holm). What
    cannot be tested is not told apart.
    """
    if not samples:
        return []
    sign = -1 if lower else 1
    means = np.array([sign * sample.scores.mean() for sample in samples])
    p = p_values(samples)
    best = int(means.argmax())
    rivals = [row for row in range(len(samples)) if row != best]
    told = dict(zip(rivals, holm([p[best, row] for row in rivals]), strict=True))
    pairs = np.triu_indices(len(samples), 1)
    worse = np.zeros(p.shape, dtype=bool)
    worse[pairs] = np.array(holm(p[pairs].tolist())) < LEVEL
    worse |= worse.T
    above = (worse & (means[None, :] > means[:, None])).sum(1)
    below = (worse & (means[None, :] < means[:, None])).sum(1)
    return [
        Place(
            row == best,
            row != best and not told[row] < LEVEL,
            1 + int(above[row]),
            len(samples) - int(below[row]),
        )
        for row in range(len(samples))
    ]


def estimates(samples: Sequence[Sample]) -> list[Estimate | None]:
    """`stats.interval` of each row, at 95 %."""
    found: list[Estimate | None] = [None] * len(samples)
    for rows in _alike(samples, lambda sample: (len(sample.seeds), len(sample.units))):
        first = samples[rows[0]]
        how: Made = "crossed" if len(first.units) > 1 else "seeds"
        scores = np.stack([samples[row].scores for row in rows])
        if len(first.seeds) < 2:
            if how == "seeds" or not first.seeds:
                continue
            how, spread = "items", alone(_tables(samples, rows)[:, 0])
        else:
            spread = crossed(_tables(samples, rows)) if how == "crossed" else alone(scores)
        bounds = spread.bounds()
        made = zip(rows, scores.mean(1), *bounds, spread.df, strict=True)
        for row, mean, low, high, df in made:
            if np.isfinite(low):
                found[row] = Estimate(float(mean), float(low), float(high), float(df), how)
    return found


def p_values(samples: Sequence[Sample]) -> Floats:
    """(M, M) p-values of every pair; NaN where neither seeds nor items can tell."""
    found = np.full((len(samples), len(samples)), np.nan)
    block = np.zeros(len(samples), dtype=np.intp)
    blocks = _alike(samples, lambda sample: (sample.seeds, sample.units))
    if len(blocks) == 1 and len(samples[0].seeds) > 1:
        return _paired(samples, blocks[0])
    for number, rows in enumerate(blocks):
        block[rows] = number
        if len(samples[rows[0]].seeds) > 1:
            found[np.ix_(rows, rows)] = _paired(samples, rows)
    for a in range(len(samples)):
        for b in range(a + 1, len(samples)):
            if block[a] != block[b] or len(samples[a].seeds) < 2:
                told = difference(samples[a], samples[b])
                found[a, b] = found[b, a] = told.p if told else np.nan
    return found


@np.errstate(over="ignore", invalid="ignore")
def _paired(samples: Sequence[Sample], rows: Sequence[int]) -> Floats:
    """P-values of all pairs of some rows with the same seeds and units."""
    scores = np.stack([samples[row].scores for row in rows])
    seeds, units = scores.shape[1], len(samples[rows[0]].units)
    means, size = scores.mean(1), np.abs(scores).max(1)
    mean = means[:, None] - means[None, :]
    if units > 1:
        _, by_seed, by_unit, left = effects(_tables(samples, rows))
        sums = _apart(by_seed), _apart(by_unit), _apart(left.reshape(len(rows), -1))
        spread = combined(mean, sums, seeds, units)
    else:
        variance = _apart(scores - means[:, None]) / (seeds - 1) / seeds
        spread = Spread(mean, variance, np.full(mean.shape, seeds - 1.0))
    p = spread.p(np.maximum(size[:, None], size[None, :]))
    return np.where(np.isfinite(spread.variance), p, np.nan)


def _tables(samples: Sequence[Sample], rows: Sequence[int]) -> Floats:
    """(M, S, G) contributions of rows that have them."""
    return np.stack([items for row in rows if (items := samples[row].items) is not None])


def _alike(samples: Sequence[Sample], key: Callable[[Sample], Hashable]) -> list[list[int]]:
    """Rows with the same key, together."""
    found: dict[Hashable, list[int]] = {}
    for row, sample in enumerate(samples):
        found.setdefault(key(sample), []).append(row)
    return list(found.values())


def _apart(rows: Floats) -> Floats:
    """(M, M) squared distances of (M, K) rows."""
    products = rows @ rows.T
    own = np.diagonal(products)
    return np.maximum(own[:, None] + own[None, :] - 2 * products, 0.0)
