"""Peak memory of a piece of work, in bytes."""

import resource
from pathlib import Path

import torch

from di_bench.device import device


def reset_peak_memory() -> None:
    """Start counting peak memory from now, where the system can."""
    if device() == "cuda":
        torch.cuda.reset_peak_memory_stats()
    elif (switch := Path("/proc/self/clear_refs")).exists():
        switch.write_text("5")


def peak_memory() -> int:
    """Bytes: the device's peak since the reset on CUDA, else the process' peak resident memory.

    Linux counts from the last reset; elsewhere the peak is the process' whole life's.
    """
    if device() == "cuda":
        return int(torch.cuda.max_memory_allocated())
    status = Path("/proc/self/status")
    if status.exists():
        line = next(row for row in status.read_text().splitlines() if row.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
