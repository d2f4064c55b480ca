"""What a corpus of many documents takes: planned, and put into training batches, under 1 GB.

    python -m benchmarks.corpus [--documents 200000] [--format jsonl|parquet] [--steps 1000]

Half of the documents are to be forgotten. Another process writes them; this one opens them, checks
for what is in both halves and names them for keys, by the same `Work.lay_out` as `di-bench plan`,
and then encodes them into the batches of training steps, epoch after epoch. Only the model's
forward pass is left out. Ends with 1 above the limit.
"""

import argparse
import json
import multiprocessing
import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

import yaml
from pyarrow import parquet, table

from di_bench import grow, world
from di_bench.fit import Fitter
from di_bench.recipe import Recipe
from di_bench.store import Store
from di_bench.template import Template
from di_bench.work import Choice, Work

LIMIT = 1e9
"""Bytes of peak memory, the tokenizer's and torch's own included."""
CHARACTERS = 1000
"""Of a document, about."""


def documents(count: int, seed: int) -> Iterator[str]:
    """Texts that no two are alike: words of the built-in stories, in another order."""
    words = " ".join(item.answer for item in world.split("prose")).split()
    draw = random.Random(seed)
    for number in range(count):
        text = f"{seed}.{number}"
        while len(text) < CHARACTERS:
            text += " " + " ".join(draw.choices(words, k=20))
        yield text


def write(folder: Path, ending: str, count: int) -> None:
    """Two files of so many documents; a Parquet file in one group of rows, as pandas writes it."""
    for seed, split in enumerate(("forget", "retain")):
        path, texts = folder / f"{split}.{ending}", documents(count, seed)
        if ending == "jsonl":
            with path.open("w", encoding="utf-8") as file:
                file.writelines(json.dumps({"text": text}) + "\n" for text in texts)
        else:
            parquet.write_table(table({"text": [*texts]}), path)


def suite(folder: Path, ending: str) -> Path:
    """The least that is a suite, over these files."""
    document = {"kind": "document", "fields": {"answer": "text"}}
    splits = {name: {"file": f"{name}.{ending}"} | document for name in ("forget", "retain")}
    tree = {
        "name": "many",
        "title": "Many documents",
        "corpus": {"name": "documents", "path": str(folder), "splits": splits},
        "models": ["builtin/nano"],
        "methods": ["none", "retrain", "gd"],
        "seeds": [0],
        "grow_seeds": [0],
        "probes": {"forget": {"ask": "read", "split": "forget", "limit": 100}},
        "metrics": {"accuracy": {"exact_memorization": "forget"}},
    }
    path = folder / "many.yaml"
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    return path


def peak() -> float:
    """Bytes of memory that this process held at most."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(most if sys.platform == "darwin" else most * 1024)


def said(what: str, count: int, began: float) -> None:
    """A line of what was done, how fast, and the memory it has taken until here."""
    seconds = time.perf_counter() - began
    print(f"{what:<22} {count / seconds:10.0f} documents/s {seconds:8.1f} s {peak() / 1e6:8.0f} MB")


def streamed(folder: Path, work: Work, count: int) -> int:
    """The batches of so many steps, forget and retain; how many documents they held."""
    corpus = work.corpus
    assert corpus is not None
    splits = {name: corpus[name] for name in ("forget", "retain")}
    lm = grow.newborn("builtin/nano", Template())
    fit = Fitter(splits, (), 0, lambda name, _: folder / name, 256)
    steps = fit._steps(lm, Recipe(epochs=1000, batch_size=32))
    held = 0
    for step in islice(chain.from_iterable(steps.epochs()), count):
        for pair in steps.parts(lm, step, 8):
            held += len(pair.forget.rows) + len(pair.retain.rows)
    return held


def main() -> int:
    """Write, plan, stream; 1 when it took too much."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=200_000)
    parser.add_argument("--format", choices=("jsonl", "parquet"), default="jsonl")
    parser.add_argument("--steps", type=int, default=1000)
    given = parser.parse_args()
    print(f"{given.documents} documents as {given.format}; {peak() / 1e6:.0f} MB before they are")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        writer = multiprocessing.get_context("spawn").Process(
            target=write, args=(folder, given.format, given.documents // 2)
        )
        writer.start()
        writer.join()
        began = time.perf_counter()
        choice = Choice(str(suite(folder, given.format)))
        work = Work.lay_out(choice, [], Store(folder / "results", folder / "cache"), "plan")
        said("planned", given.documents, began)
        began = time.perf_counter()
        said("in training batches", streamed(folder, work, given.steps), began)
    print(f"the limit is {LIMIT / 1e6:.0f} MB")
    return int(peak() > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
