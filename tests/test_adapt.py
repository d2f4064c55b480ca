"""An adapter learns, and nothing else does; it is kept alone and comes back the same."""

import json
import shutil
from pathlib import Path
from typing import Literal

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from torch import Tensor
from torch.testing import assert_close

from di_bench import adapt
from di_bench.batch import Batch
from di_bench.errors import ModelError
from di_bench.lm import LM
from di_bench.losses import nll
from di_bench.model import Peft
from di_bench.recipe import Recipe
from di_bench.steps import Pair
from tests.conftest import FORGET, fitter, load

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")

LORA = Peft(rank=4, alpha=8, dropout=0.5)
RECIPE = Recipe(lr=1e-2, epochs=2, batch_size=4, warmup=0)


def ordinary(lm: LM, pair: Pair) -> Tensor:
    return nll(lm, pair.forget)


def batch_of(lm: LM) -> Batch:
    return lm.batch([lm.encode(item) for item in FORGET])


def trained_names(lm: LM) -> set[str]:
    return {name for name, p in lm.model.named_parameters() if p.requires_grad}


def weights(lm: LM) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in lm.model.named_parameters()}


def adapted(folder: Path, peft: Peft = LORA, seed: int = 0) -> LM:
    return adapt.trainable(load(folder).clone(), peft, seed)


def test_without_an_adapter_every_weight_is_trained(lm: LM) -> None:
    frozen = lm.clone()
    assert adapt.trainable(frozen, None, 0) is frozen
    assert trained_names(frozen) == {name for name, _ in frozen.model.named_parameters()}


@pytest.mark.parametrize(
    ("targets", "modules"),
    [("all-linear", 14), (("q_proj", "v_proj"), 4), (("down_proj",), 2)],
    ids=["all-linear", "attention", "one"],
)
def test_an_adapter_sits_on_its_targets_and_is_all_that_learns(
    tiny: Path, tmp_path: Path, targets: tuple[str, ...] | Literal["all-linear"], modules: int
) -> None:
    lm = adapted(tiny, Peft(rank=4, alpha=8, targets=targets))
    names = trained_names(lm)
    assert len(names) == 2 * modules
    assert all("lora_" in name for name in names)
    before = weights(lm)
    fitter(tmp_path)(lm, ordinary, RECIPE)
    after = weights(lm)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == names


def test_a_fresh_adapter_changes_nothing_and_its_reference_is_the_bare_model(
    lm: LM, tiny: Path, tmp_path: Path
) -> None:
    fresh = adapted(tiny)
    batch = lm.batch([lm.encode(item) for item in FORGET], "forget", range(len(FORGET)))
    said = lm.logits(batch).detach()
    assert_close(fresh.logits(batch), said, rtol=1e-5, atol=1e-5)
    start = fitter(tmp_path / "asked").reference(fresh, "forget")
    fitter(tmp_path)(fresh, ordinary, RECIPE)
    assert not torch.allclose(fresh.logits(batch), said, atol=0.01)
    assert_close(start.logits(batch), said, rtol=1e-5, atol=1e-5)


def test_an_adapters_first_weights_come_from_the_seed(tiny: Path) -> None:
    torch.manual_seed(11)
    first = weights(adapted(tiny, seed=3))
    torch.manual_seed(12)
    assert_close(weights(adapted(tiny, seed=3)), first, rtol=0, atol=0)
    other = weights(adapted(tiny, seed=4))
    assert any(not torch.equal(other[name], first[name]) for name in first)


def test_an_adapter_is_kept_alone_and_comes_back_the_same(tiny: Path, tmp_path: Path) -> None:
    lm = adapted(tiny)
    fitter(tmp_path / "fit")(lm, ordinary, RECIPE)
    adapt.save(lm, tmp_path)
    (kept,) = tmp_path.glob("*.safetensors")
    assert len(load_file(kept)) == len(trained_names(lm))
    again = adapted(tiny, seed=5)
    again.model.train()
    adapt.restore(again, tmp_path)
    assert_close(weights(again), weights(lm), rtol=0, atol=0)
    assert torch.equal(again.logits(batch_of(lm)), lm.logits(batch_of(lm)))


def test_a_kept_adapter_is_a_folder_of_peft_and_names_no_place(tiny: Path, tmp_path: Path) -> None:
    places = [shutil.copytree(tiny, tmp_path / name / "tiny") for name in ("one", "another")]
    for place in places:
        adapt.save(adapted(place), place.parent / "kept")
    one, another = (sorted((place.parent / "kept").iterdir()) for place in places)
    assert [file.name for file in one] == ["adapter_config.json", "adapter_model.safetensors"]
    for file, other in zip(one, another, strict=True):
        assert file.read_bytes() == other.read_bytes()
        assert str(tmp_path).encode() not in file.read_bytes()
    config = json.loads(one[0].read_text(encoding="utf-8"))
    assert config["base_model_name_or_path"] is None
    assert config["target_modules"] == sorted(config["target_modules"])
    lm = adapted(tiny)
    plain = PeftModel.from_pretrained(load(tiny).model, str(one[0].parent))
    again = LM(plain.eval(), lm.tokenizer, lm.template)
    assert torch.equal(again.logits(batch_of(lm)), lm.logits(batch_of(lm)))


def test_an_adapter_of_an_older_folder_comes_back_too(tiny: Path, tmp_path: Path) -> None:
    """Such a folder has weights and no configuration."""
    lm = adapted(tiny)
    fitter(tmp_path / "fit")(lm, ordinary, RECIPE)
    lm.model.save_pretrained(str(tmp_path / "old"))
    for file in (tmp_path / "old").iterdir():
        if file.suffix != ".safetensors":
            file.unlink()
    again = adapted(tiny, seed=5)
    adapt.restore(again, tmp_path / "old")
    assert_close(weights(again), weights(lm), rtol=0, atol=0)


def test_kept_weights_and_tokenizer_name_no_place(lm: LM, tmp_path: Path) -> None:
    lm.save(tmp_path / "one")
    load(tmp_path / "one").save(tmp_path / "another")
    names = {file.name for file in (tmp_path / "one").iterdir()}
    assert names == {file.name for file in (tmp_path / "another").iterdir()}
    for name in names:
        first = (tmp_path / "one" / name).read_bytes()
        assert first == (tmp_path / "another" / name).read_bytes(), name
        assert str(tmp_path).encode() not in first


def test_whole_weights_come_back_the_same_in_place(lm: LM, tiny: Path, tmp_path: Path) -> None:
    adapt.trainable(lm, None, 0)
    fitter(tmp_path / "fit")(lm, ordinary, RECIPE)
    adapt.save(lm, tmp_path)
    again = adapt.trainable(load(tiny), None, 0)
    before = again.model
    adapt.restore(again, tmp_path)
    assert again.model is before
    assert_close(weights(again), weights(lm), rtol=0, atol=0)
    assert trained_names(again) == trained_names(lm)


def test_dropout_is_on_in_training_and_off_in_every_answer(tiny: Path, tmp_path: Path) -> None:
    lm = adapted(tiny)
    assert not any(module.training for module in lm.model.modules())
    seen: list[Tensor] = []

    def loss(lm: LM, pair: Pair) -> Tensor:
        seen.extend(lm.logits(pair.forget).detach() for _ in range(2))
        return ordinary(lm, pair)

    fitter(tmp_path)(lm, loss, RECIPE)
    assert not torch.equal(seen[-1], seen[-2])
    restored = adapted(tiny)
    fitter(tmp_path)(restored, loss, RECIPE)
    for model in (lm, restored):
        assert torch.equal(model.logits(batch_of(lm)), model.logits(batch_of(lm)))
    assert torch.equal(restored.logits(batch_of(lm)), lm.logits(batch_of(lm)))


def test_dropout_repeats_itself_from_the_seed(tiny: Path, tmp_path: Path) -> None:
    def train(name: str) -> dict[str, Tensor]:
        lm = adapted(tiny)
        torch.rand(len(name))
        fitter(tmp_path / name)(lm, ordinary, RECIPE)
        return weights(lm)

    assert_close(train("one"), train("another"), rtol=0, atol=0)


def test_an_adapted_model_writes_and_clones_like_any_other(
    lm: LM, tiny: Path, tmp_path: Path
) -> None:
    prompts = [one.ids[: one.start] for one in (lm.encode(item) for item in FORGET[:3])]
    fresh = adapted(tiny)
    assert fresh.write(prompts, 10) == lm.write(prompts, 10)
    twin = fresh.clone()
    assert not trained_names(twin)
    fitter(tmp_path)(fresh, lambda lm, pair: -ordinary(lm, pair), RECIPE)
    assert torch.equal(twin.logits(batch_of(lm)), adapted(tiny).logits(batch_of(lm)))
    assert fresh.context == lm.context


def test_unknown_target_modules_are_refused_by_name(lm: LM) -> None:
    with pytest.raises(ModelError, match=r"peft\.targets: .*nonsense"):
        adapt.trainable(lm, Peft(targets=("nonsense",)), 0)
