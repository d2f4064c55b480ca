"""What is asked and what is written down: reading and writing."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from di_bench import batch, probe
from di_bench.asks import Read, Write
from di_bench.corpus import Item
from di_bench.lm import LM
from di_bench.metrics import metric
from di_bench.template import Encoded
from di_bench.transcript import Row, Rows
from tests.conftest import FORGET, HOLDOUT, RETAIN

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")

DOCUMENT = Item("doc", "", "document", "", "It is 37. It is 74. It is 10.")
CHOICE = replace(RETAIN[0], id="choice", choices=("It is 6.", "No.", "It is 60."), correct=0)
LONG = "why " * 25


def write(lm: LM, items: Sequence[Item], seed: int = 0, **changes: object) -> Rows:
    asked = Write.model_validate({"ask": "write", "split": "forget", "new_tokens": 8} | changes)
    return probe.write(lm, asked, items, seed, lambda _: None)


def read(lm: LM, items: Sequence[Item], limit: int = 512, **changes: object) -> Rows:
    asked = Read.model_validate({"ask": "read", "split": "forget"} | changes)
    return probe.read(lm, asked, items, limit, lambda _: None)


def by_hand(lm: LM, text: Encoded) -> dict[str, list[float]]:
    """The per-token fields of one text, from its full logits in double precision."""
    with torch.no_grad():
        logits = lm.model(torch.tensor([text.ids])).logits[0].double().numpy()
    logits = logits[text.start - 1 : -1]
    p = np.exp(logits - logits.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    own = np.array(text.answer)
    mean = (p * np.log(p)).sum(-1)
    spread = (p * (np.log(p) - mean[:, None]) ** 2).sum(-1)
    return {
        "logprobs": np.log(p[np.arange(len(own)), own]).tolist(),
        "hits": (p.argmax(-1) == own).tolist(),
        "entropies": (-mean).tolist(),
        "variances": spread.tolist(),
    }


def test_a_reading_is_what_the_full_logits_say(lm: LM) -> None:
    rows = read(lm, [*FORGET[:2], DOCUMENT])
    texts = [
        lm.encode(item, answer)
        for item in (*FORGET[:2], DOCUMENT)
        for answer in (item.answer, item.paraphrase, *item.perturbed)
        if answer
    ]
    assert len(rows) == len(texts) == 9
    for row, text in zip(rows, texts, strict=True):
        wanted = by_hand(lm, text)
        assert row.truth_ids == text.answer
        assert row.hits == tuple(wanted["hits"])
        for name in ("logprobs", "entropies", "variances"):
            np.testing.assert_allclose(getattr(row, name), wanted[name], rtol=1e-4, atol=1e-4)
    assert any(any(row.hits) and not all(row.hits) for row in rows)


def test_every_answer_of_an_item_is_read_in_order_and_named(lm: LM) -> None:
    item = replace(CHOICE, perturbed=CHOICE.perturbed[:2])
    rows = read(lm, [DOCUMENT, item])
    assert [(row.item, row.part, row.index) for row in rows] == [
        ("doc", "answer", 0),
        ("choice", "answer", 0),
        ("choice", "paraphrase", 0),
        ("choice", "perturbed", 0),
        ("choice", "perturbed", 1),
        ("choice", "choice", 0),
        ("choice", "choice", 1),
        ("choice", "choice", 2),
    ]
    assert [row.truth for row in rows[1:3]] == [item.answer, item.paraphrase]
    assert {row.group for row in rows[1:]} == {item.group}


def close(got: Row, wanted: Row) -> None:
    for name in ("logprobs", "entropies", "variances"):
        np.testing.assert_allclose(getattr(got, name), getattr(wanted, name), rtol=1e-4, atol=1e-4)
    bare = {"logprobs": (), "entropies": (), "variances": ()}
    assert replace(got, **bare) == replace(wanted, **bare)  # type: ignore[arg-type]  # empty tuples


def test_neither_order_nor_company_changes_a_reading(
    lm: LM, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = [*FORGET, DOCUMENT, replace(FORGET[0], id="long", prompt=LONG)]
    rows = read(lm, items)
    turned = {(row.item, row.part, row.index): row for row in read(lm, items[::-1])}
    monkeypatch.setattr(probe, "TOKENS", 100)
    small = read(lm, items)
    assert len(rows) == len(turned) == len(small)
    for row, again in zip(rows, small, strict=True):
        close(turned[row.item, row.part, row.index], row)
        close(again, row)


def test_a_reading_stops_at_its_limits_and_tells_how_far_it_is(lm: LM) -> None:
    told: list[float] = []
    rows = probe.read(lm, Read(ask="read", split="forget", limit=2), FORGET, 512, told.append)
    assert {row.item for row in rows} == {FORGET[0].id, FORGET[1].id}
    assert told[-1] == 1.0
    (cut,) = read(lm, [DOCUMENT], limit=4)
    assert cut.truth_ids == lm.encode(DOCUMENT).answer[:3]
    assert len(cut.logprobs) == len(cut.hits) == len(cut.entropies) == 3


def test_nothing_is_said_of_an_answer_that_does_not_fit(lm: LM) -> None:
    asked = replace(FORGET[0], perturbed=("It is not 0 but something much longer.",))
    whole = lm.encode(asked)
    answer, paraphrase, wrong = read(lm, [asked], limit=len(whole.ids))
    assert answer.truth_ids == whole.answer
    assert len(paraphrase.logprobs) == len(paraphrase.truth_ids) > 0
    assert (wrong.truth_ids, wrong.logprobs, wrong.hits) == ((), (), ())
    assert read(lm, [replace(FORGET[0], answer=" ")])[0].logprobs == ()
    for limit in (len(whole.ids) - 1, whole.start, 1):
        assert read(lm, [asked], limit=limit)[0].logprobs == ()
    gap = metric("probability")([read(lm, [asked], limit=whole.start)]).gap
    assert gap == "every true answer is empty or does not fit"


def test_an_answer_is_written_from_the_prompt_alone(lm: LM) -> None:
    items = [*FORGET[:3], HOLDOUT[0]]
    rows = write(lm, items)
    for row, item in zip(rows, items, strict=True):
        text = lm.encode(item)
        assert row.answer_ids == lm.write([text.ids[: text.start]], 8)[0]
        assert row.answer == lm.text(row.answer_ids)
        assert row.truth_ids == text.answer
        assert (row.item, row.group, row.start) == (item.id, item.group, 0)
        assert (row.prompt, row.truth) == (item.prompt, item.answer)
    assert len(write(lm, items, limit=2)) == 2


def test_prompt_tokens_reveal_the_beginning_of_the_answer(lm: LM) -> None:
    short = replace(FORGET[1], id="short", answer="x")
    (row,) = write(lm, [FORGET[0], short], prompt_tokens=4)  # the short one has no more to say
    text = lm.encode(FORGET[0])
    cut = text.start + 4
    assert row.answer_ids == lm.write([text.ids[:cut]], 8)[0]
    assert row.truth_ids == text.answer[4:]
    assert row.start == 4
    assert row.prompt == "Question: forget key 0?\nAnswer: It"
    assert row.truth == "is 0."


def test_a_stride_writes_from_every_so_many_tokens_as_much_as_is_left(lm: LM) -> None:
    rows = write(lm, [FORGET[1], DOCUMENT], stride=5, new_tokens=7)
    expected = []
    for item in (FORGET[1], DOCUMENT):
        text = lm.encode(item)
        for start in range(5, len(text.answer), 5):
            cut = text.start + start
            left = min(7, len(text.ids) - cut)
            expected.append((item.id, start, text.ids[cut:], lm.write([text.ids[:cut]], left)[0]))
    assert [(row.item, row.start, row.truth_ids, row.answer_ids) for row in rows] == expected
    assert {row.item for row in rows} == {FORGET[1].id, "doc"}
    assert any(len(ids) == 7 for *_, ids in expected)


def test_neither_order_nor_company_changes_a_greedy_answer(
    lm: LM, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Least of all a prompt that leaves itself hardly any room."""
    long = [
        replace(FORGET[0], id=f"long {n}", prompt="?" * (lm.context - 20 + n)) for n in range(3)
    ]
    reached: list[int] = []
    lm.model.model.rotary_emb.register_forward_pre_hook(
        lambda _, args, named: reached.append(int(named.get("position_ids", args[-1]).max())),
        with_kwargs=True,
    )
    rooms = [lm.context - lm.encode(item).start for item in long]
    assert rooms[0] > rooms[-1] >= 0
    items = [*FORGET, DOCUMENT, *long]
    rows = {row.item: row.answer_ids for row in write(lm, items, new_tokens=30)}
    turned = {row.item: row.answer_ids for row in write(lm, items[::-1], new_tokens=30)}
    alike = batch.together
    monkeypatch.setattr(probe, "together", partial(alike, rows=3))
    small = {row.item: row.answer_ids for row in write(lm, items, new_tokens=30)}
    alone = {row.item: row.answer_ids for item in items for row in write(lm, [item], new_tokens=30)}
    assert rows == turned == small == alone
    assert 100 < max(reached) < lm.context
    for item, room in zip(long, rooms, strict=True):
        assert len(rows.get(item.id, ())) <= room


@pytest.mark.parametrize("how", [{}, {"stride": 3}, {"prompt_tokens": 2}, {"new_tokens": 3}])
def test_what_reading_foretells_is_written_all_the_same(lm: LM, how: dict[str, int]) -> None:
    items = [*FORGET, *RETAIN, *HOLDOUT, DOCUMENT]
    asked = Write.model_validate({"ask": "write", "split": "forget", "new_tokens": 12} | how)
    wanted = write(lm, items, **{"new_tokens": 12, **how})
    told = read(lm, items)
    fed: list[int] = []
    lm.model.model.register_forward_pre_hook(
        lambda _, args, named: fed.append(named["input_ids"].numel()), with_kwargs=True
    )
    assert probe.write(lm, asked, items, 0, lambda _: None, told) == wanted
    foreseen = sum(fed)
    fed.clear()
    assert probe.write(lm, asked, items, 0, lambda _: None) == wanted
    assert foreseen < sum(fed)


def test_probes_written_in_one_pass_say_what_each_says_alone(lm: LM) -> None:
    asks = [{"new_tokens": 12}, {"stride": 3}, {"prompt_tokens": 2, "limit": 2}]
    whole = [
        probe.Asked(Write.model_validate({"ask": "write", "split": "forget"} | ask), items)
        for ask, items in zip(asks, (FORGET, HOLDOUT, [DOCUMENT, *RETAIN]), strict=True)
    ]
    alone = [probe.write(lm, one.probe, one.items, 0, lambda _: None) for one in whole]
    assert probe.write_all(lm, whole, 0, lambda _: None) == alone
    assert [len(rows) for rows in alone][0::2] == [len(FORGET), 2]


def test_a_name_that_two_items_share_foretells_nothing(lm: LM) -> None:
    twins = [replace(item, id="twin", answer="It is 0.") for item in FORGET[:2]]
    asked = Write(ask="write", split="forget", new_tokens=12)
    said = probe.write(lm, asked, twins, 0, lambda _: None, read(lm, twins))
    assert said == write(lm, twins, new_tokens=12)


def test_another_reading_foretells_nothing(lm: LM) -> None:
    cut = [replace(row, truth_ids=row.truth_ids[:2]) for row in read(lm, FORGET)]
    asked = Write(ask="write", split="forget", new_tokens=12)
    assert probe.write(lm, asked, FORGET, 0, lambda _: None, cut) == write(
        lm, FORGET, new_tokens=12
    )


def test_a_prompt_that_fills_the_context_is_left_out(lm: LM) -> None:
    full = replace(FORGET[0], id="full", prompt="?" * lm.context)
    assert [row.item for row in write(lm, [full, FORGET[1]])] == [FORGET[1].id]
    assert write(lm, [full]) == []


def test_sampled_answers_repeat_themselves_from_the_seed(lm: LM) -> None:
    first = write(lm, FORGET, seed=1, top_p=1.0, new_tokens=20)
    torch.rand(3)
    assert write(lm, FORGET, seed=1, top_p=1.0, new_tokens=20) == first
    assert write(lm, FORGET, seed=2, top_p=1.0, new_tokens=20) != first
    assert write(lm, FORGET, seed=3, top_p=1e-6) == write(lm, FORGET)
