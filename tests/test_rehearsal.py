"""A rehearsal moves what the method moves, repeats itself, and leaves nothing behind."""

import tempfile
from pathlib import Path

import pytest
import torch

from di_bench.api import Peft, rehearse
from di_bench.errors import MethodError
from tests import toy

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")

METHODS = ["di", "ga_stop", "di_stop", "di_soft", "dp_decoding", "uld", "altpo", "retrain"]


@pytest.mark.parametrize("name", METHODS)
def test_packaged_methods_forget_in_a_rehearsal(name: str) -> None:
    done = rehearse(name)
    before, after = done.forget
    assert 0.3 < before < 2
    assert after > before + 0.3
    assert done.retain[0] == rehearse("none").retain[1]


@pytest.mark.parametrize("name", ["gd", "uld"])
def test_an_adapter_is_rehearsed_too(name: str) -> None:
    whole, adapted = rehearse(name), rehearse(name, peft=Peft(rank=4))
    assert adapted.forget[0] == pytest.approx(whole.forget[0], rel=1e-4)
    assert adapted.forget[1] != pytest.approx(whole.forget[1], rel=1e-2)
    assert adapted.forget[1] > adapted.forget[0] + 0.3


def test_the_same_rehearsal_gives_the_same_numbers_and_moves_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    torch.manual_seed(1)
    first, drawn = rehearse("di_stop"), torch.rand(1)
    torch.manual_seed(1)
    assert torch.rand(1) == drawn
    assert rehearse("di_stop") == first
    assert list(tmp_path.iterdir()) == []


def test_settings_are_the_methods_own_and_its_recipe_can_be_changed() -> None:
    usual = rehearse("di")
    assert rehearse("di", {"strength": 1.0}).forget[1] < usual.forget[1]
    still = rehearse("di", {"recipe": {"lr": 0.0}})
    assert still.forget[1] == pytest.approx(still.forget[0], rel=1e-6)


def test_what_is_no_method_or_no_setting_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(MethodError, match="setting strenght; did you mean 'strength'"):
        rehearse("di", {"strenght": 1.0})
    with pytest.raises(MethodError, match="unknown setting recipe"):
        rehearse("dp_decoding", {"recipe": {"lr": 1.0}})
    with pytest.raises(MethodError, match="no packaged method 'dii'"):
        rehearse("dii")
    (tmp_path / "calm.py").write_text(toy.METHOD, encoding="utf-8")
    done = rehearse(tmp_path / "calm.py")
    assert done.forget[0] == done.forget[1]
