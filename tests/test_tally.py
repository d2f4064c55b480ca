"""Sums of per-item scores say what the scores themselves say, and read no more than is asked."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from pyarrow import parquet
from pyarrow import table as arrow

from di_bench import stats, tally
from di_bench.errors import StoreError
from di_bench.recordfile import read_items, read_record
from tests import toy

ROOT = Path(__file__).parents[1] / "results"
ROWS = [
    ("kept", "a1", "a", 1.0), ("kept", "a2", "a", 2.0), ("kept", "b1", "b", 6.0),
    ("task", "t1", "task", 1.0), ("task", "t2", "task", 0.0),
    ("auc", "a1", "a", 4.0), ("auc", "b1", "b", 5.0),
]  # fmt: skip
NAMES = ("metric", "item", "group", "value")
SCORES = {"kept": 3.0, "task": 0.5, "auc": 0.9, "none": None}


def write(path: Path, rows: Sequence[tuple[str, str, str, float]]) -> Path:
    columns = zip(NAMES, zip(*rows, strict=True), strict=True)
    parquet.write_table(arrow({name: list(column) for name, column in columns}), path)
    return path


@pytest.mark.parametrize(
    "row", ["tofu/default/builtin--micro/di", "wmdp/default/builtin--micro/di"]
)
def test_sums_of_committed_files_make_the_samples_of_their_items(row: str) -> None:
    paths = {seed: ROOT / f"{row}-{seed}.json" for seed in range(3)}
    records = {seed: read_record(path) for seed, path in paths.items()}
    files = {
        record.name: (paths[seed].with_suffix(".parquet"), record.scores)
        for seed, record in records.items()
    }
    found = tally.tallies(files)
    items = {seed: read_items(path.with_suffix(".parquet")) for seed, path in paths.items()}
    crossed = 0
    for column in records[0].scores:
        scores = {s: v for s, r in records.items() if (v := r.scores.get(column)) is not None}
        known = {r.seed: found[r.name][column] for r in records.values() if column in found[r.name]}
        ours = stats.joined(scores, known)
        theirs = stats.sample(
            scores, {s: [row[1:] for row in rows if row[0] == column] for s, rows in items.items()}
        )
        assert (ours.seeds, ours.units) == (theirs.seeds, theirs.units), column
        assert (ours.items is None) == (theirs.items is None), column
        if ours.items is not None and theirs.items is not None:
            assert ours.items == pytest.approx(theirs.items)
            crossed += 1
    assert crossed > 5


def test_a_column_goes_by_group_a_lone_group_by_item_others_not_at_all(tmp_path: Path) -> None:
    path = write(tmp_path / "items.parquet", ROWS)
    found = tally.tallies({"row": (path, SCORES)})["row"]
    assert set(found) == {"kept", "task"}
    # a has two items of mean 1.5, so 3 + 2 * 2/3 * (1.5 - 3); b one of 6, so 3 + 2 * 1/3 * (6 - 3)
    assert found["kept"].units == ("a", "b")
    assert list(found["kept"].items) == [1, 5]
    assert found["task"].units == ("t1", "t2")
    assert list(found["task"].items) == [1, 0]


@pytest.mark.parametrize("odd", [None, "empty", "two groups", "damaged"])
def test_many_files_read_ahead_are_what_each_is_alone(tmp_path: Path, odd: str | None) -> None:
    count = tally.MANY + 20
    paths = [write(tmp_path / f"{number:04}.parquet", ROWS) for number in range(count)]
    place = paths[count // 2]
    if odd == "empty":
        parquet.write_table(arrow({name: [] for name in NAMES}), place)
    elif odd == "two groups":
        parquet.write_table(parquet.read_table(place), place, row_group_size=3)
    elif odd == "damaged":
        place.write_bytes(b"PAR1 no")
    files = {path.stem: (path, SCORES) for path in paths}
    if odd == "damaged":
        with pytest.raises(StoreError, match=rf"{place.name}: cannot be read"):
            tally.tallies(files)
        return
    found = tally.tallies(files)
    assert list(found) == list(files)
    alone = tally.tallies(dict([next(iter(files.items()))]))["0000"]
    for name, mine in found.items():
        if odd == "empty" and name == place.stem:
            assert mine == {}
            continue
        assert set(mine) == {"kept", "task"}
        for column, part in mine.items():
            assert part.units == alone[column].units
            assert list(part.items) == list(alone[column].items)
    assert len({id(mine["kept"].units) for mine in found.values() if mine}) == 1


def test_no_file_and_an_empty_one_have_no_items_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    empty = tmp_path / "empty.parquet"
    parquet.write_table(arrow({name: [] for name in NAMES}), empty)
    files = {"gone": (tmp_path / "gone.parquet", SCORES), "empty": (empty, SCORES)}
    assert tally.tallies(files) == {"gone": {}, "empty": {}}
    assert tally.tallies({}) == {}
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 no")
    with pytest.raises(StoreError) as error:
        tally.tallies({"row": (broken, SCORES)})
    assert "broken.parquet: cannot be read" in toy.line(error.value)
    strange = tmp_path / "strange.parquet"
    parquet.write_table(arrow({"metric": ["kept"], "value": [1.0]}), strange)
    with pytest.raises(StoreError, match=r"strange\.parquet: cannot be read"):
        tally.tallies({"row": (strange, SCORES)})
