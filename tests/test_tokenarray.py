"""Ready token ids from NumPy files: what they become, and the one line for each way to be wrong."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from di_bench.cli import app
from di_bench.corpus import Item
from di_bench.errors import CorpusError
from di_bench.source import CorpusSpec
from tests.toy import line

WHOLE = np.arange(12, dtype=np.uint16).reshape(3, 4)


def opened(folder: Path, *files: str, **more: int) -> list[Item]:
    splits = {"forget": {"arrays": list(files)} | more}
    tree = {"name": "toy", "path": folder, "splits": splits}
    return list(CorpusSpec.model_validate(tree).open()["forget"])


def save(folder: Path, **arrays: Any) -> None:  # noqa: ANN401 - an array or what should be one
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)


def test_rows_of_several_files_are_laid_one_behind_the_other(tmp_path: Path) -> None:
    save(tmp_path, a=WHOLE[:, :1], b=WHOLE[:, 1:3].astype(np.int64), c=WHOLE[:, 3:])
    first, *others = opened(tmp_path, "a.npy", "b.npy", "c.npy", group_size=2)
    assert first == Item("a/1", "a/1", "document", "", "", ids=(0, 1, 2, 3))
    assert [(item.id, item.group, item.ids[0]) for item in others] == [
        ("a/2", "a/1", 4), ("a/3", "a/2", 8),
    ]  # fmt: skip
    assert all(type(token) is int for item in others for token in item.ids)


def test_rows_are_skipped_and_limited_like_any_others(tmp_path: Path) -> None:
    save(tmp_path, a=WHOLE)
    assert [item.id for item in opened(tmp_path, "a.npy", skip=1, limit=1)] == ["a/2"]


def test_floats_are_ids_where_they_are_whole(tmp_path: Path) -> None:
    save(tmp_path, a=WHOLE, b=WHOLE.astype(np.float32))
    assert [i.ids for i in opened(tmp_path, "a.npy")] == [i.ids for i in opened(tmp_path, "b.npy")]


def changed(value: float) -> Any:  # noqa: ANN401 - an array
    array = WHOLE.astype(np.float32)
    array[1, 2] = value
    return array


WRONG: list[tuple[Any, str]] = [
    (changed(6.5), "b.npy: row 2: 6.5 is no token id; save the ids, as whole numbers"),
    (changed(np.nan), "b.npy: row 2: nan is no token id"),
    (changed(np.inf), "b.npy: row 2: inf is no token id"),
    (changed(-100), "b.npy: row 2: token id -100 is negative; cut padding off"),
    (-WHOLE.astype(np.int32), "b.npy: row 1: token id -1 is negative"),
    (WHOLE[:2], "b.npy: has 2 rows and"),
    (WHOLE[0], "b.npy: has shape (4,); it must be (rows, tokens)"),
    (WHOLE[None], "b.npy: has shape (1, 3, 4); it must be (rows, tokens)"),
    (WHOLE[:, :0], "b.npy: has shape (3, 0); it must be (rows, tokens)"),
    (WHOLE.astype(str), "b.npy: holds <U5, not token ids; save whole numbers"),
    (WHOLE > 1, "b.npy: holds bool, not token ids; save whole numbers"),
    (np.array([[1], [1, 2]], dtype=object), "b.npy: holds pickled objects, which are never read"),
]


@pytest.mark.parametrize(("array", "said"), WRONG)
def test_an_array_that_is_not_ids_is_named_with_its_row(
    tmp_path: Path,
    array: Any,  # noqa: ANN401
    said: str,
) -> None:
    save(tmp_path, a=WHOLE, b=array)
    with pytest.raises(CorpusError) as error:
        opened(tmp_path, "a.npy", "b.npy")
    assert f"{tmp_path}/{said}" in line(error.value)


def test_what_is_no_array_is_never_unpickled(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(b"\x80\x04cos\nsystem\n")
    with pytest.raises(CorpusError, match=r"a\.npy: is no \.npy file; save each array with numpy"):
        opened(tmp_path, "a.npy")
    np.savez(tmp_path / "b.npz", ids=WHOLE)
    with pytest.raises(CorpusError, match=r"b\.npz: is an \.npz archive; save each array"):
        opened(tmp_path, "b.npz")
    save(tmp_path, c=WHOLE)
    (tmp_path / "c.npy").write_bytes((tmp_path / "c.npy").read_bytes()[:-3])
    with pytest.raises(CorpusError, match=r"c\.npy: cannot be read as an array"):
        opened(tmp_path, "c.npy")
    with pytest.raises(CorpusError, match=r"gone\.npy: cannot be read: No such file"):
        opened(tmp_path, "gone.npy")


def test_ids_beyond_the_models_vocabulary_are_one_line_before_any_training(
    suite_file: Path, folders: list[str]
) -> None:
    rows = np.arange(60).reshape(6, 10)
    rows[4, 7] = 257  # the byte model knows 257 tokens
    save(suite_file.parent / "data", ids=rows)
    splits = {
        name: {"arrays": ["ids.npy"], "skip": at, "limit": 2}
        for at, name in zip((0, 2, 4), ("forget", "retain", "holdout"), strict=True)
    }
    tree = yaml.safe_load(suite_file.read_text(encoding="utf-8"))
    for name in splits:
        tree["corpus"]["splits"][name] = splits[name]
    suite_file.write_text(yaml.safe_dump(tree), encoding="utf-8")
    done = CliRunner().invoke(app, ["run", str(suite_file), "--workers", "1", *folders])
    assert done.exit_code == 2, done.output
    said = " ".join(done.output.split())
    assert "toy secrets: item 'ids/5' holds token id 257 and tiny-" in said
    assert "knows ids below 257; ready ids need the model whose tokenizer made them" in said
    assert not list(Path(folders[3]).rglob("*.safetensors"))
