"""Everything a method file or a notebook may use. A method imports from here and from torch alone.

Names load on first use, so importing this costs nothing until something heavy is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from di_bench.adapt import decoding, extrapolate, trained, twin
    from di_bench.batch import Batch
    from di_bench.focus import By
    from di_bench.lm import LM
    from di_bench.losses import (
        answer_nll,
        answer_probability,
        confusion,
        dampened,
        distil,
        dpo,
        flat,
        focused,
        generic,
        kl,
        lowered,
        misdirection,
        nll,
        npo,
        offset,
        sequence_logprob,
        simnpo,
        to_uniform,
        token_distil,
        token_nll,
        uniform_target,
        weighted_ascent,
        without_truth,
    )
    from di_bench.method import Fit, Method
    from di_bench.model import Peft
    from di_bench.notebook import board, run
    from di_bench.recipe import Recipe
    from di_bench.reference import Reference
    from di_bench.rehearsal import Rehearsal, rehearse
    from di_bench.steps import Pair
    from di_bench.train import Loss

_HOME = {
    "adapt": ("decoding", "extrapolate", "trained", "twin"),
    "batch": ("Batch",),
    "focus": ("By",),
    "lm": ("LM",),
    "losses": (
        "answer_nll",
        "answer_probability",
        "confusion",
        "dampened",
        "distil",
        "dpo",
        "flat",
        "focused",
        "generic",
        "kl",
        "lowered",
        "misdirection",
        "nll",
        "npo",
        "offset",
        "sequence_logprob",
        "simnpo",
        "to_uniform",
        "token_distil",
        "token_nll",
        "uniform_target",
        "weighted_ascent",
        "without_truth",
    ),
    "method": ("Fit", "Method"),
    "model": ("Peft",),
    "notebook": ("board", "run"),
    "recipe": ("Recipe",),
    "reference": ("Reference",),
    "rehearsal": ("Rehearsal", "rehearse"),
    "steps": ("Pair",),
    "train": ("Loss",),
}

__all__ = [
    "LM",
    "Batch",
    "By",
    "Fit",
    "Loss",
    "Method",
    "Pair",
    "Peft",
    "Recipe",
    "Reference",
    "Rehearsal",
    "answer_nll",
    "answer_probability",
    "board",
    "confusion",
    "dampened",
    "decoding",
    "distil",
    "dpo",
    "extrapolate",
    "flat",
    "focused",
    "generic",
    "kl",
    "lowered",
    "misdirection",
    "nll",
    "npo",
    "offset",
    "rehearse",
    "run",
    "sequence_logprob",
    "simnpo",
    "to_uniform",
    "token_distil",
    "token_nll",
    "trained",
    "twin",
    "uniform_target",
    "weighted_ascent",
    "without_truth",
]


def __getattr__(name: str) -> object:
    """Load a name from the module it lives in."""
    for module, names in _HOME.items():
        if name in names:
            return getattr(import_module(f"di_bench.{module}"), name)
    raise AttributeError(f"di_bench.api has no {name!r}")
