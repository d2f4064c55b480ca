"""Several processes do what one does: the same weights, the same records, each said once."""

import json
from pathlib import Path

import pytest
from safetensors.torch import load_file

from tests import spread

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")


@pytest.fixture(scope="module")
def spread_out(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every case, trained by one process (`one`) and by two (`rank0`, `rank1`)."""
    out = tmp_path_factory.mktemp("spread")
    spread.all_cases(tiny, out / "one")
    for status, said in spread.launch(["-m", "tests.spread", str(tiny), str(out)]):
        assert status == 0, said
    return out


@pytest.mark.parametrize(
    "name",
    [spread.case(*case) for case in spread.CASES]
    + [spread.case(name, False) for name in spread.EXTRA],
)
@pytest.mark.parametrize("rank", ["rank0", "rank1"])
def test_two_processes_train_what_one_does(spread_out: Path, rank: str, name: str) -> None:
    ours, theirs = (
        load_file(spread_out / who / name / "weights.safetensors") for who in ("one", rank)
    )
    one, other = (
        json.loads((spread_out / who / "trainings.json").read_text("utf-8"))[name]
        for who in ("one", rank)
    )
    assert other["curve"] == pytest.approx(one["curve"], abs=1e-5, rel=1e-5)
    assert (other["steps"], other["tokens"]) == (one["steps"], one["tokens"])
    assert spread.same(ours, theirs) < 1e-5
