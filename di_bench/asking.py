"""In which turn a run's probes are asked, and what one of them gains by another."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial

from di_bench import probe
from di_bench.asks import Judge, Read, Write
from di_bench.corpus import Item, digest
from di_bench.lm import LM
from di_bench.run import Run
from di_bench.transcript import Row, Rows


def in_turn(run: Run, probes: Collection[str]) -> list[str]:
    """These probes, or all: reading first, for it tells what will be written, and judges last."""
    asked = run.suite.probes
    names = [name for name in asked if not probes or name in probes]
    names.sort(key=lambda name: not isinstance(asked[name], Read))
    judges = {name: spec.of for name in names if isinstance(spec := asked[name], Judge)}
    first = dict.fromkeys([*(name for name in names if name not in judges), *judges.values()])
    return [*first, *judges]


def heard(run: Run, split: str, rows: Mapping[str, Rows]) -> Rows:
    """What the model made of a split's true answers, if it was asked already."""
    asked = run.suite.probes.items()
    reads = (name for name, probe in asked if isinstance(probe, Read) and probe.split == split)
    return next((rows[name] for name in reads if name in rows), ())


def written(
    lm: LM, asked: Write, items: Sequence[Item], seed: int, watch: Callable[[float], None]
) -> Rows:
    """What a model writes: one pass over the prompts for each sample, every one with its own seed.

    The first pass has the run's seed, so that more samples never change the first.
    """
    rows: list[Row] = []
    for sample in range(asked.samples):
        own = int(digest("sample", seed, sample)[:8], 16) if sample else seed
        share = partial(_share, watch, sample, asked.samples)
        said = probe.write(lm, asked, items, own, share)
        rows += [replace(row, index=sample) for row in said] if sample else said
    return compared(lm, asked, rows)


def compared(lm: LM, asked: Write, rows: Rows) -> Rows:
    """Rows with no more of the truth than is to be compared."""
    if asked.truth_tokens is None:
        return rows
    cut = [row.truth_ids[: asked.truth_tokens] for row in rows]
    return [
        replace(row, truth_ids=ids, truth=lm.text(ids)) for row, ids in zip(rows, cut, strict=True)
    ]


def _share(watch: Callable[[float], None], sample: int, samples: int, done: float) -> None:
    watch((sample + done) / samples)
