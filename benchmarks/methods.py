"""What an epoch of each method costs beside one of gradient ascent, in CPU seconds on one thread.

    python -m benchmarks.methods [METHOD...] [--model builtin/micro] [--repeats 3]

Every method trains on the same forget and retain texts of the built-in world, from the same
untrained weights: cost does not depend on what a model knows. Reading the reference is shown apart,
with the memory that it keeps.
"""

import argparse
import itertools
import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median

import torch

from di_bench import adapt, grow, world
from di_bench.fit import Fitter
from di_bench.lm import LM, hush
from di_bench.method import NONE, RETRAIN
from di_bench.methodfile import PACKAGED, MethodFile
from di_bench.template import Template

RECIPE = {"lr": 1e-5, "epochs": 2, "batch_size": 8, "warmup": 0.0}


@dataclass(frozen=True)
class Cost:
    """CPU seconds of an epoch of training, and of all else; bytes that references keep."""

    epoch: float
    beside: float
    kept: int


def pieces(folder: Path) -> Callable[[str, Callable[[Path], None]], Path]:
    """Pieces of work in a plain folder."""

    def piece(name: str, make: Callable[[Path], None]) -> Path:
        (folder / name).mkdir(parents=True)
        make(folder / name)
        return folder / name

    return piece


def measured(file: MethodFile, base: LM, folder: Path) -> Cost:
    """One run of a method."""
    splits = {"forget": world.split("forget10"), "retain": world.split("retain90")[:300]}
    held = world.split("holdout10")[:20]
    fit = Fitter(
        splits, world.refusals(), 0, pieces(folder), 512,
        load_base=base.clone, watched={"text": held, "unseen": held},
    )  # fmt: skip
    lm = adapt.trainable(base.clone(), None, 0)
    takes = "recipe" in vars(file.load({}))
    ticks: list[tuple[float, float]] = []
    fit.watch = lambda done: ticks.append((done, time.process_time()))
    began = time.process_time()
    file.load({"recipe": RECIPE} if takes else {}).unlearn(lm, fit)
    spent = time.process_time() - began
    pairs = list(itertools.pairwise(ticks))
    step = (
        fmean(after[1] - before[1] for before, after in pairs if after[0] > before[0])
        if pairs
        else 0.0
    )
    an_epoch = math.ceil(len(splits["forget"]) / RECIPE["batch_size"])
    return Cost(step * an_epoch, max(0.0, spent - step * len(ticks)), fit.kept_bytes)


def main() -> None:
    """Print a row for each method; every repeat runs all of them in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("methods", nargs="*")
    parser.add_argument("--model", default="builtin/micro")
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    names = given.methods or sorted(p.stem for p in PACKAGED.glob("*.py"))
    files = [MethodFile.find(name) for name in ["ga", *names] if name not in (NONE, RETRAIN)]
    files = list({file.name: file for file in files}.values())
    torch.set_num_threads(1)
    hush()
    base = grow.newborn(given.model, Template())
    found: dict[str, list[Cost]] = {file.name: [] for file in files}
    for _ in range(given.repeats):
        for file in files:
            with tempfile.TemporaryDirectory() as folder:
                found[file.name].append(measured(file, base, Path(folder)))
    unit = median(cost.epoch for cost in found["ga"])
    print(f"{given.model}, {given.repeats} repeats; an epoch of ga: {unit:.2f} s")
    for name, costs in found.items():
        ratio = median(c.epoch / g.epoch for c, g in zip(costs, found["ga"], strict=True))
        beside = median(cost.beside for cost in costs)
        print(
            f"{name:<16} {ratio:5.2f} x ga   {beside:6.2f} s beside   "
            f"{costs[0].kept / 1e6:6.1f} MB kept"
        )


if __name__ == "__main__":
    main()
