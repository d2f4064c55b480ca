"""The contract of a method file, over every file there is: full weights and an adapter."""

import ast
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from di_bench import adapt
from di_bench.errors import MethodError
from di_bench.lm import LM
from di_bench.losses import nll
from di_bench.method import NONE, RETRAIN, Method, MethodFile
from di_bench.model import Peft
from tests.conftest import BASELINES, FORGET, RETAIN, fitter, load
from tests.test_train import before_steps

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")

FILES = sorted(BASELINES.glob("*.py"))
TRAINED = [path for path in FILES if path.stem not in (NONE, RETRAIN)]
RECIPE: dict[str, Any] = {"epochs": 6, "batch_size": 4, "warmup": 0}
LORA = Peft(rank=4, alpha=8)

every = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
trained = pytest.mark.parametrize("path", TRAINED, ids=lambda path: path.stem)
ways = pytest.mark.parametrize("peft", [None, LORA], ids=["full", "lora"])


def start(folder: Path, peft: Peft | None) -> LM:
    return adapt.trainable(load(folder), peft, seed=0)


def method_of(path: Path, peft: Peft | None = None, **recipe: object) -> Method:
    """A method, with a recipe that suits the byte model where it takes one."""
    rate = {"lr": 1e-2 if peft else 3e-3}
    return MethodFile(path).load({"recipe": RECIPE | rate | recipe} if path in TRAINED else {})


def loss_on(lm: LM, items: list[Any]) -> float:
    with torch.no_grad():
        return float(nll(lm, lm.batch([lm.encode(item) for item in items])))


def weights(lm: LM) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in lm.model.named_parameters()}


def test_every_baseline_is_found() -> None:
    expected = {"di", "di_retain", "dpo", "ga", "gd", "kl", "none", "npo", "retrain"}
    assert {path.stem for path in FILES} >= expected


@ways
@trained
def test_a_method_raises_the_loss_on_what_it_forgets(
    tiny: Path, tmp_path: Path, path: Path, peft: Peft | None
) -> None:
    lm = start(tiny, peft)
    before = loss_on(lm, FORGET)
    after = method_of(path, peft).unlearn(lm, fitter(tmp_path))
    assert loss_on(after, FORGET) > before + 0.1
    assert not after.model.training


@ways
@pytest.mark.parametrize("name", ["di_retain", "dpo", "gd", "kl", "npo"])
def test_a_method_that_holds_on_to_retain_loses_less_of_it_than_of_forget(
    tiny: Path, tmp_path: Path, name: str, peft: Peft | None
) -> None:
    lm = start(tiny, peft)
    forget, retain = loss_on(lm, FORGET), loss_on(lm, RETAIN)
    after = method_of(BASELINES / f"{name}.py", peft).unlearn(lm, fitter(tmp_path))
    assert loss_on(after, FORGET) - forget > 2 * (loss_on(after, RETAIN) - retain)


@ways
@trained
def test_a_replay_comes_to_the_same_weights_without_training(
    tiny: Path, tmp_path: Path, path: Path, peft: Peft | None
) -> None:
    method = method_of(path, peft, epochs=1)
    first = method.unlearn(start(tiny, peft), fitter(tmp_path))
    steps: list[object] = []
    with before_steps(steps.append):
        again = method.unlearn(start(tiny, peft), fitter(tmp_path))
    assert not steps
    assert_close(weights(again), weights(first), rtol=0, atol=0)
    assert loss_on(again, FORGET) == loss_on(first, FORGET)


@ways
@trained
def test_two_runs_of_a_seed_are_one(
    tiny: Path, tmp_path: Path, path: Path, peft: Peft | None
) -> None:
    method = method_of(path, peft, epochs=1)
    torch.manual_seed(1)
    first = method.unlearn(start(tiny, peft), fitter(tmp_path / "first"))
    torch.manual_seed(2)  # what was drawn before a run is no part of it
    second = method.unlearn(start(tiny, peft), fitter(tmp_path / "second"))
    assert_close(weights(second), weights(first), rtol=0, atol=0)


def second_gradient(lm: LM, folder: Path, path: Path, micro_batch: int) -> dict[str, Tensor]:
    """A method's gradient at a fixed distance from its start, where none of its terms is zero."""
    seen: list[dict[str, Tensor]] = []
    lora = hasattr(lm.model, "peft_config")

    def step_aside(_: object) -> None:
        trained = {n: p for n, p in lm.model.named_parameters() if p.requires_grad}
        seen.append({n: p.grad.clone() for n, p in trained.items() if p.grad is not None})
        assert seen[-1].keys() == trained.keys()
        torch.manual_seed(7)
        with torch.no_grad():
            for p in trained.values():
                p.add_(torch.randn_like(p), alpha=0.1 if lora else 0.05)

    still: dict[str, Any] = {
        "lr": 0.0,
        "weight_decay": 0.0,
        "epochs": 2,
        "batch_size": 8,
        "clip": 1e9,
    }
    with before_steps(step_aside):
        method_of(path, **still, micro_batch=micro_batch).unlearn(lm, fitter(folder))
    return seen[1]


@ways
@trained
def test_a_step_in_small_parts_has_the_gradient_of_the_whole(
    tiny: Path, tmp_path: Path, path: Path, peft: Peft | None
) -> None:
    whole = second_gradient(start(tiny, peft), tmp_path / "whole", path, 8)
    parts = second_gradient(start(tiny, peft), tmp_path / "parts", path, 2)
    largest = max(float(grad.abs().max()) for grad in whole.values())
    assert largest > 0.1
    assert_close(parts, whole, rtol=1e-5, atol=1e-5 * largest)


@ways
def test_none_leaves_the_model_as_it_was(tiny: Path, tmp_path: Path, peft: Peft | None) -> None:
    lm, fit = start(tiny, peft), fitter(tmp_path)
    before = weights(lm)
    assert method_of(BASELINES / "none.py").unlearn(lm, fit) is lm
    assert_close(weights(lm), before, rtol=0, atol=0)
    assert fit.trainings == []


@ways
def test_retrain_is_the_gold_model(tiny: Path, tmp_path: Path, peft: Peft | None) -> None:
    lm, fit = start(tiny, peft), fitter(tmp_path)
    gold = load(tiny).clone()
    fit.load_gold = lambda: gold
    assert method_of(BASELINES / "retrain.py").unlearn(lm, fit) is gold
    assert fit.trainings == []


@every
def test_an_unknown_setting_is_refused_with_the_file_and_the_nearest_name(path: Path) -> None:
    file = MethodFile(path)
    with pytest.raises(MethodError, match=rf"{path.name}: unknown setting betta; "):
        file.settings("any", {}, {"betta": 1})
    with pytest.raises(MethodError, match=rf"{path.name}: setting betta"):
        file.load({"betta": 1})
    if path in TRAINED:
        with pytest.raises(MethodError, match=rf"{path.name}: .*learning_rate.*weight_decay"):
            file.settings("any", {"learning_rate": 1}, {})
        with pytest.raises(MethodError, match=rf"{path.name}: setting recipe"):
            file.load({"recipe": {"lr": "fast"}})


@every
def test_a_file_is_short_cites_its_source_and_imports_the_api_alone(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert len(text.splitlines()) < 60
    said = ast.get_docstring(tree) or ""
    assert said.partition("\n")[0].endswith(".")
    if path in TRAINED:
        assert "et al., 20" in said
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append(node.module or "")
    assert {name for name in names if name.partition(".")[0] != "torch"} <= {
        "dataclasses",
        "di_bench.api",
    }


@every
def test_settings_are_fields_with_a_default_and_an_explanation(path: Path) -> None:
    method: Any = method_of(path)
    assert isinstance(hash(method), int)
    with pytest.raises(FrozenInstanceError):
        method.recipe = None
    (made,) = [n for n in ast.parse(path.read_text("utf-8")).body if isinstance(n, ast.ClassDef)]
    said = {
        ast.unparse(field.target)
        for field, after in zip(made.body, made.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign)
        and isinstance(after, ast.Expr)
        and isinstance(after.value, ast.Constant)
        and isinstance(after.value.value, str)
    }
    assert said >= {field.name for field in fields(method)} - {"recipe"}
