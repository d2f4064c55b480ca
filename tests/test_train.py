"""The training loop: what a step is made of, how it ends, and what a replay finds again."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.optim.optimizer import register_optimizer_step_pre_hook
from torch.testing import assert_close

from di_bench.corpus import Item
from di_bench.errors import CorpusError, DivergedError, ModelError
from di_bench.fit import Fitter
from di_bench.lm import LM
from di_bench.losses import nll
from di_bench.recipe import Recipe
from di_bench.steps import Pair
from di_bench.train import Training
from tests.conftest import FORGET, REFUSALS, RETAIN, fitter, load

SHORT = Recipe(lr=1e-3, epochs=2, batch_size=4, warmup=0)


def ordinary(lm: LM, pair: Pair) -> Tensor:
    return nll(lm, pair.forget)


def fresh(folder: Path) -> LM:
    lm = load(folder)
    lm.model.requires_grad_(True)
    return lm


def weights(lm: LM) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in lm.model.named_parameters()}


@contextmanager
def before_steps(see: Callable[[Any], None]) -> Iterator[None]:
    """Show every optimizer before each of its steps."""
    handle = register_optimizer_step_pre_hook(lambda optimizer, _args, _kwargs: see(optimizer))
    try:
        yield
    finally:
        handle.remove()


@pytest.mark.parametrize(
    ("change", "rates"),
    [
        ({}, [1 / 3, 2 / 3, 1, 0.75, 0.5, 0.25]),
        ({"warmup": 0}, [1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6]),
        ({"warmup": 0.5}, [1 / 2, 1, 0.8, 0.6, 0.4, 0.2]),
        ({"schedule": "constant"}, [1 / 3, 2 / 3, 1, 1, 1, 1]),
        (
            {"schedule": "cosine"},
            [1 / 3, 2 / 3, *((1 + math.cos(math.pi * n / 4)) / 2 for n in range(4))],
        ),
        ({"warmup": 3}, [n / 7 for n in range(1, 7)]),
    ],
)
def test_the_rate_climbs_and_then_falls_towards_zero(
    lm: LM, tmp_path: Path, change: dict[str, Any], rates: list[float]
) -> None:
    recipe = replace(Recipe(lr=0.01, epochs=3, batch_size=4), **change)
    seen: list[float] = []
    lm.model.requires_grad_(True)
    with before_steps(lambda optimizer: seen.append(optimizer.param_groups[0]["lr"])):
        fitter(tmp_path)(lm, ordinary, recipe)
    assert seen == pytest.approx([0.01 * rate for rate in rates])


def test_training_lowers_the_loss_and_keeps_what_it_cost(lm: LM, tmp_path: Path) -> None:
    fit = fitter(tmp_path)
    told: list[float] = []
    fit.watch = told.append
    lm.model.requires_grad_(True)
    assert fit(lm, ordinary, replace(SHORT, epochs=3, batch_size=3)) is lm
    (done,) = fit.trainings
    assert done.steps == 9
    assert done.tokens == 3 * sum(len(lm.encode(item).ids) for item in FORGET)
    assert list(done.curve) == sorted(done.curve, reverse=True)
    assert told == pytest.approx([n / 9 for n in range(1, 10)])
    assert not lm.model.training


def test_a_replay_restores_the_same_weights_and_does_not_train(tiny: Path, tmp_path: Path) -> None:
    first, second = fresh(tiny), fresh(tiny)
    made, found = fitter(tmp_path), fitter(tmp_path)
    for fit, lm in ((made, first), (found, second)):

        def loss(lm: LM, pair: Pair, fit: Fitter = fit) -> Tensor:
            assert fit is made
            return ordinary(lm, pair)

        fit(lm, loss, SHORT)
        fit(lm, loss, replace(SHORT, lr=1e-4))
    assert_close(weights(second), weights(first), rtol=0, atol=0)
    assert found.trainings == made.trainings
    assert len({training.curve for training in found.trainings}) == 2


@pytest.mark.parametrize(
    ("broken", "found"),
    [
        (lambda loss: loss * math.nan, "loss is nan at step 3 \\(epoch 2\\)"),
        (lambda loss: loss * math.inf, "loss is inf at step 3 \\(epoch 2\\)"),
        (lambda loss: loss + (loss * 0).sqrt(), "gradient is nan at step 3 \\(epoch 2\\)"),
    ],
)
def test_a_loss_that_leaves_the_numbers_names_its_step_and_keeps_nothing(
    lm: LM, tmp_path: Path, broken: Callable[[Tensor], Tensor], found: str
) -> None:
    calls: list[int] = []

    def loss(lm: LM, pair: Pair) -> Tensor:
        calls.append(1)
        return broken(ordinary(lm, pair)) if len(calls) == 4 else ordinary(lm, pair)

    lm.model.requires_grad_(True)
    fit = fitter(tmp_path)
    with pytest.raises(DivergedError, match=found):
        fit(lm, loss, SHORT)
    assert len(calls) == 4
    assert fit.trainings == []
    assert all(p.isfinite().all() for p in lm.model.parameters())


def test_stop_is_asked_of_a_quiet_model_after_each_epoch(lm: LM, tmp_path: Path) -> None:
    modes: list[bool] = []

    def stop(lm: LM) -> bool:
        modes.append(lm.model.training)
        return len(modes) == 2

    def loss(lm: LM, pair: Pair) -> Tensor:
        assert lm.model.training
        return ordinary(lm, pair)

    lm.model.requires_grad_(True)
    fit = fitter(tmp_path)
    fit(lm, loss, replace(SHORT, epochs=5), stop=stop)
    assert modes == [False, False]
    assert (fit.trainings[0].steps, len(fit.trainings[0].curve)) == (4, 2)


def test_a_seed_repeats_itself_and_another_does_not(tiny: Path, tmp_path: Path) -> None:
    def train(name: str, seed: int) -> dict[str, Tensor]:
        lm = fresh(tiny)
        fitter(tmp_path / name, seed)(lm, lambda lm, p: ordinary(lm, p) + nll(lm, p.retain), SHORT)
        return weights(lm)

    once, again, other = train("once", 3), train("again", 3), train("other", 4)
    assert all(torch.equal(once[name], again[name]) for name in once)
    assert any(not torch.equal(once[name], other[name]) for name in once)


def pairs_of(lm: LM, folder: Path, recipe: Recipe, seed: int = 0) -> list[Pair]:
    """Every micro-batch of a training."""
    seen: list[Pair] = []

    def loss(lm: LM, pair: Pair) -> Tensor:
        seen.append(pair)
        return ordinary(lm, pair)

    lm.model.requires_grad_(True)
    fitter(folder, seed)(lm, loss, recipe)
    return seen


@pytest.mark.parametrize("micro_batch", [None, 2])
def test_retain_and_refusal_are_as_long_as_forget(
    lm: LM, tmp_path: Path, micro_batch: int | None
) -> None:
    recipe = replace(SHORT, epochs=1, batch_size=3, micro_batch=micro_batch)
    pairs = pairs_of(lm, tmp_path, recipe)
    sizes = [len(pair.forget.rows) for pair in pairs]
    assert sizes == ([3, 3, 2] if micro_batch is None else [2, 1, 2, 1, 2])
    for pair in pairs:
        assert len(pair.retain.rows) == len(pair.refusal.rows) == len(pair.forget.rows)
        assert pair.refusal.rows == pair.forget.rows
        assert [b.split for b in (pair.forget, pair.retain, pair.refusal)] == [
            "forget", "retain", "refusal",
        ]  # fmt: skip
    assert sorted(row for pair in pairs for row in pair.forget.rows) == list(range(8))


def test_a_part_counts_the_answers_of_its_whole_step(lm: LM, tmp_path: Path) -> None:
    pairs = pairs_of(lm, tmp_path, replace(SHORT, epochs=1, batch_size=4, micro_batch=3))
    for step in (pairs[:2], pairs[2:]):
        for batches in zip(*((p.forget, p.retain, p.refusal) for p in step), strict=True):
            assert {b.sequences for b in batches} == {4}
            assert {b.tokens for b in batches} == {sum(len(b.targets) for b in batches)}


@pytest.mark.parametrize(("keep", "kept"), [(0.1, [1, 1, 1]), (0.5, [2, 2, 1]), (2, [6, 6, 4])])
@pytest.mark.parametrize("micro_batch", [None, 1])
def test_a_step_may_keep_fewer_or_more_texts_than_it_forgets(
    lm: LM, tmp_path: Path, keep: float, kept: list[int], micro_batch: int | None
) -> None:
    seen: list[Pair] = []

    def loss(lm: LM, pair: Pair) -> Tensor:
        seen.append(pair)
        return ordinary(lm, pair) + nll(lm, pair.retain)

    lm.model.requires_grad_(True)
    fit = replace(fitter(tmp_path), keep=keep)
    fit(lm, loss, replace(SHORT, epochs=1, batch_size=3, micro_batch=micro_batch))
    assert all(pair.retain.rows and pair.forget.rows for pair in seen)
    steps = list(dict.fromkeys(pair.retain.sequences for pair in seen))
    assert steps == list(dict.fromkeys(kept))
    assert sum(len(pair.retain.rows) for pair in seen) == sum(kept)
    assert sorted(row for pair in seen for row in pair.forget.rows) == list(range(8))


def test_a_pool_puts_texts_of_like_length_in_a_step(lm: LM, tmp_path: Path) -> None:
    items = [replace(FORGET[0], id=str(n), answer="x" * (n * 5 % 8 + 1)) for n in range(8)]
    fit = Fitter({"forget": items}, (), 0, fitter(tmp_path).piece, 64, pool=2)
    seen: list[tuple[int, ...]] = []

    def loss(lm: LM, pair: Pair) -> Tensor:
        seen.append(tuple(sorted(len(items[row].answer) for row in pair.forget.rows)))
        return ordinary(lm, pair)

    lm.model.requires_grad_(True)
    fit(lm, loss, replace(SHORT, epochs=3, batch_size=2))
    epochs = [seen[start : start + 4] for start in range(0, 12, 4)]
    for epoch in epochs:
        assert sorted(length for step in epoch for length in step) == list(range(1, 9))
    assert len({frozenset(epoch) for epoch in epochs}) > 1
    fit.pool = 4
    fit(lm, loss, replace(SHORT, epochs=1, batch_size=2))
    assert set(seen[12:]) == {(1, 2), (3, 4), (5, 6), (7, 8)}
    assert seen[12:] != sorted(seen[12:])


def test_an_epoch_shuffles_what_the_last_one_showed(lm: LM, tmp_path: Path) -> None:
    pairs = pairs_of(lm, tmp_path, replace(SHORT, epochs=2, batch_size=8))
    orders = [pair.forget.rows for pair in pairs]
    assert orders[0] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1])


def test_a_refusal_belongs_to_its_item_and_seed(lm: LM, tmp_path: Path) -> None:
    def told(name: str, seed: int) -> dict[int, str]:
        pairs = pairs_of(lm, tmp_path / name, replace(SHORT, epochs=3), seed)
        texts = [
            (row, lm.text(ids))
            for pair in pairs
            for row, ids in zip(pair.refusal.rows, pair.refusal.ids.tolist(), strict=True)
        ]
        assert len(set(texts)) == len(FORGET) < len(texts)  # the same in every epoch
        return dict(texts)

    first = told("first", 0)
    for row, text in first.items():
        question, answer = text.split("\nAnswer: ")
        assert question == f"Question: {FORGET[row].prompt}"
        assert answer in REFUSALS
    assert told("again", 0) == first
    assert any(told(f"other {seed}", seed) != first for seed in (1, 2))


def test_what_is_not_there_is_said_in_one_line(lm: LM, tmp_path: Path) -> None:
    fit = Fitter({"forget": FORGET, "retain": RETAIN}, (), 0, fitter(tmp_path).piece, 64)
    with pytest.raises(CorpusError, match="no refusals"):
        fit.reference(lm, "refusal")
    with pytest.raises(ModelError, match="no gold model"):
        fit.gold()


def test_a_step_whose_prompts_fill_the_limit_teaches_nothing(lm: LM, tmp_path: Path) -> None:
    long = [replace(FORGET[0], prompt="?" * 200)]
    fit = Fitter({"forget": long}, (), 0, fitter(tmp_path).piece, 40)
    lm.model.requires_grad_(True)
    before = weights(lm)
    fit(lm, ordinary, replace(SHORT, weight_decay=0.0))
    assert fit.trainings[0].curve == (0.0, 0.0)
    assert_close(weights(lm), before, rtol=0, atol=0)


def test_an_item_is_cut_at_the_suites_limit_in_training(lm: LM, tmp_path: Path) -> None:
    fit = Fitter(
        {"forget": [Item("a", "", "qa", "?", "x" * 200)]}, (), 0, fitter(tmp_path).piece, 40
    )
    assert [len(text.ids) for text in fit._encoded(lm, "forget")] == [40]


def test_memory_that_runs_out_halves_the_parts_and_changes_nothing(
    tiny: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sizes: list[int] = []
    noted: list[float] = []

    def loss(lm: LM, pair: Pair) -> Tensor:
        sizes.append(len(pair.forget.rows))
        kept = nll(lm, pair.retain)
        pair.note("retain", kept)
        noise = 1 + torch.rand(()) / 10
        if len(pair.forget.rows) > 2:
            kept.backward()  # type: ignore[no-untyped-call]  # a part of it was already done
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return noise * (kept - ordinary(lm, pair))

    def trained(name: str, micro_batch: int | None) -> tuple[dict[str, Tensor], Training]:
        lm, fit = fresh(tiny), fitter(tmp_path / name)
        recipe = replace(SHORT, batch_size=8, micro_batch=micro_batch)
        fit(lm, loss, recipe, after=lambda notes: noted.append(notes["retain"]))
        return weights(lm), replace(fit.trainings[0], seconds=0)

    ran, cost = trained("out", None)
    assert sizes == [8, 4, *[2] * 8]  # found out once, not in every step
    assert [record.message.partition(":")[0] for record in caplog.records] == ["out of memory"] * 2
    expected, same_cost = trained("set", 2)
    assert_close(ran, expected, rtol=0, atol=0)
    assert cost == same_cost
    assert noted[:2] == noted[2:]


def test_memory_for_not_even_one_text_is_said_with_the_mend(lm: LM, tmp_path: Path) -> None:
    def loss(lm: LM, pair: Pair) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    lm.model.requires_grad_(True)
    with pytest.raises(ModelError, match=r"single text at once; set recipe\.checkpointing=true"):
        fitter(tmp_path)(lm, loss, SHORT)


def test_no_prompt_and_no_padding_reaches_the_vocabulary(lm: LM, tmp_path: Path) -> None:
    rows: list[tuple[int, int]] = []
    most: list[int] = []

    def see(_: Any, given: tuple[Tensor, ...], made: Tensor) -> None:  # noqa: ANN401 - torch's
        rows.append((given[0].numel() // given[0].shape[-1], made.numel() // made.shape[-1]))

    def loss(lm: LM, pair: Pair) -> Tensor:
        rows.clear()
        value = ordinary(lm, pair) + nll(lm, pair.retain)
        answers = [len(batch.targets) for batch in (pair.forget, pair.retain)]
        assert rows == [(n, n) for n in answers]
        most.append(sum(batch.ids.numel() for batch in (pair.forget, pair.retain)) // sum(answers))
        return value

    handle = lm.head.register_forward_hook(see)
    lm.model.requires_grad_(True)
    fitter(tmp_path)(lm, loss, SHORT)
    handle.remove()
    assert min(most) > 1  # or it would say nothing
