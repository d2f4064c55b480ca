"""What was fetched is named file by file, and told from what it became."""

import json
import os
from pathlib import Path

import pytest

from di_bench import copies, manifest
from di_bench.errors import StoreError, SuiteError
from tests.toy import line

SHA = "0123456789" * 4


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as fetch leaves it, before its manifest is written."""
    repository = tmp_path / "huggingface" / "hub" / "models--org--name"
    (repository / "blobs").mkdir(parents=True)
    (repository / "blobs" / "abc").write_text("weights", encoding="utf-8")
    (repository / "snapshots" / SHA).mkdir(parents=True)
    (repository / "snapshots" / SHA / "model.safetensors").symlink_to("../../blobs/abc")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(SHA, encoding="utf-8")
    rows = tmp_path / "huggingface" / "datasets" / "org___rows" / "default" / "0.0.0" / SHA
    rows.mkdir(parents=True)
    for name in ("rows.arrow", "dataset_info.json", "builder.lock"):
        (rows / name).write_text(name, encoding="utf-8")
    (tmp_path / "transcripts").mkdir()
    (tmp_path / "transcripts" / "mine").touch()
    return tmp_path


def wrong(folder: Path) -> dict[str, str]:
    found = manifest.manifest(folder)
    assert found is not None
    return {name.rpartition("/")[2]: said for name, said in manifest.broken(folder, found)}


def test_every_file_that_is_read_is_named_and_no_other(folder: Path) -> None:
    made = manifest.write(folder, "toy", "default", "di-bench fetch toy")
    assert made == manifest.manifest(folder)
    assert made.repositories == {"models/org/name": SHA}
    names = {name.rpartition("/")[2]: entry.size for name, entry in made.files.items()}
    assert names == {
        "model.safetensors": 7, "main": 40, "rows.arrow": 10, "dataset_info.json": 17
    }  # fmt: skip
    assert wrong(folder) == {}


def test_a_touched_file_is_read_again_and_an_untouched_one_is_not(folder: Path) -> None:
    manifest.write(folder, "toy", "default", "di-bench fetch toy")
    assert wrong(folder) == {}
    stamps = (folder / "verified.json").read_text("utf-8")
    (weights,) = folder.rglob("blobs/abc")
    before = weights.stat()
    weights.write_text("wEights", encoding="utf-8")
    assert wrong(folder) == {"model.safetensors": "is not what was fetched: its SHA-256 differs"}
    (folder / "verified.json").write_text(stamps, encoding="utf-8")
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert wrong(folder) == {}  # what looks as it did is not read
    weights.write_text("weights", encoding="utf-8")
    assert wrong(folder) == {}  # and what was only touched is as it was
    weights.write_text("longer weights", encoding="utf-8")
    assert wrong(folder) == {"model.safetensors": "is not what was fetched: 14 bytes, not 7"}


def test_what_is_damaged_is_dropped_with_all_that_belongs_to_it(folder: Path) -> None:
    manifest.write(folder, "toy", "default", "di-bench fetch toy")
    (rows,) = folder.rglob("rows.arrow")
    rows.write_text("x", encoding="utf-8")
    (weights,) = folder.rglob("blobs/abc")
    weights.write_text("wEights", encoding="utf-8")
    assert len(manifest.mend(folder)) == 2
    assert not weights.exists()
    assert not rows.parent.exists()
    assert sorted(wrong(folder)) == ["dataset_info.json", "model.safetensors", "rows.arrow"]


def test_a_folder_that_is_not_whole_is_refused(folder: Path) -> None:
    assert manifest.manifest(folder) is None
    (folder / "fetching").write_text("di-bench fetch toy", encoding="utf-8")
    with pytest.raises(StoreError) as error:
        manifest.manifest(folder)
    assert line(error.value).endswith("not all of it was fetched; run `di-bench fetch toy` again")
    manifest.write(folder, "toy", "default", "di-bench fetch toy")
    tree = json.loads((folder / "manifest.json").read_text("utf-8")) | {"format": 2}
    (folder / "manifest.json").write_text(json.dumps(tree), encoding="utf-8")
    with pytest.raises(StoreError, match="not a manifest this version can read; fetch again"):
        manifest.manifest(folder)


def test_a_data_set_at_two_commits_is_refused(folder: Path) -> None:
    for sha in (SHA, SHA[::-1]):
        (folder / "huggingface/hub/datasets--org--rows/snapshots" / sha).mkdir(parents=True)
    with pytest.raises(StoreError, match="datasets/org/rows: fetched at two commits; fetch to a"):
        manifest.write(folder, "toy", "default", "di-bench fetch toy")


def test_libraries_that_read_another_folder_already_are_noticed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest.write(folder, "toy", "default", "di-bench fetch toy")
    for name in ("HF_HOME", "HF_TOKEN_PATH"):
        monkeypatch.setenv(name, "")
    with pytest.raises(StoreError, match="huggingface_hub was imported before and uses"):
        manifest.use(folder)


def test_two_files_never_have_one_place(tmp_path: Path) -> None:
    said: list[str] = []
    for part in "ab":
        (tmp_path / part).mkdir()
        (tmp_path / part / "x.py").write_text(part, encoding="utf-8")
    one, other = tmp_path / "a" / "x.py", tmp_path / "b" / "x.py"
    place = copies.METHODS / "x.py"
    copies.copied([(one, place), (one, place)], tmp_path / "to", said.append)
    copies.copied([(one, place)], tmp_path / "to", said.append)
    assert said == [f"copied {place}"]
    with pytest.raises(SuiteError, match="has the place of"):
        copies.copied([(one, place), (other, place)], tmp_path / "to", said.append)
    with pytest.raises(SuiteError, match="gone: no such file; name one that is there"):
        copies.copied([(tmp_path / "gone", place)], tmp_path / "to", said.append)


@pytest.mark.parametrize(
    "away", ["/{0}", "models/../../{1}", "huggingface/datasets/../../../{1}", "{1}"]
)
def test_a_strangers_manifest_deletes_nothing_outside_its_folder(tmp_path: Path, away: str) -> None:
    mine, fetched = tmp_path / "thesis", tmp_path / "fetched"
    mine.write_text("mine", encoding="utf-8")
    fetched.mkdir()
    made = manifest.write(fetched, "toy", "default", "di-bench fetch toy").model_dump()
    name = away.format(str(mine).lstrip("/"), mine.name)
    made["files"] = {name: {"size": 1, "sha256": ""}}
    (fetched / "manifest.json").write_text(json.dumps(made), encoding="utf-8")
    with pytest.raises(StoreError, match="which is not in its folder; fetch again"):
        manifest.mend(fetched)
    assert mine.read_text("utf-8") == "mine"


@pytest.mark.parametrize("linked", ["file", "folder"])
def test_nothing_is_deleted_behind_a_link_out_of_the_folder(tmp_path: Path, linked: str) -> None:
    mine, fetched = tmp_path / "mine" / "thesis", tmp_path / "fetched"
    mine.parent.mkdir()
    mine.write_text("mine", encoding="utf-8")
    place = fetched / "huggingface" / "datasets"
    place.parent.mkdir(parents=True)
    if linked == "folder":
        place.symlink_to(mine.parent)
    else:
        place.mkdir()
        (place / "thesis").symlink_to(mine)
    made = manifest.write(fetched, "toy", "default", "di-bench fetch toy").model_dump()
    made["files"] = {"huggingface/datasets/thesis": {"size": 1, "sha256": ""}}
    (fetched / "manifest.json").write_text(json.dumps(made), encoding="utf-8")
    with pytest.raises(StoreError, match="is a link out of"):
        manifest.mend(fetched)
    assert mine.read_text("utf-8") == "mine"
