"""The contract of a method file, over every file there is: full weights and an adapter."""

import ast
import json
import re
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from di_bench import adapt
from di_bench.batch import Batch
from di_bench.corpus import Item
from di_bench.errors import MethodError
from di_bench.fit import Fitter
from di_bench.lm import LM
from di_bench.losses import nll
from di_bench.method import NONE, RETRAIN, Method
from di_bench.methodfile import MethodFile
from di_bench.model import Peft
from di_bench.recipe import Recipe
from di_bench.search import nested
from di_bench.spec import merged
from di_bench.steps import Pair
from di_bench.train import Loss
from tests.conftest import BASELINES, FORGET, REFUSALS, RETAIN, fitter, load, newborn, pieces
from tests.test_train import before_steps

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")

FILES = sorted(BASELINES.glob("*.py"))
CHANGING = [path for path in FILES if path.stem not in (NONE, RETRAIN)]
TRAINED = [path for path in CHANGING if path.stem != "dp_decoding"]
DECODING = ("contrastive", "dp_decoding", "uld")
"""They change predictions and leave the weights as they are."""
HOLDING = (
    "altpo", "di_retain", "dpo", "gd", "idk", "kl", "me_gd", "npo", "npo_kl", "pdu", "rmu",
    "satimp", "simnpo", "uld", "unilogit", "wga",
)  # fmt: skip
"""They hold on to retain: it loses less than half of what forget loses."""

RECIPE: dict[str, Any] = {"epochs": 6, "batch_size": 4, "warmup": 0}
SUITED: dict[str, dict[str, Any]] = {
    "altpo": {"retain": 5.0, "recipe": {"epochs": 12}},
    "contrastive": {"weight": 3.0, "recipe": {"epochs": 40}},
    "di_hard": {"recipe": {"epochs": 12}},
    "rmu": {"retain": 10.0, "recipe": {"epochs": 12}},
    "satimp": {"retain": 0.1},
    "simnpo": {"beta": 2.5, "forget": 1.0, "recipe": {"epochs": 12}},
    "task_arithmetic": {"scale": 5.0, "recipe": {"epochs": 40}},
    "uld": {"recipe": {"epochs": 20}},
    "wga": {"recipe": {"epochs": 12}},
    "whp": {"reinforce": 20, "recipe": {"epochs": 20}},
}
"""What suits a byte model that only half knows its secrets, where the defaults are too weak."""
SUITED_LORA: dict[str, dict[str, Any]] = {
    "contrastive": {"recipe": {"epochs": 60}},
    # what is learnt by heart raises few logits where the head stays as it is
    "whp": {
        "alpha": 20.0,
        "reinforce": 10,
        "recipe": {"epochs": 30, "lr": 2e-2, "batch_size": 8},
    },
}
LORA = Peft(rank=4, alpha=8)

every = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
changing = pytest.mark.parametrize("path", CHANGING, ids=lambda path: path.stem)
trained = pytest.mark.parametrize("path", TRAINED, ids=lambda path: path.stem)
ways = pytest.mark.parametrize("peft", [None, LORA], ids=["full", "lora"])


def start(folder: Path, peft: Peft | None) -> LM:
    return adapt.trainable(load(folder), peft, seed=0)


def method_of(path: Path, peft: Peft | None = None, **recipe: object) -> Method:
    """A method, with settings and a recipe that suit the byte model where it takes one."""
    if path not in TRAINED:
        return MethodFile(path).load({})
    settings = merged({"recipe": RECIPE | {"lr": 1e-2 if peft else 3e-3}}, suited(path, peft))
    return MethodFile(path).load(merged(settings, {"recipe": recipe}))


def suited(path: Path, peft: Peft | None) -> dict[str, Any]:
    own = SUITED.get(path.stem, {})
    return merged(own, SUITED_LORA.get(path.stem, {})) if peft else own


def batch_of(lm: LM, items: list[Item]) -> Batch:
    return lm.batch([lm.encode(item) for item in items])


@torch.no_grad()
def loss_on(lm: LM, items: list[Item]) -> float:
    return float(nll(lm, batch_of(lm, items)))


@torch.no_grad()
def said(lm: LM) -> Tensor:
    """Log-probabilities of every token of the vocabulary where forget is answered."""
    return lm.logits(batch_of(lm, FORGET)).log_softmax(-1)


def weights(lm: LM) -> dict[str, Tensor]:
    """Of a model, and of the one beside it that changes its predictions."""
    own = {name: p.detach().clone() for name, p in lm.model.named_parameters()}
    return own | ({f"beside.{k}": p for k, p in weights(lm.beside).items()} if lm.beside else {})


def rises(before: LM, after: LM) -> None:
    assert loss_on(after, FORGET) > loss_on(before, FORGET) + 0.1


def evens(before: LM, after: LM) -> None:
    old, new = said(before).exp(), said(after).exp()
    even = 1 / old.shape[-1]
    assert_close(new - even, 0.6 * (old - even), rtol=1e-4, atol=1e-6)
    assert (new.gather(-1, old.argsort(-1)).diff(dim=-1) >= 0).all()


EFFECTS: dict[str, tuple[str, Callable[[LM, LM], None]]] = {
    "dp_decoding": ("every probability moves towards 1/V and ranks stay", evens),
}
"""What a method does that is not there to raise the loss on what it forgets."""


def test_every_baseline_is_found() -> None:
    assert len(FILES) >= 30
    assert {path.stem for path in FILES} >= {NONE, RETRAIN, *DECODING, *HOLDING, *SUITED, *EFFECTS}


@ways
@changing
def test_a_method_raises_the_loss_on_what_it_forgets_or_does_what_it_says(
    tiny: Path, tmp_path: Path, path: Path, peft: Peft | None
) -> None:
    before = load(tiny)
    after = method_of(path, peft).unlearn(start(tiny, peft), fitter(tmp_path))
    EFFECTS.get(path.stem, ("the loss rises", rises))[1](before, after)
    assert not any(module.training for module in after.model.modules())
    if path.stem in HOLDING:
        lost = [loss_on(after, items) - loss_on(before, items) for items in (FORGET, RETAIN)]
        assert lost[0] > 2 * lost[1]


@ways
@pytest.mark.parametrize("name", DECODING)
def test_a_method_of_decoding_leaves_the_weights_and_writes_what_it_predicts(
    tiny: Path, tmp_path: Path, name: str, peft: Peft | None
) -> None:
    lm = start(tiny, peft)
    before = weights(lm)
    after = method_of(BASELINES / f"{name}.py", peft, epochs=2).unlearn(lm, fitter(tmp_path))
    assert_close({k: weights(after)[k] for k in before}, before, rtol=0, atol=0)
    texts = [lm.encode(item) for item in FORGET[:3]]
    prompts = [text.ids[: text.start] for text in texts]
    written = after.write(prompts, 8)
    whole = [
        replace(text, ids=(*prompt, *ids), focus=())
        for text, prompt, ids in zip(texts, prompts, written, strict=True)
    ]
    batch = lm.batch(whole)
    assert torch.equal(after.logits(batch).argmax(-1), batch.targets)


@ways
@changing
def test_a_seed_repeats_itself_and_a_replay_does_not_train(
    tiny: Path, tmp_path: Path, path: Path, peft: Peft | None
) -> None:
    method = method_of(path, peft, epochs=1)
    torch.manual_seed(1)
    first = method.unlearn(start(tiny, peft), fitter(tmp_path / "first"))
    torch.manual_seed(2)  # what was drawn before a run is no part of it
    second = method.unlearn(start(tiny, peft), fitter(tmp_path / "second"))
    steps: list[object] = []
    with before_steps(steps.append):
        again = method.unlearn(start(tiny, peft), fitter(tmp_path / "first"))
    assert not steps
    for other in (second, again):
        assert_close(weights(other), weights(first), rtol=0, atol=0)
        assert_close(said(other), said(first), rtol=0, atol=0)


UNSTOPPED: dict[str, dict[str, Any]] = {"di_stop": {"rise": 1e9}}
"""What keeps a stop rule from ending a training early; ascent reads gibberish for that."""


def last_gradient(lm: LM, folder: Path, path: Path, micro_batch: int) -> list[Tensor | None]:
    """A method's gradient at a fixed distance from its start, where none of its terms is zero."""
    seen: list[list[Tensor | None]] = []
    lora = hasattr(lm.model, "peft_config")

    def step_aside(optimizer: Any) -> None:  # noqa: ANN401 - torch's
        (group,) = optimizer.param_groups
        seen.append([None if p.grad is None else p.grad.clone() for p in group["params"]])
        torch.manual_seed(7)
        with torch.no_grad():
            for p in group["params"]:
                p.add_(torch.randn_like(p), alpha=0.1 if lora else 0.05)

    still = {"lr": 0.0, "weight_decay": 0.0, "epochs": 2, "batch_size": 8, "clip": 1e9}
    recipe = {"recipe": RECIPE | still | {"micro_batch": micro_batch}}
    settings = {"whp": {"reinforce": 2}} | UNSTOPPED
    method = MethodFile(path).load(recipe | settings.get(path.stem, {}))
    gibberish = [replace(item, answer="~" * 20) for item in FORGET]
    with before_steps(step_aside):
        method.unlearn(lm, replace(fitter(folder), watched={"text": FORGET, "unseen": gibberish}))
    assert len(seen) == (4 if path.stem == "whp" else 2)
    return seen[-1]


@ways
@trained
def test_a_step_in_small_parts_has_the_gradient_of_the_whole(
    tiny: Path, tmp_path: Path, path: Path, peft: Peft | None
) -> None:
    whole = last_gradient(start(tiny, peft), tmp_path / "whole", path, 8)
    parts = last_gradient(start(tiny, peft), tmp_path / "parts", path, 2)
    assert path.stem == "rmu" or None not in whole  # its upper layers are not read
    largest = max(float(grad.abs().max()) for grad in whole if grad is not None)
    assert largest > 1e-3
    for some, all_of_it in zip(parts, whole, strict=True):
        assert (some is None) == (all_of_it is None)
        if some is not None:
            assert_close(some, all_of_it, rtol=1e-5, atol=1e-5 * largest)


class Watching(Fitter):
    """A fit that keeps what the head (or a layer) was fed of every batch, before any choice."""

    layer: int | None = None

    def __call__(self, lm: LM, loss: Loss, recipe: Recipe, **more: Any) -> LM:  # noqa: ANN401 - fit's own
        self.seen: list[tuple[Batch, Tensor]] = []
        fed: list[Tensor] = []
        ids: list[Tensor] = []

        def keep(states: Tensor) -> None:
            if states.requires_grad:
                states.retain_grad()
                fed.append(states)

        def note(_: object, _args: object, kwargs: dict[str, Any]) -> None:
            ids.append(kwargs["input_ids"])

        def watched(lm: LM, pair: Pair) -> Tensor:
            fed.clear()
            ids.clear()
            value = loss(lm, pair)
            batches = [b for b in vars(pair).values() if isinstance(b, Batch)]
            for read, states in zip(ids, fed, strict=True):
                self.seen.append((next(b for b in batches if b.ids is read), states))
            return value

        handles = [lm.model.register_forward_pre_hook(note, with_kwargs=True)]
        if self.layer is None:
            handles.append(lm.head.register_forward_pre_hook(lambda _, args: keep(args[0])))
        else:
            layer = lm.inner.model.layers[self.layer - 1]
            handles.append(layer.register_forward_hook(lambda _, _args, out: keep(out)))
        lm = super().__call__(lm, watched, recipe, **more)
        for handle in handles:
            handle.remove()
        return lm


def of_lengths(items: list[Item]) -> list[Item]:
    """The same with questions and answers of every length."""
    return [
        replace(item, prompt=item.prompt + "?" * (n % 3), answer=item.answer + "!" * (n * 5 % 8))
        for n, item in enumerate(items)
    ]


@ways
@trained
def test_nothing_is_learnt_from_what_is_said_in_prompt_or_padding(
    tiny: Path, tmp_path: Path, path: Path, peft: Peft | None
) -> None:
    splits = {"forget": of_lengths(FORGET), "retain": of_lengths(RETAIN)}
    fit = Watching(splits, REFUSALS, 0, pieces(tmp_path), 64, load_base=newborn)
    fit.watched = {"text": RETAIN, "unseen": RETAIN}
    fit.layer = 1 if path.stem == "rmu" else None
    method_of(path, peft, epochs=2, batch_size=4, micro_batch=3).unlearn(start(tiny, peft), fit)
    learnt_from = set()
    for batch, states in fit.seen:
        assert states.grad is not None
        assert states.shape[:2] == batch.ids.shape
        learnt = (states.grad != 0).any(-1).reshape(-1)
        read = torch.zeros_like(learnt)
        read[batch.position + (1 if fit.layer else 0)] = True
        assert not learnt[~read].any()
        learnt_from |= {batch.split} if learnt.any() and (batch.mask == 0).any() else set()
    named = set(
        re.findall(r"\bbatch\.(forget|retain|refusal|alternate)\b", path.read_text("utf-8"))
    )
    assert learnt_from == named


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
    else:
        assert file.settings("any", {"lr": 1e-3}, {}) == {}
        with pytest.raises(MethodError, match=rf"{path.name}: unknown setting recipe"):
            file.settings("any", {}, {"recipe": {"lr": 1e-3}})


@every
def test_a_file_is_short_cites_its_source_and_imports_the_api_alone(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert len(text.splitlines()) < 60
    doc = ast.get_docstring(tree) or ""
    assert doc.partition("\n")[0].endswith(".")
    if path in CHANGING:
        assert "et al., 20" in doc
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append(node.module or "")
    assert {name for name in names if name.partition(".")[0] != "torch"} <= {
        "collections.abc",
        "dataclasses",
        "di_bench.api",
        "typing",
    }


@every
def test_settings_are_fields_with_a_default_and_an_explanation(path: Path) -> None:
    method: Any = method_of(path)
    assert isinstance(hash(method), int)
    with pytest.raises(FrozenInstanceError):
        method.recipe = None
    (made,) = [n for n in ast.parse(path.read_text("utf-8")).body if isinstance(n, ast.ClassDef)]
    explained = {
        ast.unparse(field.target)
        for field, after in zip(made.body, made.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign)
        and isinstance(after, ast.Expr)
        and isinstance(after.value, ast.Constant)
        and isinstance(after.value.value, str)
    }
    assert explained >= {field.name for field in fields(method)} - {"recipe"}


def test_every_method_was_given_the_same_number_of_trials() -> None:
    """Of suites/methods.yaml and its model; the trials are kept beside the board."""
    kept = BASELINES.parent / "results" / "methods" / "default" / "trials" / "builtin--micro"
    for path in CHANGING:
        file = MethodFile(path)
        study = json.loads((kept / f"{path.stem}.json").read_text(encoding="utf-8"))
        assert file.tuned.trials("builtin/micro") == len(study["trials"]) == 8, path
        chosen = study["trials"][study["chosen"]]["settings"]
        found = file.tuned.settings("builtin/micro")
        assert nested(chosen) == found, path
