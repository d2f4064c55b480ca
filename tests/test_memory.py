"""Peak memory counts from its reset."""

import sys

import pytest
import torch

from di_bench.memory import peak_memory, reset_peak_memory

LARGE = 100_000_000


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can forget a peak")
def test_the_peak_sees_what_was_held_and_forgets_it_at_a_reset() -> None:
    reset_peak_memory()
    before = peak_memory()
    held = torch.ones(LARGE, dtype=torch.uint8)
    del held
    assert peak_memory() > before + 0.9 * LARGE
    reset_peak_memory()
    assert 10_000_000 < peak_memory() < before + 0.5 * LARGE
