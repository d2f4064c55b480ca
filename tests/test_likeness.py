"""MAUVE against its package, and cosines by hand: their scales, their extremes and their gaps."""

import math
import random
import statistics
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mauve import compute_mauve

from di_bench.metrics.items import mean
from di_bench.metrics.judged import HUMAN, mark
from di_bench.transcript import Row
from tests.grading import grade, value


def judged(count: int, shift: float, index: int) -> list[Row]:
    rng = random.Random(index)
    return [
        Row(f"t{at}", index=index, features=tuple(rng.gauss(shift, 1) for _ in range(6)))
        for at in range(count)
    ]


def test_mauve() -> None:
    human = judged(60, 0.0, 1)
    near, far = judged(60, 0.0, 0), judged(60, 4.0, 0)
    close = grade("mauve", near + human)
    assert close.parts == {"n": 60.0}
    assert close == grade("mauve", near + human)
    assert close.value is not None
    assert 0 < value("mauve", far + human) < 0.1 < 0.7 < close.value <= 1
    assert grade("mauve", judged(70, 0.0, 0) + human).parts == {"n": 60.0}


def test_mauve_says_nothing_on_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    value("mauve", judged(20, 0.0, 0) + judged(20, 0.0, 1))
    assert capfd.readouterr() == ("", "")


def test_mauve_gaps() -> None:
    human = judged(20, 0.0, 1)
    assert "too few" in grade("mauve", judged(19, 0.0, 0) + human).gap
    assert "human" in grade("mauve", judged(20, 0.0, 0)).gap
    same = [Row(f"t{at}", index=at % 2, features=(1.0 + at, 0.0)) for at in range(40)]
    assert "same features" in grade("mauve", same).gap
    assert "'x'" in grade("mauve", [Row("x"), *human]).gap
    assert "'x'" in grade("mauve", [Row("x", features=(math.nan,)), *human]).gap
    ragged = [Row(f"t{at}", features=(1.0,)) for at in range(20)]
    assert "different lengths" in grade("mauve", ragged + human).gap


def test_mauve_is_the_packages() -> None:
    model, human = judged(50, 0.5, 0), judged(50, 0.0, 1)
    theirs = compute_mauve(
        p_features=np.array([row.features for row in human]),
        q_features=np.array([row.features for row in model]),
        num_buckets=5,
        mauve_scaling_factor=5,
        seed=25,
        verbose=False,
    )
    assert value("mauve", model + human) == pytest.approx(theirs.mauve, abs=1e-12)


def test_mauve_of_several_samples_is_their_mean_and_says_how_they_spread() -> None:
    human = judged(40, 0.0, 1)
    samples = [
        [replace(row, index=mark(at)) for row in judged(40, shift, 10 + at)]
        for at, shift in enumerate((0.0, 0.6, 1.2))
    ]
    alone = [
        value("mauve", [*(replace(row, index=0) for row in sample), *human]) for sample in samples
    ]
    together = grade("mauve", [*human, *(row for sample in samples for row in sample)])
    assert together.value == pytest.approx(mean(alone), abs=1e-12)
    parts = {"n": 40.0, "samples": 3.0, "sd": statistics.stdev(alone)}
    assert together.parts == pytest.approx(parts)
    short = [*human, *samples[0], *samples[1][:-1]]
    assert "different numbers" in grade("mauve", short).gap


def trio(item: str, prompt: list[float], model: list[float], human: list[float]) -> list[Row]:
    return [
        Row(item, part="prompt", features=tuple(prompt)),
        Row(item, features=tuple(model)),
        Row(item, index=HUMAN, features=tuple(human)),
    ]


def test_cosines_by_hand() -> None:
    rows = [
        *trio("a", [1.0, 0.0], [3.0, 4.0], [0.0, 2.0]),
        *trio("b", [0.0, 5.0], [0.0, -1.0], [1.0, 1.0]),
    ]
    coherent, similar = grade("coherence", rows), grade("similarity", rows)
    assert [item.value for item in coherent.items] == pytest.approx([0.6, -1.0])
    assert coherent.parts == pytest.approx({"human": math.sqrt(0.5) / 2})
    assert [item.value for item in similar.items] == pytest.approx([0.8, -math.sqrt(0.5)])
    assert similar.parts == pytest.approx({"human": math.sqrt(0.5)})


def test_samples_and_starts_of_an_item_are_averaged_first() -> None:
    rows = trio("a", [1.0, 0.0], [1.0, 0.0], [1.0, 0.0])
    rows.append(Row("a", index=mark(1), features=(0.0, 1.0)))
    rows += [replace(row, start=4) for row in trio("a", [0.0, 1.0], [0.0, 1.0], [0.0, 1.0])]
    for name in ("coherence", "similarity"):
        (item,) = grade(name, rows).items
        assert item.value == pytest.approx(2 / 3)
    again = grade("similarity", [*rows, rows[2]]).gap
    assert again == "item 'a' has two texts that cannot be told apart"


def test_cosines_have_gaps() -> None:
    rows = trio("a", [1.0, 0.0], [1.0, 1.0], [0.0, 1.0])
    assert "set `prompts: true`" in grade("coherence", rows[1:]).gap
    for name in ("coherence", "similarity"):
        for at in (1, 2):
            broken = [
                replace(row, features=(math.nan, 1.0)) if row is rows[at] else row for row in rows
            ]
            assert "not finite" in grade(name, broken).gap
        assert "nothing to compare" in grade(name, [*rows, Row("b", features=(1.0, 1.0))]).gap
        ragged = [*rows[:1], replace(rows[1], features=(1.0,)), *rows[2:]]
        assert "different lengths" in grade(name, ragged).gap
    zero = [replace(row, features=(0.0, 0.0)) for row in rows]
    assert grade("similarity", zero).gap == "all features are zero"
    assert grade("similarity", [*rows, *(replace(row, item="b") for row in zero)]).parts == {
        "left_out": 1.0
    }


vectors = st.lists(
    st.tuples(*[st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3)] * 3), min_size=1, max_size=6
)


@settings(max_examples=40, deadline=None)
@given(vectors, st.randoms(use_true_random=False))
def test_cosines_have_bounds_and_no_order(
    features: list[tuple[list[float], ...]], rng: random.Random
) -> None:
    rows = [row for at, three in enumerate(features) for row in trio(f"i{at}", *three)]
    for name in ("coherence", "similarity"):
        score, again = grade(name, rows), grade(name, rng.sample(rows, len(rows)))
        assert score.gap == again.gap
        if score.value is not None:
            assert again.value == pytest.approx(score.value, abs=1e-12)
            assert again.parts == pytest.approx(score.parts, abs=1e-9)
            assert all(-1 <= item.value <= 1 for item in score.items)
            assert score.value == mean([item.value for item in score.items])


@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e300])
@pytest.mark.parametrize(
    ("turned", "expected"), [(lambda x: x, 1.0), (lambda x: -x, -1.0)], ids=["same", "opposite"]
)
def test_the_truth_itself_is_most_similar(
    scale: float, turned: Callable[[float], float], expected: float
) -> None:
    one = [scale, -2 * scale, 0.5 * scale]
    rows = trio("a", one, [turned(x) * 0.5 for x in one], one)
    for name in ("coherence", "similarity"):
        assert value(name, rows) == pytest.approx(expected, abs=1e-12)
