"""A model is named by what it is and refused when it is not safe to load; the device is found."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from di_bench.device import device
from di_bench.errors import DiBenchError, ModelError
from di_bench.model import ModelSpec, Peft, is_folder
from di_bench.store import Store
from tests import toy
from tests.test_cli import run
from tests.toy import line


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return toy.store(tmp_path)


def test_a_hub_model_is_its_id_and_revision(store: Store) -> None:
    pinned = store.identify(ModelSpec(id="org/name", revision="abc"))
    assert (pinned.name, pinned.digest) == ("org--name", "org/name@abc")
    assert store.identify(ModelSpec(id="org/name")).digest == "org/name"


def test_a_folder_is_its_name_and_content(store: Store, tmp_path: Path) -> None:
    def identified(folder: Path) -> tuple[str, str]:
        base = store.identify(ModelSpec(id=str(folder)))
        return base.name, base.digest

    one = identified(toy.model(tmp_path / "a" / "llama"))
    assert one[0] == f"llama-{one[1][:8]}"
    assert identified(toy.model(tmp_path / "b" / "llama")) == one
    assert identified(toy.model(tmp_path / "a" / "llama", b"other")) != one


@pytest.mark.parametrize(
    ("file", "why"),
    [
        ("", "no such folder"),
        ("config.json", "it holds no .safetensors file"),
        ("pytorch_model.bin", "its weights are pickled, which can run code; convert them to"),
        ("model.pth", "its weights are pickled"),
    ],
)
@pytest.mark.parametrize("part", ["id", "target", "retain"])
def test_a_folder_that_is_no_safe_model_is_refused(
    store: Store, tmp_path: Path, file: str, why: str, part: str
) -> None:
    folder = tmp_path / "weights"
    if file:
        folder.mkdir()
        (folder / file).touch()
    spec = {"id": "builtin/nano", part: str(folder)}
    with pytest.raises(ModelError) as error:
        store.identify(ModelSpec.model_validate(spec))
    assert line(error.value).startswith(f"{folder}: not a model: {why}")


def test_a_name_with_a_slash_behind_it_is_a_folder() -> None:
    assert [is_folder(name) for name in ("gone/", "./gone", "~/gone", "gone", "org/name")] == [
        True, True, True, False, False,
    ]  # fmt: skip


def test_the_device_is_found_unless_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    find = device.__wrapped__  # what it found is kept for the life of a process
    monkeypatch.setenv("DI_BENCH_DEVICE", "mps")
    assert find() == "mps"
    monkeypatch.delenv("DI_BENCH_DEVICE")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert find() in ("cpu", "mps")
    monkeypatch.setenv("DI_BENCH_DEVICE", "gpu")
    with pytest.raises(DiBenchError, match="DI_BENCH_DEVICE=gpu: use cuda, mps or cpu"):
        find()


def test_lora_is_kept_as_it_always_was() -> None:
    said = '{"kind":"lora","rank":8,"alpha":16,"targets":"all-linear","dropout":0.0}'
    assert Peft().model_dump_json() == said


@pytest.mark.parametrize("asked", ["cpu", "cuda"])
def test_four_bits_are_refused_where_they_cannot_be(
    monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    if asked == "cuda" and find_spec("bitsandbytes"):
        pytest.skip("bitsandbytes is here")
    monkeypatch.setenv("DI_BENCH_DEVICE", asked)
    device.cache_clear()
    why = {"cpu": "needs a CUDA device, and this is cpu", "cuda": "needs bitsandbytes"}[asked]
    with pytest.raises(ModelError, match=rf"^peft\.kind: qlora {why}.*; or take kind: lora$"):
        Peft(kind="qlora").check()
    monkeypatch.undo()
    device.cache_clear()


def test_four_bits_without_a_gpu_cost_one_line_and_no_work(
    suite_file: Path, folders: list[str]
) -> None:
    result = run(suite_file, folders, "--set", "peft.kind=qlora")
    assert result.exit_code == 2
    assert "qlora needs a CUDA device, and this is cpu" in result.output
    assert not list(Path(folders[3]).rglob("*.safetensors"))
