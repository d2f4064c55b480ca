"""An exported model is the one that was scored, loaded by plain transformers or plain PEFT."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor
from typer.testing import CliRunner, Result

from di_bench.cli import app
from di_bench.lm import LM
from di_bench.pipeline import Pipeline
from di_bench.store import Store
from di_bench.work import Choice, Work
from tests.conftest import FORGET
from tests.test_cli import NAN

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")

ROOT = Path(__file__).parents[1]
LORA = {"rank": 4, "alpha": 8}


def cli(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def add(suite: Path, **keys: Any) -> None:  # noqa: ANN401 - YAML
    tree = yaml.safe_load(suite.read_text(encoding="utf-8")) | keys
    suite.write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")


def run(suite: Path, folders: list[str], *more: str | Path) -> Path:
    """The suite, done; and the folder of its records."""
    done = cli("run", suite, *more, "--seed", "0", "--workers", "1", *folders)
    assert done.exit_code == 0, done.output
    (folder,) = Path(folders[1]).glob("toy/default/*/")
    return folder


def show(record: Path, suite: Path, to: Path, folders: list[str], *more: str | Path) -> Result:
    return cli("show", record, "--export", to, "--suite", suite, *more, *folders)


def refused(result: Result, said: str, to: Path) -> None:
    assert result.exit_code == 2, result.output
    assert said in result.output
    assert len(result.output.strip().splitlines()) == 1
    assert not to.exists()
    assert not list(to.parent.glob(".*.draft"))


def scored(suite: Path, folders: list[str], method: str, *changes: str) -> LM:
    """The model of the pipeline."""
    work = Work.lay_out(
        Choice(str(suite), seeds=[0], changes=changes), [method],
        Store(Path(folders[1]), Path(folders[3])), "cache",
    )  # fmt: skip
    name = Path(method).stem
    return Pipeline(work.store).unlearned(next(r for r in work.runs if r.method.name == name))


def text(tokenizer: Any) -> Tensor:  # noqa: ANN401 - a tokenizer
    return torch.tensor([tokenizer(f"Question: {FORGET[2].prompt}\nAnswer: It is").input_ids])


@torch.no_grad()
def says(model: Any, tokenizer: Any) -> Tensor:  # noqa: ANN401 - of transformers or PEFT
    logits: Tensor = model.eval()(text(tokenizer)).logits
    return logits


def plain(folder: Path) -> tuple[Any, Any]:
    """The model and tokenizer of a folder, as anyone would load them."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    return AutoModelForCausalLM.from_pretrained(folder), tokenizer


def adapted(folder: Path) -> Any:  # noqa: ANN401 - of PEFT
    from peft import AutoPeftModelForCausalLM

    return AutoPeftModelForCausalLM.from_pretrained(folder)


def test_full_weights_load_with_plain_transformers(
    suite_file: Path, folders: list[str], tmp_path: Path
) -> None:
    records = run(suite_file, folders)
    said = {}
    for method in ("di", "none", "retrain"):
        to = tmp_path / "out" / method
        made = show(records / f"{method}-0.json", suite_file, to, folders)
        assert made.exit_code == 0, made.output
        assert made.output.strip() == f"AutoModelForCausalLM.from_pretrained({str(to)!r})"
        said[method] = says(*plain(to))
        own = scored(suite_file, folders, method)
        assert torch.equal(said[method], says(own.model, own.tokenizer))
    assert not torch.equal(said["di"], said["none"])
    assert not torch.equal(said["retrain"], said["none"])
    again = show(records / "di-0.json", suite_file, tmp_path / "out" / "di", folders)
    assert again.exit_code == 2
    assert "is not empty; name a new or empty folder" in again.output


def test_an_adapter_loads_with_plain_peft_on_the_target_beside_it(
    suite_file: Path, folders: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(suite_file, peft=LORA)
    records = run(suite_file, folders)
    monkeypatch.chdir(tmp_path)
    Path("out").mkdir()  # empty
    made = show(records / "di-0.json", suite_file, Path("out"), folders)
    assert made.exit_code == 0, made.output
    to = tmp_path / "out"
    assert sorted(path.name for path in to.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
        "base",
    ]
    config = json.loads((to / "adapter_config.json").read_text(encoding="utf-8"))
    assert config["base_model_name_or_path"] == str(to / "base")
    own = scored(suite_file, folders, "di")
    monkeypatch.chdir("/")
    assert torch.equal(says(adapted(to), own.tokenizer), says(own.model, own.tokenizer))
    target = scored(suite_file, folders, "none")
    assert torch.equal(says(*plain(to / "base")), says(target.model, target.tokenizer))
    assert not torch.equal(says(own.model, own.tokenizer), says(target.model, target.tokenizer))


def test_an_adapter_on_a_given_checkpoint_names_it(
    suite_file: Path, folders: list[str], tmp_path: Path, tiny: Path
) -> None:
    target = shutil.copytree(tiny, tmp_path / "given")
    add(suite_file, peft=LORA, models=[{"id": str(tiny), "target": str(target)}])
    records = run(suite_file, folders)
    made = show(records / "di-0.json", suite_file, tmp_path / "out", folders)
    assert made.output.strip().endswith(f"; it goes on {target}")
    assert not (tmp_path / "out" / "base").exists()
    own = scored(suite_file, folders, "di")
    said = says(adapted(tmp_path / "out"), own.tokenizer)
    assert torch.equal(said, says(own.model, own.tokenizer))


def test_what_the_cache_lost_is_trained_again_and_said(
    suite_file: Path, folders: list[str], tmp_path: Path
) -> None:
    records = run(suite_file, folders)
    assert show(records / "di-0.json", suite_file, tmp_path / "one", folders).exit_code == 0
    shutil.rmtree(folders[3])
    made = show(records / "di-0.json", suite_file, tmp_path / "two", folders)
    assert made.exit_code == 0, made.output
    *said, how = made.output.strip().splitlines()
    assert [line.partition(": ")[0] for line in said] == ["not in the cache, done again"] * 2
    assert "memorises (target, seed 0)" in said[0]
    assert said[1].endswith("/di-0 unlearns")
    assert how.startswith("AutoModelForCausalLM")
    assert torch.equal(says(*plain(tmp_path / "two")), says(*plain(tmp_path / "one")))


def test_a_changed_cell_is_found_by_the_same_changes(
    suite_file: Path, folders: list[str], tmp_path: Path
) -> None:
    changes = ("--set", "recipe.lr=1e-2", "--set", "methods={di: {strength: 3}}")
    records = run(suite_file, folders, "di", *changes)
    (record,) = records.glob("di+*-0.json")
    to = tmp_path / "out"
    refused(show(record, suite_file, to, folders), "not a cell of this suite; give --suite", to)
    made = show(record, suite_file, to, folders, *changes)
    assert made.exit_code == 0, made.output
    own = scored(suite_file, folders, "di", *changes[1::2])
    assert torch.equal(says(*plain(to)), says(own.model, own.tokenizer))


def test_a_strangers_method_is_found_by_its_file(
    suite_file: Path, folders: list[str], tmp_path: Path
) -> None:
    assert cli("new", "method", "sparing", "--to", tmp_path).exit_code == 0
    method = tmp_path / "sparing.py"
    record, to = run(suite_file, folders, method) / "sparing-0.json", tmp_path / "out"
    said = "--set 'methods={./sparing.py: {}}'"
    refused(show(record, suite_file, to, folders), said, to)
    made = show(record, suite_file, to, folders, "--set", f"methods={{{method}: {{}}}}")
    assert made.exit_code == 0, made.output
    own = scored(suite_file, folders, str(method))
    assert torch.equal(says(*plain(to)), says(own.model, own.tokenizer))


def test_decode_time_methods_and_failures_have_nothing_to_export(
    suite_file: Path, folders: list[str], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text(NAN, encoding="utf-8")
    records, to = run(suite_file, folders, "dp_decoding", "contrastive", broken), tmp_path / "out"
    for method in ("dp_decoding", "contrastive"):
        said = f"{method}: changes predictions while they are read, and no weights"
        refused(show(records / f"{method}-0.json", suite_file, to, folders), said, to)
    said = "broken-0: diverged; such a run has no model"
    refused(show(records / "broken-0.json", suite_file, to, folders), said, to)


def test_a_record_of_another_code_or_suite_is_refused(
    suite_file: Path, folders: list[str], tmp_path: Path
) -> None:
    record, to = run(suite_file, folders) / "di-0.json", tmp_path / "out"
    said = "'toy' is not a packaged suite; name its file: --suite FILE"
    refused(cli("show", record, "--export", to, *folders), said, to)
    add(suite_file, recipe={"lr": 3e-3, "epochs": 3, "batch_size": 4})
    stale = show(record, suite_file, to, folders)
    refused(stale, "changed since; make it again with `di-bench run`", to)
    assert "/di-0: its method, suite, data" in stale.output
    add(suite_file, recipe={"lr": 3e-3, "epochs": 2, "batch_size": 4})
    assert show(record, suite_file, to, folders).exit_code == 0


def test_a_packaged_suite_is_found_by_the_records_own_words(
    folders: list[str], tmp_path: Path
) -> None:
    name = "tofu/default/builtin--nano/di-0"
    tree = json.loads((ROOT / "results" / f"{name}.json").read_text(encoding="utf-8"))
    tree["keys"]["weights"] = "0" * 16  # the right one would grow a model here
    copied = Path(folders[1]) / f"{name}.json"
    copied.parent.mkdir(parents=True)
    copied.write_text(json.dumps(tree), encoding="utf-8")
    to = tmp_path / "out"
    refused(cli("show", name, "--export", to, *folders), "builtin--nano/di-0: its method", to)
