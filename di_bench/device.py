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
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def device() -> Device:
    """The best device there is, found without importing torch. `$DI_BENCH_DEVICE` overrules."""
    asked = os.environ.get("DI_BENCH_DEVICE", "")
    for known in _DEVICES:
        if asked == known:
            return known
    if asked:
        raise DiBenchError(f"DI_BENCH_DEVICE={asked}: use cuda, mps or cpu")
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    if Path("/proc/driver/nvidia/version").exists() and not version("torch").endswith("+cpu"):
        return "cpu" if hidden else "cuda"
    return "mps" if sys.platform == "darwin" and os.uname().machine == "arm64" else "cpu"
