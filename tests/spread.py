"""What test_ranks.py trains in one process and in several: `python -m tests.spread MODEL OUT`."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from di_bench import adapt, ranks
from di_bench.fit import Fitter
from di_bench.methodfile import MethodFile
from di_bench.model import Peft
from di_bench.ready import sharded
from di_bench.recipe import Recipe
from di_bench.train import Training
from tests.conftest import FORGET, RETAIN, fitter, load

CASES = [(name, adapter) for name in ("gd", "di", "pdu", "rmu") for adapter in (False, True)]
RECIPE = Recipe(lr=1e-3, epochs=3, batch_size=7, warmup=0.5)
"""Of eight texts: steps of seven, which two do not share evenly, and of one."""
EXTRA = ("micro", "lone")


def case(name: str, adapter: bool) -> str:  # noqa: FBT001 - a pair of CASES
    return f"{name}-{'lora' if adapter else 'full'}"


def trained(name: str, tiny: Path, folder: Path, peft: Peft | None = None) -> Fitter:
    """A method's training; its weights are kept in `folder`, whole."""
    fit = fitter(folder / "pieces")
    recipe = replace(RECIPE, micro_batch=2) if name == "micro" else RECIPE
    method = MethodFile.find("gd" if name in EXTRA else name).load({"recipe": asdict(recipe)})
    if name == "lone":
        fit = replace(fit, splits={"forget": FORGET[:1], "retain": RETAIN[:1]})
    lm = method.unlearn(adapt.trainable(load(tiny), peft, 0), fit)
    weights = {name: p.detach().clone() for name, p in lm.model.named_parameters()}
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights, folder / "weights.safetensors")
    return fit


def all_cases(tiny: Path, out: Path) -> None:
    """Train everything, and say what each training was."""
    said: dict[str, Training] = {}
    whole = [pair for pair in CASES if not (sharded() and pair[1])]
    for name, adapter in [*whole, *((name, False) for name in EXTRA)]:
        peft = Peft(rank=4, alpha=8) if adapter else None
        folder = out / case(name, adapter)
        said[folder.name] = trained(name, tiny, folder, peft).trainings[-1]
    text = json.dumps({name: asdict(training) for name, training in said.items()})
    (out / "trainings.json").write_text(text, encoding="utf-8")


FSDP = {
    "ACCELERATE_USE_FSDP": "true",
    "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
    "FSDP_CPU_RAM_EFFICIENT_LOADING": "false",
}
"""What `accelerate launch --use_fsdp` sets."""


def shard() -> None:
    """Spread weights as on several GPUs. Accelerate's launcher never does on a CPU; torch can."""
    from accelerate.state import AcceleratorState, PartialState
    from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin

    ranks.accelerator()
    kind = {"distributed_type": DistributedType.FSDP}
    PartialState._shared_state.update(kind)
    AcceleratorState._shared_state.update(
        kind, fsdp_plugin=FullyShardedDataParallelPlugin(fsdp_version=2)
    )


def launch(code: Sequence[str], more: Mapping[str, str]) -> list[tuple[int, str]]:
    """Run Python in two processes of one group; the status and output of each."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = str(found.getsockname()[1])
    shared = {
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
        "OMP_NUM_THREADS": "1",
        "DI_BENCH_DEVICE": "cpu",
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }
    started = [
        subprocess.Popen(
            [sys.executable, *code],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **shared, **more, "RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(2)
    ]
    said = [process.communicate()[0] for process in started]
    return [(process.returncode, text) for process, text in zip(started, said, strict=True)]


def same(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> float:
    """The largest difference of two sets of weights."""
    assert ours.keys() == theirs.keys()
    return max(float((ours[name] - theirs[name]).abs().max()) for name in ours)


if __name__ == "__main__":
    torch.set_num_threads(1)
    if "ACCELERATE_USE_FSDP" in os.environ:
        shard()
    all_cases(Path(sys.argv[1]), Path(sys.argv[2]) / f"rank{ranks.mine()}")
