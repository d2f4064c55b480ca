"""Several answers to one prompt, each pass with its own seed; and truths that are cut."""

from collections.abc import Sequence
from dataclasses import replace

from di_bench.asking import written
from di_bench.asks import Write
from di_bench.corpus import Item
from di_bench.lm import LM
from di_bench.transcript import Rows
from tests.conftest import FORGET

DOCUMENT = Item("doc", "", "document", "", "It is 37. It is 74. It is 10.")


def write(lm: LM, items: Sequence[Item], seed: int = 0, **changes: object) -> Rows:
    asked = Write.model_validate({"ask": "write", "split": "forget", "new_tokens": 8} | changes)
    return written(lm, asked, items, seed, lambda _: None)


def test_more_samples_leave_the_first_as_it_was(lm: LM) -> None:
    items = FORGET[:4]
    one = write(lm, items, seed=3, top_p=1.0, new_tokens=20)
    rows = write(lm, items, seed=3, top_p=1.0, new_tokens=20, samples=3)
    assert rows[:4] == one
    assert [row.index for row in rows] == [0] * 4 + [1] * 4 + [2] * 4
    assert [row.item for row in rows] == [item.id for item in items] * 3
    passes = [[row.answer_ids for row in rows if row.index == at] for at in range(3)]
    assert passes[0] != passes[1] != passes[2] != passes[0]
    assert rows == write(lm, items, seed=3, top_p=1.0, new_tokens=20, samples=3)
    other = write(lm, items, seed=4, top_p=1.0, new_tokens=20, samples=3)
    assert [row.answer_ids for row in other if row.index == 1] not in passes


def test_samples_tell_how_far_they_are(lm: LM) -> None:
    heard: list[float] = []
    asked = Write(ask="write", split="forget", new_tokens=2, top_p=0.9, samples=2)
    written(lm, asked, FORGET[:2], 0, heard.append)
    assert heard == sorted(heard)
    assert (heard[0], heard[-1]) == (0.5, 1.0)


def test_a_truth_may_be_cut(lm: LM) -> None:
    (whole,), (cut,) = write(lm, [DOCUMENT]), write(lm, [DOCUMENT], truth_tokens=5)
    assert whole.truth == DOCUMENT.answer
    assert cut == replace(whole, truth="t is", truth_ids=whole.truth_ids[:5])  # "I" begins it
