"""Peak memory counts from its reset."""

import subprocess
import sys

import pytest

CODE = """
import torch
from di_bench.memory import peak_memory, reset_peak_memory

large = 300_000_000
reset_peak_memory()
before = peak_memory()
held = torch.ones(large, dtype=torch.uint8)
del held
assert peak_memory() > before + 0.9 * large, (before, peak_memory())
reset_peak_memory()
assert 10_000_000 < peak_memory() < before + 0.5 * large, (before, peak_memory())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can forget a peak")
def test_the_peak_sees_what_was_held_and_forgets_it_at_a_reset() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
