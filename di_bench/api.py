"""Everything a method file or a notebook may use. A method imports from here and from torch alone.

Names load on first use, so importing this costs nothing until something heavy is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from di_bench.batch import Batch
    from di_bench.lm import LM
    from di_bench.losses import (
        distil,
        dpo,
        kl,
        lowered,
        nll,
        npo,
        sequence_logprob,
        token_nll,
    )
    from di_bench.method import Fit, Method
    from di_bench.notebook import board, run
    from di_bench.recipe import Recipe
    from di_bench.reference import Reference
    from di_bench.train import Loss, Pair

__all__ = [
    "LM",
    "Batch",
    "Fit",
    "Loss",
    "Method",
    "Pair",
    "Recipe",
    "Reference",
    "board",
    "distil",
    "dpo",
    "kl",
    "lowered",
    "nll",
    "npo",
    "run",
    "sequence_logprob",
    "token_nll",
]

_HOME = {
    "batch": ("Batch",),
    "lm": ("LM",),
    "losses": (
        "distil",
        "dpo",
        "kl",
        "lowered",
        "nll",
        "npo",
        "sequence_logprob",
        "token_nll",
    ),
    "method": ("Fit", "Method"),
    "notebook": ("board", "run"),
    "recipe": ("Recipe",),
    "reference": ("Reference",),
    "train": ("Loss", "Pair"),
}


def __getattr__(name: str) -> object:
    """Load a name from the module it lives in."""
    for module, names in _HOME.items():
        if name in names:
            return getattr(import_module(f"di_bench.{module}"), name)
    raise AttributeError(f"di_bench.api has no {name!r}")
