"""Peak memory of a piece of work, in bytes."""

import resource
import sys
from contextlib import suppress
from pathlib import Path

import torch

from di_bench.device import device


def reset_peak_memory() -> None:
    """Start counting peak memory from now, where the system can."""
    if device() == "cuda":
        torch.cuda.reset_peak_memory_stats()
        return
    with suppress(OSError):  # only Linux has it, and not every container lets it be written
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory() -> int:
    """Bytes: the device's peak since the reset on CUDA, else the process' peak resident memory.

    Linux counts from the last reset; elsewhere the peak is the process' whole life's.
    """
    if device() == "cuda":
        return int(torch.cuda.max_memory_allocated())
    status = Path("/proc/self/status")
    for row in status.read_text("utf-8").splitlines() if status.exists() else ():
        if row.startswith("VmHWM:"):
            return int(row.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * unit
