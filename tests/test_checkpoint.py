"""A model unlearned elsewhere: graded as a row beside the others, or refused before any work."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner, Result

from di_bench import hub
from di_bench.checkpoint import described, identify
from di_bench.cli import app
from di_bench.errors import DiBenchError, ModelError
from di_bench.shape import shape_in, shape_of
from di_bench.store import Store
from tests.conftest import newborn
from tests.test_export import LORA, add

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")


def cli(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def run(suite: Path, folders: list[str], *more: str | Path) -> Result:
    return cli("run", suite, *more, "--workers", "1", *folders)


def rows(folders: list[str]) -> dict[str, dict[str, Any]]:
    found = sorted(Path(folders[1]).glob("toy/default/*/*.json"))
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in found}


def exported(suite: Path, folders: list[str], to: Path) -> Path:
    """The suite's di on seed 0, as a folder."""
    done = run(suite, folders, "di", "--seed", "0")
    assert done.exit_code == 0, done.output
    (record,) = Path(folders[1]).glob("toy/default/*/di-0.json")
    made = cli("show", record, "--export", to, "--suite", suite, *folders)
    assert made.exit_code == 0, made.output
    return to


def refused(result: Result, *said: str) -> None:
    assert result.exit_code == 2, result.output
    assert len(result.output.strip().splitlines()) == 1
    for part in said:
        assert part in result.output


def test_an_exported_model_is_graded_as_the_row_it_came_from(
    suite_file: Path, folders: list[str], tmp_path: Path
) -> None:
    folder = exported(suite_file, folders, tmp_path / "mine")
    where = f"checkpoint:{folder}"
    planned = cli("plan", suite_file, where, *folders)
    assert planned.exit_code == 0, planned.output
    (line,) = [one for one in planned.output.splitlines() if "mine-" in one]
    assert line.startswith("to do")
    assert line.endswith("-0")
    done = run(suite_file, folders, where, "di")
    assert done.exit_code == 0, done.output
    found = rows(folders)
    (name,) = [name for name in found if name.startswith("mine-")]
    assert name.endswith("-0")  # once, for the first seed
    mine, di = found[name], found["di-0"]
    assert mine["scores"] == di["scores"]
    assert mine["parts"] == di["parts"]
    assert mine["settings"] == {"checkpoint": name.removesuffix("-0")}
    assert "seconds" not in mine["cost"]
    assert mine["cost"]["asking_seconds"] > 0
    assert str(tmp_path) not in json.dumps(mine)
    (page,) = Path(folders[1]).rglob("LEADERBOARD.md")
    methods = [line.split("|")[2].strip() for line in page.read_text("utf-8").splitlines()[4:]
               if line.startswith("| ")]  # fmt: skip
    assert methods[-1] == name.removesuffix("-0").replace("_", r"\_")
    again = run(suite_file, folders, where, "di")
    assert "7 cells: 7 done" in again.output
    moved = shutil.copytree(folder, tmp_path / "elsewhere" / "mine")
    assert "7 cells: 7 done" in run(suite_file, folders, f"checkpoint:{moved}", "di").output
    shown = next(Path(folders[1]).rglob(f"{name}.json"))
    out = cli("show", shown, "--export", tmp_path / "x", "--suite", suite_file, *folders)
    refused(out, "unlearned elsewhere; copy it from there")


def test_an_exported_adapter_is_graded_as_the_row_it_came_from(
    suite_file: Path, folders: list[str], tmp_path: Path
) -> None:
    add(suite_file, peft=LORA)
    folder = exported(suite_file, folders, tmp_path / "mine")
    moved = folder.rename(tmp_path / "moved")  # with `base`, which config.json names
    done = run(suite_file, folders, f"checkpoint:{moved}", "--seed", "0")
    assert done.exit_code == 0, done.output
    found = rows(folders)
    (name,) = [name for name in found if name.startswith("moved-")]
    assert found[name]["scores"] == found["di-0"]["scores"]
    shutil.rmtree(moved / "base")
    refused(run(suite_file, folders, f"checkpoint:{moved}"), "goes on", "put it into", "moved/base")
    config = json.loads((moved / "adapter_config.json").read_text("utf-8"))
    config |= {"base_model_name_or_path": None}
    (moved / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    done = run(suite_file, folders, f"checkpoint:{moved}", "--seed", "0")  # the target, then
    assert done.exit_code == 0, done.output
    found = rows(folders)
    (other,) = [one for one in found if one.startswith("moved-") and one != name]
    assert found[other]["scores"] == found["di-0"]["scores"]


def test_a_changed_folder_is_another_row_and_one_without_tokenizer_takes_the_models(
    suite_file: Path, folders: list[str], tmp_path: Path, tiny: Path
) -> None:
    one, other = (shutil.copytree(tiny, tmp_path / name / "mine") for name in "ab")
    for file in other.glob("tokenizer*"):
        file.unlink()
    both = (f"checkpoint:{one}", f"checkpoint:{other}")
    done = run(suite_file, folders, *both, "--seed", "1")
    assert done.exit_code == 0, done.output
    mine = [row for name, row in rows(folders).items() if name.startswith("mine-")]
    assert len(mine) == 2
    assert mine[0]["scores"] == mine[1]["scores"]
    assert [row["seed"] for row in mine] == [1, 1]
    assert mine[0]["settings"] != mine[1]["settings"]


def kept(folder: Path, **config: int) -> Path:
    """A model of another shape, never trained."""
    torch.manual_seed(1)
    from transformers import LlamaConfig, LlamaForCausalLM

    told: dict[str, Any] = {"vocab_size": 257, "hidden_size": 32, "intermediate_size": 64}
    told |= {"num_hidden_layers": 2, "num_attention_heads": 2, "eos_token_id": 256} | config
    model: Any = LlamaForCausalLM(LlamaConfig(**told))
    model.save_pretrained(folder)
    newborn().tokenizer.save_pretrained(folder)
    return folder


def test_what_does_not_belong_is_refused_before_any_work(
    suite_file: Path, folders: list[str], tmp_path: Path, tiny: Path
) -> None:
    def tried(where: Path | str, *said: str) -> None:
        refused(run(suite_file, folders, f"checkpoint:{where}", "--seed", "0"), *said)

    tried(tmp_path / "gone", "gone: not a model: no such folder")
    tried("", "checkpoint:: name a folder or a hub repository")
    deep = kept(tmp_path / "deep", num_hidden_layers=3)
    tried(deep, "a llama of 3 layers of 32", "no model of the suite is (tiny-", "of 2 layers of 32")
    wide = kept(tmp_path / "wide", vocab_size=300)
    tried(wide, "vocabulary 300", "vocabulary 257", "--model")
    config = wide / "config.json"
    tree = json.loads(config.read_text("utf-8")) | {"auto_map": {"AutoModelForCausalLM": "m.M"}}
    config.write_text(json.dumps(tree), encoding="utf-8")
    tried(wide, "It needs code of its own, which is never run")
    pickled = shutil.copytree(tiny, tmp_path / "pickled")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    tried(pickled, "pickled: not a model: its weights are pickled")
    words = shutil.copytree(tiny, tmp_path / "words")
    text = (words / "tokenizer.json").read_text("utf-8")
    tree = json.loads(text)
    vocabulary = tree["model"]["vocab"]
    vocabulary["A"], vocabulary["B"] = vocabulary["B"], vocabulary["A"]
    (words / "tokenizer.json").write_text(json.dumps(tree), encoding="utf-8")
    tried(words, "its tokenizer has another vocabulary than tiny-")
    assert not Path(folders[1]).exists() or not list(Path(folders[1]).rglob("*.json"))
    assert not (Path(folders[3]) / "grown").exists()


def test_an_adapter_for_another_model_is_one_line(
    suite_file: Path, folders: list[str], tmp_path: Path
) -> None:
    add(suite_file, peft=LORA)
    folder = exported(suite_file, folders, tmp_path / "mine")
    shutil.rmtree(folder / "base")
    kept(folder / "base", hidden_size=48)
    refused(run(suite_file, folders, f"checkpoint:{folder}"), "2 layers of 48", "no model of the")
    shutil.rmtree(folder / "base")
    kept(folder / "base", intermediate_size=80)
    where = f"checkpoint:{folder}"
    done = run(suite_file, folders, where, "--seed", "0")
    assert done.exit_code == 2, done.output
    assert "not an adapter of this model (" in done.output.splitlines()[-1]


def test_the_model_is_told_by_shape_or_by_name(
    suite_file: Path, folders: list[str], tmp_path: Path, tiny: Path
) -> None:
    deep, twin = kept(tmp_path / "deep", num_hidden_layers=3), shutil.copytree(tiny, tmp_path / "t")
    (twin / "generation_config.json").unlink()
    add(suite_file, models=[str(tiny), str(deep), str(twin)])
    mine = f"checkpoint:{shutil.copytree(deep, tmp_path / 'mine')}"
    planned = cli("plan", suite_file, mine, *folders)
    (line,) = [one for one in planned.output.splitlines() if "/mine-" in one]
    assert "deep-" in line
    same = f"checkpoint:{shutil.copytree(tiny, tmp_path / 'same')}"
    refused(cli("plan", suite_file, same, *folders), "may belong to tiny-", ", t-", "--model")
    planned = cli("plan", suite_file, same, "--model", twin, *folders)
    assert "/same-" in planned.output
    refused(cli("plan", suite_file, mine, mine, *folders), "is given twice")


def test_a_checkpoint_has_its_place_on_the_command_line_alone(
    suite_file: Path, folders: list[str], tmp_path: Path, tiny: Path
) -> None:
    add(suite_file, methods=[f"checkpoint:{tiny}"])
    refused(cli("plan", suite_file, *folders), "give a checkpoint after `di-bench run SUITE`")


def test_built_in_models_have_the_shape_their_sizes_say(tmp_path: Path) -> None:
    from di_bench.grow import newborn as grown
    from di_bench.model import ModelSpec
    from di_bench.template import Template

    grown("builtin/nano", Template()).save(tmp_path)
    assert shape_in(tmp_path) == shape_of(ModelSpec(id="builtin/nano"), "plan")


@pytest.mark.parametrize("revision", ["../../../secret", "/etc/hostname", "a/../b", ".", "-x", 5])
def test_an_adapter_names_no_path_as_the_revision_of_what_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, revision: object
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    (tmp_path / "hf" / "secret").parent.mkdir()
    (tmp_path / "hf" / "secret").write_text("mine", encoding="utf-8")
    folder = tmp_path / "adapter"
    folder.mkdir()
    config = {"base_model_name_or_path": "org/name", "revision": revision}
    (folder / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    why = "not in the Hugging Face cache" if revision == 5 else "is no revision; give a branch"
    with pytest.raises(ModelError, match=why):
        described("org/adapter", folder, "cache")
    if revision != 5:
        with pytest.raises(ModelError, match="is no revision"):
            hub.hold("models", "org/name", "0" * 40, str(revision))


def test_a_hub_checkpoint_is_known_by_its_commit(
    tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    store = Store(tmp_path / "results", tmp_path / "cache")
    assert identify("checkpoint:org/name", store, "plan").name == "org--name-newest"
    with pytest.raises(ModelError, match="org/name: not in the Hugging Face cache"):
        identify("checkpoint:org/name", store, "cache")
    sha = "0123456789" * 4
    here = tmp_path / "hub" / "models--org--name"
    shutil.copytree(tiny, here / "snapshots" / sha)
    (here / "refs").mkdir()
    (here / "refs" / "v1").write_text(sha, encoding="utf-8")
    found = identify("checkpoint:org/name@v1", store, "cache")
    assert (found.name, found.brings) == ("org--name-01234567", f"org/name@{sha}")
    assert found.shape is not None
    assert found.shape.vocabulary == 257
    assert found.here() == here / "snapshots" / sha
    (here / "snapshots" / sha / "model.safetensors").unlink()
    with pytest.raises(DiBenchError, match=r"holds no \.safetensors file; pickled"):
        found.here()
