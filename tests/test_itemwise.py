"""The items that two rows differ in most, with the texts that corpus and cache still have."""

import shutil
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from di_bench import comparison, itemwise
from di_bench.cli import app
from di_bench.comparison import Side
from di_bench.errors import StoreError
from di_bench.itemwise import Most
from tests import toy
from tests.test_comparison import DI, NPO, find, keep

ROW = "toy/default"


def most(folder: Path, column: str = "accuracy", top: int = 10) -> Most:
    return itemwise.most(find(folder, "di"), find(folder, "npo"), column, top)


def test_the_items_farthest_apart_come_first_as_means_over_seeds(tmp_path: Path) -> None:
    keep(tmp_path, "di", [[0.25, 0.5, 0.125], [0.5, 0.5, 0.125]])
    keep(tmp_path, "npo", [[0.5, 0.0, 0.375], [0.75, 0.25, 0.375]])
    found = most(tmp_path)
    assert [one.item for one in found.items] == ["i/1", "i/0", "i/2"]  # a tie goes by name
    first = found.items[0]
    assert (first.group, first.a, first.b) == ("g/1", 0.5, 0.125)
    assert (found.seeds, len(most(tmp_path, top=2).items)) == ((0, 0), 2)


def test_an_item_that_a_seed_lacks_is_left_out(tmp_path: Path) -> None:
    keep(tmp_path, "di", [[0.2, 0.5], [0.4]])
    keep(tmp_path, "npo", [[0.4, 0.1], [0.6, 0.3]])
    assert [one.item for one in most(tmp_path).items] == ["i/0"]


def test_a_column_without_items_or_that_does_not_compare_is_refused(tmp_path: Path) -> None:
    keep(tmp_path, "di", DI)
    keep(tmp_path, "npo", NPO)
    with pytest.raises(StoreError) as error:
        most(tmp_path, "quality")
    assert toy.line(error.value).startswith("quality: has no items to compare; ")
    assert "There are: accuracy" in str(error.value)
    keep(tmp_path, "npo", NPO, setup="t")
    with pytest.raises(StoreError, match=r"^accuracy: does not compare: another setup"):
        most(tmp_path)


def cli(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_texts_come_from_the_corpus_and_answers_from_the_cache(
    suite_file: Path, folders: list[str]
) -> None:
    done = cli("run", suite_file, "di", "ga", "--workers", "1", *folders)
    assert done.exit_code == 0, done.output
    (model,) = (Path(folders[1]) / ROW).glob("tiny-*")
    pair = [f"{ROW}/{model.name}/{method}" for method in ("di", "ga")]
    asked: list[str | Path] = ["compare", *pair, "--items", "accuracy", "--top", "2", *folders]
    told = cli(*asked)
    assert told.exit_code == 0, told.output
    assert "accuracy ↓" in told.output
    assert "  paired\n" in told.output
    assert (
        "no texts of A: 'toy' is not a packaged suite; name its file: --suite FILE" in told.output
    )
    given: list[str | Path] = ["--suite", suite_file, "--model", tiny_of(suite_file)]
    told = cli(*asked, *given)
    assert told.exit_code == 0, told.output
    assert "  asked   forget key" in told.output
    assert "  truth   It is" in told.output
    assert "Values are means over seeds; answers: A of seed 0, B of seed 0." in told.output
    assert "no answers" not in told.output
    table = cli(*asked, *given, "--format", "md").output
    assert "| item | group | asked | truth | A wrote | B wrote | A | B |" in table
    (suite_file.parent / "data" / "retain.jsonl").write_text(
        '{"question": "new", "answer": "data"}\n' * 8, encoding="utf-8"
    )
    assert "no texts of A: " in cli(*asked, *given).output


def tiny_of(suite: Path) -> str:
    """The model of the suite, a folder: records keep no path of it."""
    (model,) = yaml.safe_load(suite.read_text(encoding="utf-8"))["models"]
    return str(model)


def test_a_lost_cache_leaves_prompts_and_truths(suite_file: Path, folders: list[str]) -> None:
    assert cli("run", suite_file, "di", "--workers", "1", *folders).exit_code == 0
    for key in (Path(folders[3]) / "transcripts").glob("*/rows.parquet"):
        key.write_bytes(b"torn")
    (model,) = (Path(folders[1]) / ROW).glob("tiny-*")
    pair = [f"{ROW}/{model.name}/{method}-0" for method in ("di", "none")]
    asked: list[str | Path] = [
        "compare",
        *pair,
        "--items",
        "rouge",
        "--suite",
        suite_file,
        *folders,
    ]
    asked += ["--model", tiny_of(suite_file)]
    for _ in range(2):
        told = cli(*asked)
        assert told.exit_code == 0, told.output
        assert "  asked   forget key" in told.output
        assert "no answers of B: the cache has none to these items" in told.output
        shutil.rmtree(Path(folders[3]), ignore_errors=True)


def test_a_changed_method_has_no_answers(suite_file: Path, folders: list[str]) -> None:
    assert cli("run", suite_file, "di", "--workers", "1", *folders).exit_code == 0
    (model,) = (Path(folders[1]) / ROW).glob("tiny-*")
    path = model / "di-0.json"
    record = comparison.find(Path(), str(path)).records[0]
    stale = record.model_copy(update={"keys": record.keys | {"weights": "other"}})
    path.write_text(stale.model_dump_json(), encoding="utf-8")
    pair = [f"{ROW}/{model.name}/{method}-0" for method in ("di", "none")]
    asked: list[str | Path] = [
        "--items",
        "rouge",
        "--suite",
        suite_file,
        "--model",
        tiny_of(suite_file),
    ]
    told = cli("compare", *pair, *asked, *folders)
    assert "no answers of A: its method, suite, data, libraries or device changed" in told.output
    assert "answers: B of seed 0." in told.output


def test_sides_are_frozen_values() -> None:
    assert Side("a", (), ()).seeds == ()
