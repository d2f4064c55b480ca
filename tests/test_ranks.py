"""Several processes do what one does: the same weights, the same records, each said once."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from tests import spread
from tests.test_cli import NAN, change, records, run, times

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")


@pytest.fixture(scope="module")
def spread_out(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every case, trained by one process (`one`) and by two, sharded (`fsdp`) or not."""
    out = tmp_path_factory.mktemp("spread")
    spread.all_cases(tiny, out / "one")
    for folder, more in ((out, {}), (out / "fsdp", spread.FSDP)):
        code = ["-m", "tests.spread", str(tiny), str(folder)]
        for status, said in spread.launch(code, more):
            assert status == 0, said
    return out


NAMES = [spread.case(*case) for case in [*spread.CASES, *((name, False) for name in spread.EXTRA)]]


@pytest.mark.parametrize(
    ("rank", "name"),
    [(f"rank{rank}", name) for rank in range(2) for name in NAMES]
    + [(f"fsdp/rank{rank}", name) for rank in range(2) for name in NAMES if "lora" not in name],
)
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


def accelerated(suite: Path, *arguments: str | Path) -> tuple[int, str]:
    """The command line by accelerate's own launcher, in two processes: status and output.

    `accelerate launch --cpu` starts one process whatever --num_processes says: hence --multi_gpu.
    """
    launcher = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    given = ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    command = ["--main_process_port", "0", "-m", "di_bench", "run", suite, *arguments]
    done = subprocess.run(
        [sys.executable, *launcher, *given, *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "OMP_NUM_THREADS": "1"},
    )
    return done.returncode, done.stdout


def near(ours: Any, theirs: Any) -> bool:  # noqa: ANN401 - JSON
    """Whether two records say the same, but for the last digits of sums in another order."""
    if isinstance(ours, dict):
        return ours.keys() == theirs.keys() and all(near(ours[key], theirs[key]) for key in ours)
    if isinstance(ours, list):
        return len(ours) == len(theirs) and all(map(near, ours, theirs))
    return bool(ours == (pytest.approx(theirs, 1e-4, 1e-5) if ours.__class__ is float else theirs))


def test_a_launched_run_files_the_same_records_and_says_each_once(
    suite_file: Path, folders: list[str], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text(NAN, encoding="utf-8")
    change(suite_file, methods=["none", "retrain", "di", "pdu", str(broken)])
    status, said = accelerated(suite_file, *folders)
    assert status == 0, said
    assert said.count("10 cells: 0 done") == 1, said
    assert sorted(re.findall(r"\[(\d+)/10\]", said), key=int) == [str(n) for n in range(1, 11)]
    alone = ["--results", str(tmp_path / "r2"), "--cache", str(tmp_path / "c2")]
    assert run(suite_file, alone).exit_code == 0
    found = records(folders)
    assert near(found, records(alone))
    assert found["broken-0"]["error"] == "loss is nan at step 0 (epoch 1)"
    assert not list(Path(folders[3]).rglob("*.draft"))
    assert len(list(Path(folders[1]).rglob("LEADERBOARD.md"))) == 1
    before = times(folders[1], "*.json")
    change(suite_file, metrics={"prob": {"probability": "forget"}})
    status, said = accelerated(suite_file, *folders)  # nothing to train or ask: all of it is found
    assert status == 0, said
    assert set(times(folders[1], "*.json")) == set(before)
    assert all("prob" in r["scores"] for r in records(folders).values() if r["status"] == "done")


def test_what_breaks_in_one_process_breaks_in_all_and_the_rest_goes_on(
    suite_file: Path, folders: list[str], tmp_path: Path
) -> None:
    odd = tmp_path / "odd.py"
    line = 'if os.environ["RANK"] == "1" and batch.forget.rows: raise ValueError("odd one out")'
    code = NAN.replace("            return", f"            {line}\n            return")
    odd.write_text(code.replace("from torch", "import os\nfrom torch"), encoding="utf-8")
    change(suite_file, methods=["none", "retrain", str(odd), "di"], seeds=[0])
    status, said = accelerated(suite_file, *folders)
    assert status == 1, said
    found = records(folders)
    assert found["odd-0"]["status"] == "failed"
    assert found["odd-0"]["error"] == "RuntimeError: process 1: ValueError: odd one out"
    assert {found[f"{name}-0"]["status"] for name in ("di", "none")} == {"done"}


def test_what_one_process_cannot_do_ends_the_run_in_one_line(
    suite_file: Path, folders: list[str], tmp_path: Path
) -> None:
    odd = tmp_path / "odd.py"
    line = 'if os.environ["RANK"] == "1": raise torch.OutOfMemoryError("out of memory")'
    code = NAN.replace("            return", f"            {line}\n            return")
    odd.write_text(code.replace("from torch", "import os, torch\nfrom torch"), encoding="utf-8")
    status, said = accelerated(suite_file, odd, "--seed", "0", *folders)
    assert status == 1, said  # the launcher's own; the process left with 2
    assert said.count("process 1: out of memory with micro-batches of 4 texts") == 1, said


def test_what_cannot_be_sharded_is_said_in_one_line(tiny: Path, tmp_path: Path) -> None:
    code = f"""
import os
from pathlib import Path
from tests import spread
from di_bench.model import Peft
from di_bench.errors import ModelError
spread.shard()
for name, peft in (("di_stop", None), ("gd", Peft())):
    try:
        folder = Path({str(tmp_path)!r}, name, os.environ["RANK"])
        spread.trained(name, Path({str(tiny)!r}), folder, peft)
    except ModelError as error:
        print("refused:", error)
"""
    for status, said in spread.launch(["-c", code], spread.FSDP):
        assert status == 0, said
        assert "refused: a rule to stop by asks a whole model" in said
        assert "refused: FSDP trains whole models; leave peft out" in said
