"""MAUVE: how like human texts the model's are, as a set. A judge has turned each into features.

The features are the grown base model's last hidden states, so that an offline machine can grade;
with GPT-2 large they would be the paper's. The two kinds do not compare.
"""

import math
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from di_bench.metrics.metric import GapError, Score
from di_bench.transcript import Rows

MODEL, HUMAN = 0, 1
"""`Row.index` says whose text a row's features are of."""
FEWEST = 20


def mauve(rows: Rows) -> Score:
    """Area under the divergence curve of the two sets of features, quantised to n/10 buckets.

    Source: Pillutla et al. 2021 (arXiv 2102.01454); the mauve-text package, c = 5, seed 25.
    Range: above 0 to 1. Better: higher.
    Good or bad: human against other human text of the same n; below that the sets differ in kind.
    Lies: it depends on n and flatters when n is small, so compare equal `n` only.
    The first n of each side are taken, n the smaller count; below 20 there is no number. No items:
    it belongs to the whole set.
    """
    model, human = _features(rows, MODEL), _features(rows, HUMAN)
    n = min(len(model), len(human))
    if n < FEWEST:
        raise GapError(f"{n} texts a side are too few; {FEWEST} are the least")
    used = [*model[:n], *human[:n]]
    if len({len(features) for features in used}) > 1:
        raise GapError("the texts have features of different lengths")
    return Score(_area(human[:n], model[:n]), parts={"n": float(n)})


def _features(rows: Rows, index: int) -> list[tuple[float, ...]]:
    found = [row for row in rows if row.index == index]
    for row in found:
        if not row.features or not all(map(math.isfinite, row.features)):
            raise GapError(f"item {row.item!r} has no features, or some that are not finite")
    return [row.features for row in found]


def _area(human: Sequence[Sequence[float]], model: Sequence[Sequence[float]]) -> float:
    import numpy as np
    from mauve import compute_mauve  # here, since it loads torch and transformers

    texts = np.asarray([*human, *model], dtype=np.float64)
    lengths = np.linalg.norm(texts, axis=1, keepdims=True)
    units = texts / np.where(lengths == 0, 1.0, lengths)
    if np.ptp(units, axis=0).max() < 1e-12:  # its PCA would divide by zero
        raise GapError("all texts have the same features")
    with _silent():
        result = compute_mauve(
            p_features=texts[: len(human)],
            q_features=texts[len(human) :],
            num_buckets=max(2, len(human) // 10),
            kmeans_num_redo=5,
            mauve_scaling_factor=5,
            seed=25,
            verbose=False,
        )
    return float(result.mauve)


@contextmanager
def _silent() -> Iterator[None]:
    """Nothing reaches the process's stderr meanwhile.

    faiss wants 39 points a cluster and MAUVE's n/10 buckets give it 20, so its C++ code complains
    at every call, past Python's warnings.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
