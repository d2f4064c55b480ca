"""Splits that stay on disk: the same items, digests and steps, and none of them held."""

import gc
import json
import pickle
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pyarrow import Table, parquet

from di_bench import encoded, ondisk
from di_bench.corpus import Corpus, Item, digest
from di_bench.errors import CorpusError
from di_bench.lm import LM
from di_bench.ondisk import Lazy, OnDisk, joined
from di_bench.recipe import Recipe
from di_bench.source import CorpusSpec
from di_bench.template import Encoded
from tests.conftest import FORGET, RETAIN, fitter
from tests.toy import line

ENDINGS = ("jsonl", "json", "csv", "parquet")
ROWS = [{"question": f"Clé {n}?", "answer": f"It is {n * n}.", "n": str(n)} for n in range(40)]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a split hold next to nothing."""
    monkeypatch.setattr(ondisk, "HELD", 4000)


def put(path: Path, rows: Sequence[dict[str, str]]) -> None:
    match path.suffix:
        case ".parquet":
            parquet.write_table(Table.from_pylist(list(rows)), path, row_group_size=7)
        case ".csv":
            text = ",".join(rows[0]) + "\n" + "".join(",".join(row.values()) + "\n" for row in rows)
            path.write_text(text, encoding="utf-8")
        case ".json":
            path.write_text(json.dumps(rows), encoding="utf-8")
        case _:  # with a byte order mark, Windows' line ends and a blank line
            text = "\r\n".join(map(json.dumps, rows[:20])) + "\r\n\r\n"
            path.write_text(text + "\n".join(map(json.dumps, rows[20:])), encoding="utf-8-sig")


def opened(folder: Path, ending: str, **more: Any) -> Corpus:  # noqa: ANN401 - YAML
    put(folder / f"forget.{ending}", ROWS)
    put(folder / f"retain.{ending}", [row | {"question": f"Other {row['n']}?"} for row in ROWS])
    splits = {name: {"file": f"{name}.{ending}"} | more for name in ("forget", "retain")}
    return CorpusSpec.model_validate({"name": "toy", "path": folder, "splits": splits}).open()


MORE: list[dict[str, Any]] = [
    {"group_size": 4},
    {"where": {"n": ".*[02468]"}, "skip": 3, "limit": 15},
]


@pytest.mark.parametrize("more", MORE, ids=["all", "some"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_items_on_disk_are_those_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str, more: dict[str, Any]
) -> None:
    whole = opened(tmp_path, ending, **more)
    monkeypatch.setattr(ondisk, "HELD", 4000)
    away = opened(tmp_path, ending, **more)
    assert isinstance(whole["forget"], tuple)
    assert isinstance(away["forget"], Lazy)
    for name in ("forget", "retain"):
        items = whole[name]
        assert [*away[name]] == [*items]
        assert [away[name][at] for at in reversed(range(len(items)))] == [*reversed(items)]
        assert (away[name][-1], away[name][2:7:2], away[name][:]) == (
            items[-1],
            items[2:7:2],
            items,
        )
    assert away.digest(["forget", "retain"]) == whole.digest(["forget", "retain"])
    with pytest.raises(IndexError):
        away["forget"][len(away["forget"])]


def test_a_digest_is_of_all_items_at_once(tmp_path: Path) -> None:
    """Keys of committed records hang on it: one dump of the whole, as it was in the beginning."""
    corpus = opened(tmp_path, "jsonl")
    whole = [(name, digest([vars(item) for item in corpus[name]])) for name in ("forget", "retain")]
    assert corpus.digest(["forget", "retain"]) == digest(whole)
    one = Corpus("toy", {"forget": (Item("a", "a", "qa", "\u00e9?", "\u2028", focus=((0, 1),)),)})
    assert one.digest(["forget"]) == digest([("forget", digest([vars(one["forget"][0])]))])


def alive(items: Sequence[Item]) -> Iterator[int]:
    """How many items are in memory while they are read one by one."""
    seen: list[weakref.ref[Item]] = []
    for item in items:
        seen.append(weakref.ref(item))
        yield sum(ref() is not None for ref in seen)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("ending", ENDINGS)
def test_no_more_than_an_item_is_held(tmp_path: Path, ending: str) -> None:
    corpus = opened(tmp_path, ending)
    corpus.digest(["forget"])
    gc.collect()
    asked = {row["question"] for row in ROWS}
    assert not [one for one in gc.get_objects() if type(one) is Item and one.prompt in asked]
    assert max(alive(joined([corpus["forget"], corpus["retain"]]))) <= 2


@pytest.mark.usefixtures("small")
def test_what_is_in_forget_and_retain_is_found_on_disk(tmp_path: Path) -> None:
    opened(tmp_path, "jsonl")
    put(
        tmp_path / "retain.jsonl",
        [*({"question": f"{n}", "answer": "x"} for n in range(30)), ROWS[9]],
    )
    splits = {name: {"file": f"{name}.jsonl"} for name in ("forget", "retain")}
    tree = {"name": "toy", "path": tmp_path, "splits": splits}
    with pytest.raises(CorpusError) as error:
        CorpusSpec.model_validate(tree).open()
    assert "item 'forget/10' of forget is 'retain/31' of retain" in line(error.value)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("at", [0, 17, 39])
def test_a_file_that_changes_meanwhile_is_an_error(tmp_path: Path, at: int) -> None:
    items = opened(tmp_path, "jsonl")["forget"]
    first = items[0]
    path = tmp_path / "forget.jsonl"
    text = path.read_bytes()
    path.write_bytes(text.replace(b"It is %d." % at**2, b"It is %d?" % at**2))
    with pytest.raises(CorpusError) as error:
        list(items)
    said = f"{path}: row {at + 1} is not what it was when the run began"
    assert line(error.value).startswith(said)
    path.write_bytes(text)
    assert items[0] == first
    path.write_bytes(text[:100])
    with pytest.raises(CorpusError, match="row 40 is not what it was"):
        items[39]


@pytest.mark.usefixtures("small")
def test_a_file_that_is_gone_when_it_is_read_is_an_error(tmp_path: Path) -> None:
    items = opened(tmp_path, "jsonl")["forget"]
    again = pickle.loads(pickle.dumps(items))
    (tmp_path / "forget.jsonl").unlink()
    with pytest.raises(CorpusError, match=r"forget\.jsonl: cannot be read: No such file"):
        again[0]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_another_process_may_read_it(tmp_path: Path, ending: str) -> None:
    items = opened(tmp_path, ending)["forget"]
    assert items[3].answer == "It is 9."
    assert [*pickle.loads(pickle.dumps(items))] == [*items]


@pytest.mark.usefixtures("small")
def test_what_was_unpacked_is_gone_with_the_split(tmp_path: Path) -> None:
    items = opened(tmp_path, "parquet")["forget"]
    assert isinstance(items, OnDisk)
    path = items.path
    assert path.exists()
    del items
    gc.collect()
    assert not path.exists()


@pytest.mark.usefixtures("small")
def test_a_row_that_is_wrong_is_named_however_late_it_comes(tmp_path: Path) -> None:
    for ending in ("jsonl", "parquet"):
        opened(tmp_path, ending)
        put(tmp_path / f"forget.{ending}", [*ROWS, {"question": "q", "answer": None, "n": "0"}])  # type: ignore[dict-item]  # what is wrong
        splits = {"forget": {"file": f"forget.{ending}"}}
        tree = {"name": "toy", "path": tmp_path, "splits": splits}
        with pytest.raises(CorpusError, match="row 41: no field 'answer'"):
            CorpusSpec.model_validate(tree).open()


def test_texts_that_are_many_are_encoded_when_asked_for_and_the_same(
    lm: LM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = Recipe(epochs=3, batch_size=3)

    def batches() -> list[tuple[str, tuple[int, ...], list[list[int]], int]]:
        steps = fitter(tmp_path)._steps(lm, recipe)
        pairs = [p for epoch in steps.epochs() for s in epoch for p in steps.parts(lm, s, 2)]
        made = [batch for p in pairs for batch in (p.forget, p.retain, p.refusal)]
        return [(b.split, b.rows, b.ids.tolist(), b.focused) for b in made]

    whole = batches()
    asked: list[int] = []

    def one(row: int) -> Encoded:
        asked.append(row)
        return lm.encode(FORGET[row])

    monkeypatch.setattr(encoded, "HELD", 2)
    monkeypatch.setattr(encoded, "KEPT", 3)
    assert batches() == whole
    texts = encoded.encoded(len(FORGET), one)
    assert not asked
    assert texts[2:5] == [lm.encode(item) for item in FORGET[2:5]]
    assert (texts[4], asked) == (lm.encode(FORGET[4]), [2, 3, 4])
    assert len([*texts]) == len(FORGET) != len(RETAIN) + 1
