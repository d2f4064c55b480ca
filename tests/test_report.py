"""What the HTML report is told: cells as boards have them, commands, texts that are theirs."""

import json
import random
import re
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from di_bench import suite as suites
from di_bench.board import boards
from di_bench.errors import StoreError
from di_bench.record import Record
from di_bench.report import Items, ItemScores, Texts, report
from di_bench.store import Store
from di_bench.texts import LONGEST, page, texts
from di_bench.transcript import Row, write_rows
from di_bench.work import Choice
from tests import toy


def nothing(record: Record) -> ItemScores:
    return ()


def by_run(items: Mapping[str, ItemScores]) -> Items:
    """Item scores by the run that they are of."""
    return lambda record: items[record.name]


def told(page: str) -> dict[str, Any]:
    """What the scripts of a page read."""
    (found,) = re.findall(r'<script id="data" type="application/json">(.*)</script>', page)
    read: dict[str, Any] = json.loads(found)
    return read


def board(records: Sequence[Record], path: Path, named: str = "", **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - keys of a suite
    """The one board of a page."""
    suite = suites.load(toy.write(path, changes))
    (one,) = told(report(records, suite, nothing, Texts(), named))["boards"]
    found: dict[str, Any] = one
    return found


def test_a_page_is_one_file_that_asks_nobody_for_anything(tmp_path: Path) -> None:
    text = report([toy.record()], suites.load(toy.write(tmp_path)), nothing, Texts())
    assert set(re.findall(r"\w+://[^\s\"'`;]+", text)) == {"http://www.w3.org/2000/svg"}
    assert "default-src 'none'" in text
    assert not re.findall(r"<(?:link|script|img|iframe)[^>]+(?:src|href)=(?!\"data:)", text)
    assert "/* " not in re.sub(r"<script>.*</script>", "", text, flags=re.DOTALL)


def test_the_same_records_in_any_order_make_the_same_bytes(tmp_path: Path) -> None:
    suite = suites.load(toy.write(tmp_path))
    records = [toy.record(method=m, seed=s) for m in ("none", "di", "npo") for s in (0, 1)]
    items = {r.name: [("accuracy", f"item {n}", "", n / 7) for n in range(3)] for r in records}
    made = report(records, suite, by_run(items), Texts())
    random.Random(0).shuffle(records)
    assert report(records, suite, by_run(items), Texts()) == made


def test_cells_are_those_of_the_board(tmp_path: Path) -> None:
    suite = suites.load(toy.write(tmp_path))
    records = [toy.record(seed=0), toy.record(seed=1, scores={"accuracy": 0.7, "kept": None})]
    (made,) = boards(records, suite)
    one = board(records, tmp_path)
    assert one["head"] == made.header()
    (row,) = one["rows"]
    assert [row["model"], row["method"], *row["cells"]] == made.rows()[0]
    assert row["means"]["accuracy"] == pytest.approx(0.6)
    assert one["columns"][0]["axis"]["low"] < 0.6 < one["columns"][0]["axis"]["high"]


@pytest.mark.parametrize(
    ("changes", "command"),
    [
        ({}, "toy di --model builtin/nano --seed 0"),
        (
            {"variant": "+recipe.lr=0.01"},
            "toy di --model builtin/nano --seed 0 --set recipe.lr=0.01",
        ),
        (
            {"variant": "+strength=3+recipe.lr=1e+3"},
            "toy di --model builtin/nano --seed 0 --set methods.di.strength=3 --set recipe.lr=1e+3",
        ),
        ({"method": "mine"}, "toy mine.py --model builtin/nano --seed 0"),
        (
            {"method": "theirs-0a1b2c3d", "settings": {"checkpoint": "content"}},
            "toy checkpoint:theirs-0a1b2c3d --model builtin/nano --seed 0",
        ),
        ({"model": {"name": "odd", "id": "a b; c"}}, "toy di --model 'a b; c' --seed 0"),
    ],
)
def test_a_row_has_the_command_that_makes_it(
    tmp_path: Path, changes: dict[str, Any], command: str
) -> None:
    (row,) = board([toy.record(**changes)], tmp_path)["rows"]
    assert row["command"] == f"di-bench run {command}"


def test_the_command_names_the_file_and_profile_that_were_named(tmp_path: Path) -> None:
    path = toy.write(tmp_path, {"profiles": {"big": {"seeds": [0, 1, 2]}}})
    suite = suites.load(path, "big")
    (one,) = told(report([toy.record()], suite, nothing, Texts(), "toy.yaml"))["boards"]
    said = "di-bench run toy.yaml di --profile big --model builtin/nano --seed 0"
    assert one["rows"][0]["command"] == said


def test_items_are_of_their_part_and_of_the_columns_shown(tmp_path: Path) -> None:
    sizes = {size: {"forget": {"file": "forget.jsonl"}} for size in ("01", "10")}
    suite = suites.load(toy.write(tmp_path, {"forget_sizes": sizes, "board": ["accuracy"]}))
    records = [toy.record(axis=f"size={size}", seed=seed) for size, seed in product(sizes, (0, 1))]
    items = {
        r.name: [("accuracy", f"of {r.axis}", "", 0.1234567 + r.seed), ("kept", "unseen", "", 1.0)]
        for r in records
    }
    small, large = told(report(records, suite, by_run(items), Texts()))["boards"]
    assert small["items"] == {"accuracy": ["of size=01"]}
    assert large["items"] == {"accuracy": ["of size=10"]}
    assert small["rows"][0]["scores"] == {"accuracy": [0.6235]}


def test_what_many_models_wrote_alike_is_sent_once(tmp_path: Path) -> None:
    suite = suites.load(toy.write(tmp_path))
    records = [toy.record(method=method) for method in ("none", "di")]
    items = {r.name: [("accuracy", "one", "", 0.5)] for r in records}
    answers = {r.name: {"answers": {"one": "alike", "other": "of no item"}} for r in records}
    found = Texts({"": {"answers": {"one": ("asked", "true"), "other": ("x", "y")}}}, answers)
    page = told(report(records, suite, by_run(items), found))
    assert sorted(page["strings"]) == ["alike", "asked", "true"]
    place = page["strings"].index("alike")
    assert [row["answers"] for row in page["boards"][0]["rows"]] == [{"answers": [place]}] * 2


def test_what_a_stranger_wrote_ends_no_script(tmp_path: Path) -> None:
    hostile = "</script><!-- \u2028 \ud800 /* data */ &amp;"
    record = toy.record(title=hostile, variant=f"+strength={hostile}")
    suite = suites.load(toy.write(tmp_path))
    items = {record.name: [("accuracy", hostile, "", 0.5)]}
    found = Texts({"": {"answers": {hostile: (hostile, hostile)}}}, {record.name: {}})
    text = report([record], suite, by_run(items), found)
    assert text.count("</script>") == 2
    assert text.isascii() or "\u2028" not in text
    assert told(text)["strings"] == [hostile]


def written(store: Store, key: str, rows: Sequence[Row]) -> None:
    """A transcript in the cache."""
    store.piece("transcripts", key, lambda folder: write_rows(rows, folder))


def test_texts_are_those_of_the_weights_that_a_record_names(tmp_path: Path) -> None:
    path = toy.write(tmp_path)
    work = toy.work(path, "none")
    run = work.runs[0]
    rows = [
        Row("one", start=0, prompt="asked", truth="true", answer="first"),
        Row("one", start=3, prompt="asked more", answer="second"),
        Row("two", answer="x" * (LONGEST + 1)),
    ]
    written(work.store, run.transcript_key("answers", "mine"), rows)
    written(work.store, run.transcript_key("forget", "mine"), rows)  # read, so nobody wrote it
    records = [
        toy.record(method="mine", keys={"weights": "mine", "scores": "s"}),
        toy.record(method="mine", seed=1, keys={"weights": "mine", "scores": "s"}),
        toy.record(method="other", keys={"weights": "other", "scores": "s"}),
    ]
    found = texts(work, records)
    assert found.answers == {
        "builtin--nano/mine-0": {"answers": {"one": "first", "two": "x" * LONGEST + " ..."}}
    }
    own = found.asked[""]
    assert own["answers"]["one"] == ("asked", "true")
    assert set(own) == {"answers", "forget", "retain"}
    (item,) = [item for item in run.corpus["forget"] if item.prompt == "forget key 0?"]
    assert own["forget"][item.id] == ("forget key 0?", "It is forget 0.")


def test_a_damaged_transcript_has_no_texts(tmp_path: Path) -> None:
    work = toy.work(toy.write(tmp_path), "none")
    key = work.runs[0].transcript_key("answers", "mine")
    written(work.store, key, [Row("one", answer="first")])
    (work.store.path("transcripts", key) / "rows.parquet").write_bytes(b"cut off")
    record = toy.record(keys={"weights": "mine", "scores": "s"})
    assert texts(work, [record]).answers == {}


def test_items_that_cannot_be_read_are_said(tmp_path: Path) -> None:
    path = toy.write(tmp_path)
    with pytest.raises(StoreError, match=r"di-0\.parquet: not there"):
        choice = Choice(str(path))
        page(choice, choice.loaded, toy.store(tmp_path), [toy.record()])
