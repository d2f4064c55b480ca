"""What is on disk is whole or absent, checked when it is used, and made once."""

import json
import multiprocessing
from errno import ENOSPC
from pathlib import Path

import pytest

from di_bench import recording
from di_bench.draft import whole
from di_bench.errors import StoreError
from di_bench.metrics.metric import ItemScore
from di_bench.recordfile import read_items, read_record, records_in
from di_bench.run import Run
from di_bench.store import Store
from di_bench.transcript import Row, read_rows, write_rows
from tests import toy
from tests.toy import line


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return toy.store(tmp_path)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return toy.runs(toy.write(tmp_path))["di-0"]


def hello(draft: Path) -> None:
    (draft / "inner").mkdir()
    (draft / "inner" / "text").write_text("hello", encoding="utf-8")


def fail(draft: Path) -> None:
    hello(draft)
    raise RuntimeError("no")


def tree(folder: Path) -> list[str]:
    """Every file and folder but the locks, whose files are left lying on purpose."""
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*"))
    return sorted(name for name in found if not name.startswith("locks"))


def test_a_piece_is_made_once_and_then_found(store: Store) -> None:
    assert not store.has("kind", "key")
    folder = store.piece("kind", "key", hello)
    assert (folder, store.has("kind", "key")) == (store.path("kind", "key"), True)
    assert store.piece("kind", "key", fail) == folder
    assert tree(store.cache) == [
        "kind", "kind/key", "kind/key/inner", "kind/key/inner/text", "kind/key/sha256.json",
    ]  # fmt: skip


def test_a_maker_that_fails_leaves_nothing_and_the_next_one_starts_afresh(store: Store) -> None:
    with pytest.raises(RuntimeError, match="no"):
        store.piece("kind", "key", fail)
    assert tree(store.cache) == ["kind"]
    hello_again = store.path("kind", "key.draft")  # as a kill would leave it
    hello_again.mkdir()
    hello(hello_again)
    store.piece("kind", "key", hello)
    assert [name for name in tree(store.cache) if "draft" in name] == []


@pytest.mark.parametrize("damage", ["changed", "lost", "added", "no sums", "broken sums"])
def test_a_damaged_piece_is_noticed_said_and_made_again(
    store: Store, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder = store.piece("kind", "key", hello)
    text, sums = folder / "inner" / "text", folder / "sha256.json"
    match damage:
        case "changed":
            text.write_text("hullo", encoding="utf-8")
        case "lost":
            text.unlink()
        case "added":
            (folder / "more").touch()
        case "no sums":
            sums.unlink()
        case _:
            sums.write_text("{", encoding="utf-8")
    store.piece("kind", "key", hello)
    assert caplog.messages == ["kind/key in the cache is damaged; it is made again"]
    assert text.read_text(encoding="utf-8") == "hello"
    assert not (folder / "more").exists()
    caplog.clear()
    store.piece("kind", "key", fail)
    assert caplog.messages == []


@pytest.mark.parametrize(
    "error",
    [
        OSError(ENOSPC, "No space left on device"),
        RuntimeError("Error while serializing: No space left on device (os error 28)"),
    ],
)
def test_a_full_disk_is_one_line_and_loses_nothing_that_was_whole(
    store: Store, error: Exception
) -> None:
    def make(draft: Path) -> None:
        hello(draft)
        raise error

    kept = store.piece("kind", "kept", hello)
    with pytest.raises(StoreError) as said:
        store.piece("kind", "key", make)
    assert line(said.value) == (
        f"{store.path('kind', 'key')}: cannot be written: No space left on device; free some space "
        "or choose another folder (--results, --cache). What was whole is kept"
    )
    assert [path.name for path in kept.parent.iterdir()] == ["kept"]
    target = store.results / "a.json"
    with (
        pytest.raises(StoreError, match=r"a\.json: cannot be written: No space left"),
        whole(target),
    ):
        raise error
    assert list(store.results.iterdir()) == []


def test_an_error_that_is_not_about_writing_stays_what_it_is(store: Store) -> None:
    def make(draft: Path) -> None:
        (draft / "gone").read_text(encoding="utf-8")

    with pytest.raises(FileNotFoundError):
        store.piece("kind", "key", make)


def test_a_cache_that_cannot_be_a_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = Store(tmp_path / "results", tmp_path / "file" / "cache")
    with pytest.raises(StoreError) as error:
        store.piece("kind", "key", hello)
    assert line(error.value).startswith(f"{store.cache / 'locks'}: cannot be written: Not a dir")


def test_two_processes_that_want_a_piece_make_it_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=toy.rush, args=(tmp_path, name)) for name in ("a", "b")]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert (tmp_path / "made").read_text(encoding="utf-8") == "once\n"
    assert toy.store(tmp_path).has("kind", "key")


def test_pieces_are_forgotten_by_pattern(store: Store) -> None:
    for key in ("ab-1", "ab-2", "b"):
        store.piece("kind", key, hello)
    store.forget("kind", "ab*")
    store.forget("nothing", "here")
    assert [store.has("kind", key) for key in ("ab-1", "ab-2", "b")] == [False, False, True]


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.json"
    with whole(path) as draft:
        draft.write_text("old", encoding="utf-8")
    with pytest.raises(RuntimeError), whole(path) as draft:
        draft.write_text("half", encoding="utf-8")
        raise RuntimeError
    assert path.read_text(encoding="utf-8") == "old"
    assert list(path.parent.iterdir()) == [path]


ROWS = [
    Row("a"),
    Row(
        "b", "g", "perturbed", 3, 2, "prompt", "truth", "<b>\n\u2028 é|\\", (1, 2), (3,),
        (-0.1, -1e-300), (True, False), (0.1 + 0.2, 1 / 3), (0.0, 2.5e-17), (1.0, -1.5), 0.1 + 0.7,
    ),
]  # fmt: skip


@pytest.mark.parametrize("rows", [ROWS, ROWS[:1], []])
def test_a_transcript_comes_back_as_it_went(tmp_path: Path, rows: list[Row]) -> None:
    write_rows(rows, tmp_path)
    assert read_rows(tmp_path) == rows


def test_a_record_and_its_items_come_back_as_they_went(store: Store, run: Run) -> None:
    record = toy.record(scores={"accuracy": 0.1 + 0.2, "kept": None})
    items = {"accuracy": (ItemScore("i", "g", 1 / 3),), "kept": (ItemScore("i", "g", 1.0),)}
    assert store.record(run) is None
    store.keep(run, record, {column: list(scores) for column, scores in items.items()})
    path = store.record_path(run)
    assert path.relative_to(store.results).as_posix() == f"toy/default/{run.name}.json"
    assert (store.record(run), store.records(run.suite)) == (record, [record])
    assert read_items(path.with_suffix(".parquet")) == [
        ("accuracy", "i", "g", 1 / 3),
        ("kept", "i", "g", 1.0),
    ]
    store.keep(run, record, {})
    assert read_items(path.with_suffix(".parquet")) == []


@pytest.mark.parametrize(
    ("change", "finished"),
    [
        ({}, True),
        ({"status": "diverged", "error": "the loss is nan"}, True),
        ({"status": "failed", "error": "KeyError"}, False),
        ({"keys": {"weights": "w", "scores": "old"}}, False),
    ],
)
def test_failed_and_stale_records_are_not_finished(
    store: Store,
    run: Run,
    change: dict[str, object],
    finished: bool,  # noqa: FBT001 - a case
) -> None:
    keys = {"weights": run.weights_key, "scores": run.scores_key}
    store.keep(run, toy.record(**({"keys": keys} | change)), {})
    assert (store.finished(run) is not None) == finished


@pytest.mark.parametrize("text", ["", "{", '{"format": 1}', "[]", "\ud800"])
def test_an_unreadable_record_is_said_and_done_again(
    store: Store, run: Run, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    store.keep(run, toy.record(), {})
    path = store.record_path(run)
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    assert store.finished(run) is None
    assert caplog.messages[0].startswith(f"{path}: not a record that this version can read")
    assert caplog.messages[0].endswith("; the run is done again")
    with pytest.raises(StoreError, match="not a record that this version can read; delete it"):
        store.records(run.suite)
    assert records_in(store.folder(run.suite), spared=[path]) == []


def test_a_record_without_its_items_is_done_again(store: Store, run: Run) -> None:
    store.keep(run, toy.record(), {})
    store.record_path(run).with_suffix(".parquet").unlink()
    assert store.record(run) is None
    with pytest.raises(StoreError, match=r"di-0\.parquet: not there; run again"):
        read_items(store.record_path(run).with_suffix(".parquet"))
    with pytest.raises(StoreError, match=r"gone\.json: no such record; name one as tofu/"):
        read_record(store.results / "gone.json")
    with pytest.raises(StoreError, match=r"no such record; did you mean 'di-0'\? There are: di-0$"):
        read_record(store.record_path(run).with_stem("di"))


def test_a_place_that_is_no_file_is_one_line(tmp_path: Path) -> None:
    with (
        pytest.raises(StoreError, match=r"page: cannot be written: Is a directory; name a file"),
        whole(tmp_path / "page") as draft,
    ):
        (tmp_path / "page").mkdir()
        draft.write_text("", encoding="utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["page"]


def test_records_hold_no_path(store: Store, tmp_path: Path) -> None:
    (tmp_path / "calm.py").write_text(toy.METHOD, encoding="utf-8")
    path = toy.write(tmp_path)
    for cell in toy.work(path, str(tmp_path / "calm.py")).runs:
        text = recording.record(store, cell, {}, cell.settings).model_dump_json()
        assert str(tmp_path) not in text
        assert json.loads(text)["model"]["id"] == json.loads(text)["model"]["name"]
