"""What a step holds: alternates in turn, the focus of its whole, and what a loss notes of it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from di_bench.fit import Fitter
from di_bench.lm import LM
from di_bench.losses import nll
from di_bench.recipe import Recipe
from di_bench.steps import Pair
from tests.conftest import FORGET, RETAIN, fitter

SHORT = Recipe(lr=1e-3, epochs=2, batch_size=4, warmup=0)


def pairs_of(lm: LM, fit: Fitter, recipe: Recipe) -> list[Pair]:
    """Every micro-batch of a training."""
    seen: list[Pair] = []

    def loss(lm: LM, pair: Pair) -> Tensor:
        seen.append(pair)
        return nll(lm, pair.forget)

    lm.model.requires_grad_(True)
    fit(lm, loss, recipe)
    return seen


@pytest.mark.parametrize("micro_batch", [None, 1, 3])
def test_a_part_counts_the_focus_of_its_whole_step(
    lm: LM, tmp_path: Path, micro_batch: int | None
) -> None:
    some = [replace(item, focus=item.focus if n % 3 else ()) for n, item in enumerate(FORGET)]
    fit = replace(fitter(tmp_path), splits={"forget": some, "retain": RETAIN})
    pairs = pairs_of(lm, fit, replace(SHORT, epochs=1, batch_size=3, micro_batch=micro_batch))
    steps: dict[int, list[Pair]] = {}
    sizes = iter([3, 3, 2])
    left = step = 0
    for pair in pairs:
        if not left:
            left, step = next(sizes), step + 1
        left -= len(pair.forget.rows)
        steps.setdefault(step, []).append(pair)
    assert len(steps) == 3
    for parts in steps.values():
        held = sum(int(pair.forget.focus.sum()) for pair in parts)
        digits = [len(str(some[row].answer)) - 7 for p in parts for row in p.forget.rows if row % 3]
        assert held == sum(digits)
        assert {pair.forget.focused for pair in parts} == {held}


@pytest.mark.parametrize("micro_batch", [None, 2])
def test_epochs_take_the_alternates_of_a_question_in_turn(
    lm: LM, tmp_path: Path, micro_batch: int | None
) -> None:
    fit = fitter(tmp_path)
    fit._imagined = [[f"{row} {turn}" for turn in range(3)] for row in range(len(FORGET))]
    pairs = pairs_of(lm, fit, replace(SHORT, epochs=4, micro_batch=micro_batch))
    start = fit.reference(lm, "alternate")
    told: dict[int, list[str]] = {}
    for pair in pairs:
        batch = pair.alternate
        assert batch.split == "alternate"
        assert pair.forget.sequences == batch.sequences == 4
        for row, ids in zip(pair.forget.rows, map(lm.text, batch.ids.tolist()), strict=True):
            told.setdefault(row, []).append(ids)
        assert len(start.hidden(batch)) == len(batch.targets)
    for row, texts in told.items():
        assert texts == [
            f"Question: {FORGET[row].prompt}\nAnswer: {row} {turn}" for turn in (0, 1, 2, 0)
        ]


@pytest.mark.parametrize("micro_batch", [None, 1, 3])
def test_what_a_loss_notes_is_summed_over_a_step_and_told_once(
    lm: LM, tmp_path: Path, micro_batch: int | None
) -> None:
    told: list[Mapping[str, float]] = []

    def loss(lm: LM, pair: Pair) -> Tensor:
        kept = nll(lm, pair.retain)
        pair.note("retain", kept)
        assert not pair.notes["retain"].requires_grad
        if 0 in pair.forget.rows:
            pair.note("first", torch.tensor(2.0))
        return nll(lm, pair.forget) + kept

    lm.model.requires_grad_(True)
    still = replace(SHORT, lr=0.0, epochs=1)
    fitter(tmp_path)(lm, loss, replace(still, micro_batch=micro_batch), after=told.append)
    assert len(told) == 2
    whole = [seen["retain"] for seen in told]
    assert [seen.get("first", 0.0) for seen in told].count(2.0) == 1
    again: list[Mapping[str, float]] = []
    fitter(tmp_path / "whole")(lm, loss, still, after=again.append)
    assert [seen["retain"] for seen in again] == pytest.approx(whole, rel=1e-4)
