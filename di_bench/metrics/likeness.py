"""How like human texts the model's are: as a set (MAUVE), and one by one (cosines).

A judge has turned each text into features. Without another model they are the grown base model's
last hidden states, so that an offline machine can grade; two judges' numbers do not compare.
"""

import math
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from di_bench.metrics import judged
from di_bench.metrics.items import average, mean
from di_bench.metrics.metric import GapError, Score
from di_bench.transcript import Row, Rows

FEWEST = 20
Features = tuple[float, ...]


def mauve(rows: Rows) -> Score:
    """Area under the divergence curve of the two sets of features, quantised to n/10 buckets.

    Source: Pillutla et al. 2021 (arXiv 2102.01454); the mauve-text package, c = 5, seed 25.
    Range: above 0 to 1. Better: higher.
    Good or bad: human against other human text of the same n; below that the sets differ in kind.
    Lies: it depends on n and flatters when n is small, so compare equal `n` only. The order of rows
    moves its clusters, and so the value, a little.
    The first n of each side are taken, n the smaller count; below 20 there is no number. Where the
    probe has several `samples`, it is the mean over them and `sd` their standard deviation. With
    GPT-2 large as the judge it would be the paper's but for how texts are cut. No items: it belongs
    to the whole set.
    """
    human = _features(judged.humans(rows))
    models = [_features(sample) for sample in judged.samples(rows)]
    if len({len(model) for model in models}) > 1:
        raise GapError("the samples are of different numbers of texts")
    n = min(len(models[0]), len(human))
    if n < FEWEST:
        raise GapError(f"{n} texts a side are too few; {FEWEST} are the least")
    _same_length([*human[:n], *(text for model in models for text in model[:n])])
    areas = [_area(human[:n], model[:n]) for model in models]
    parts = {"n": float(n)}
    if len(areas) > 1:
        parts |= {"samples": float(len(areas)), "sd": judged.spread(areas)}
    return Score(mean(areas), parts=parts)


def coherence(rows: Rows) -> Score:
    """cos(features of the prompt, features of what the model wrote on from it), over items.

    Source: Su et al. 2022 (arXiv 2202.06417) with SimCSE features; here with the judge's.
    Range: -1 to 1. Better: higher.
    Good or bad: beside `human`, the same of the human's continuations.
    Lies: a copy of the prompt is most coherent. A language model's last hidden state is about the
    token to come: on the built-in sizes `human` is 0 and nothing is told apart, in larger ones any
    two texts come near 1. Let a sentence embedder judge.
    Features that are all zero are left out.
    """
    prompts = judged.by_place(judged.prompts(rows))
    score = _nearness(judged.models(rows), prompts)
    human = _nearness(judged.humans(rows), prompts)
    return Score(score.value, score.items, {"human": human.value or 0.0, **score.parts})


def similarity(rows: Rows) -> Score:
    """cos(features of what the model wrote, features of the true text), over items.

    Source: Reimers and Gurevych 2019 (arXiv 1908.10084) with sentence embeddings; here with the
    judge's features. Not clipped at 0.
    Range: -1 to 1. Better: lower on what must be forgotten, higher elsewhere.
    Good or bad: beside `human`, the mean over pairs of different true texts: what texts have that
    say different things.
    Lies: raw hidden states share a direction, so any two texts may come near 1 (.85 for answers of
    the built-in authors) and `human` is the only scale. Form counts: a wrong answer in the right
    words is similar.
    Features that are all zero are left out.
    """
    truths = judged.humans(rows)
    score = _nearness(judged.models(rows), judged.by_place(truths))
    among = _among([unit for unit in map(_unit, _features(truths)) if unit])
    return Score(score.value, score.items, {**among, **score.parts})


def _nearness(texts: Rows, others: dict[judged.Place, Row]) -> Score:
    """The cosine of each text with its other one, over items."""
    if lone := [row.item for row in texts if (row.item, row.start) not in others]:
        raise GapError(f"item {lone[0]!r} has nothing to compare with")
    theirs = [others[row.item, row.start] for row in texts]
    pairs = zip(_features(texts), _features(theirs), strict=True)
    values = [_cosine(*pair) for pair in pairs]
    return average(zip(texts, values, strict=True), "all features are zero")


def _features(rows: Rows) -> list[Features]:
    for row in rows:
        if not row.features or not all(map(math.isfinite, row.features)):
            raise GapError(f"item {row.item!r} has no features, or some that are not finite")
    return [row.features for row in rows]


def _same_length(texts: Sequence[Features]) -> None:
    if len({len(features) for features in texts}) > 1:
        raise GapError("the texts have features of different lengths")


def _unit(features: Features) -> Features | None:
    """Of length 1; None if all are zero. Scaled first, so that nothing over- or underflows."""
    most = max(map(abs, features))
    if not most:
        return None
    scaled = [value / most for value in features]
    length = math.hypot(*scaled)
    return tuple(value / length for value in scaled)


def _cosine(one: Features, other: Features) -> float | None:
    _same_length([one, other])
    units = _unit(one), _unit(other)
    if units[0] is None or units[1] is None:
        return None
    return max(-1.0, min(1.0, math.fsum(a * b for a, b in zip(units[0], units[1], strict=True))))


def _among(units: Sequence[Features]) -> dict[str, float]:
    """The mean cosine of two different texts: |sum|^2 holds every pair twice and each text once."""
    _same_length(units)
    n = len(units)
    if n < 2:
        return {}
    total = math.fsum(math.fsum(column) ** 2 for column in zip(*units, strict=True))
    return {"human": (total - n) / (n * (n - 1))}


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
