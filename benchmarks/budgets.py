"""What the harness itself costs: start-up, boards, gates, and the overhead of a cell.

    .venv/bin/python benchmarks/budgets.py

Start-up is quoted as a ratio to starting Python with pandas and scipy, since machines differ. The
run of the whole suite is measured apart, with `--grid`, because it takes minutes.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from statistics import median

import psutil

ROOT = Path(__file__).parents[1]
CLI = [sys.executable, "-c", "from di_bench.cli import app; app()"]
PANDAS = [sys.executable, "-c", "import pandas, scipy.stats"]


def seconds(command: list[str], runs: int = 5) -> tuple[float, float]:
    """Median wall seconds and processor seconds of a command."""
    walls, cpus = [], []
    for _ in range(runs):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.perf_counter()
        subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
        walls.append(time.perf_counter() - began)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpus.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return median(walls), median(cpus)


def start_up() -> None:
    """The verbs that must answer at once."""
    _, unit = seconds(PANDAS)
    records = "results/tofu/default"
    verbs = {
        "--help": ["--help"],
        "plan tofu": ["plan", "tofu"],
        "board tofu": ["board", "tofu"],
        "check": ["check", records, "--against", records],
    }
    print(f"{'command':<14} wall s  cpu s  of Python + pandas + scipy ({unit:.2f} cpu s)")
    for name, arguments in verbs.items():
        wall, cpu = seconds([*CLI, *arguments])
        print(f"{name:<14} {wall:6.2f} {cpu:6.2f}  {cpu / unit:.2f}")


def memory(pid: int) -> int:
    """The most bytes that a process and its children held together, looked at twice a second."""
    most = 0
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        held = 0
        for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
            with suppress(psutil.Error):
                held += process.memory_full_info().pss
        most = max(most, held)
        time.sleep(0.5)
    return most


def grid() -> None:
    """The whole default run in an empty cache: first cell, first model, all of it, and memory."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor() as threads:
        options = ["--results", f"{folder}/out", "--cache", f"{folder}/cache"]
        began = time.perf_counter()
        process = subprocess.Popen(
            [*CLI, "run", "suites/tofu.yaml", *options], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        peak = threads.submit(memory, process.pid)
        for line in process.stdout:
            if line.startswith("["):
                print(f"{time.perf_counter() - began:7.1f} s  {line.split(';')[0]}")
        process.wait()
        wall = time.perf_counter() - began
        print(f"{wall:7.1f} s  everything; {peak.result() / 1e9:.2f} GB; {os.cpu_count()} cores")
        began = time.perf_counter()
        subprocess.run([*CLI, "run", "suites/tofu.yaml", *options], cwd=ROOT, capture_output=True)
        print(f"{time.perf_counter() - began:7.1f} s  again, with nothing to do")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--grid", action="store_true", help="also time the whole default run")
    start_up()
    if parser.parse_args().grid:
        grid()
