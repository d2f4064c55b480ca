"""Which device the work runs on, found without importing torch: it is part of every key."""

import os
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from di_bench.errors import DiBenchError

Device = Literal["cuda", "mps", "cpu"]
_DEVICES: tuple[Device, ...] = ("cuda", "mps", "cpu")


def cores() -> int:
    """How many processors this process may use; those of a machine are shared by its ranks."""
    own = hasattr(os, "sched_getaffinity")
    found = len(os.sched_getaffinity(0)) if own else os.cpu_count() or 1
    return max(1, found // int(os.environ.get("LOCAL_WORLD_SIZE", 1)))


@cache
def device() -> Device:
    """The best device there is, found without importing torch. `$DI_BENCH_DEVICE` overrules."""
    asked = os.environ.get("DI_BENCH_DEVICE", "")
    for known in _DEVICES:
        if asked == known:
            return known
    if asked:
        raise DiBenchError(f"DI_BENCH_DEVICE={asked}: use cuda, mps or cpu")
    if os.environ.get("ACCELERATE_USE_CPU", "").lower() == "true":  # accelerate launch --cpu
        return "cpu"
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    if Path("/proc/driver/nvidia/version").exists() and not version("torch").endswith("+cpu"):
        return "cpu" if hidden else "cuda"
    return "mps" if sys.platform == "darwin" and os.uname().machine == "arm64" else "cpu"
