"""What it costs to evaluate one unlearned model: every TOFU metric and six membership attacks.

    .venv/bin/python -m benchmarks.evaluate MODEL --gold MODEL --data FOLDER

MODEL is a folder with weights, `--data` one with TOFU's files. What the gold model says is read
once for all methods and counted apart. Positions are counted where they enter the body and where
the vocabulary projection gives logits; padding counts. Seconds are the processor's, on one thread,
imports included.
"""

import argparse
import resource
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch

from di_bench import probe
from di_bench.asks import Gradient, Read, Write
from di_bench.corpus import Corpus
from di_bench.gradient import gradient
from di_bench.lm import LM, hush
from di_bench.metrics import metric
from di_bench.metrics.metric import Metric
from di_bench.source import CorpusSpec
from di_bench.template import Template
from di_bench.transcript import Rows

SPLITS = {
    "forget": "forget10_perturbed.json",
    "holdout": "holdout10.json",
    "retain": "retain_perturbed.json",
    "real_authors": "real_authors_perturbed.json",
    "world_facts": "world_facts_perturbed.json",
}
ROOM = 512
NEW_TOKENS = 200
PAIR = ("forget", "holdout")
UTILITY = tuple(
    name
    for split in ("retain", "real_authors", "world_facts")
    for name in (split, f"{split} answers")
)
METRICS: Mapping[str, tuple[str, ...]] = {
    "probability": ("forget",),
    "exact_memorization": ("forget",),
    "extraction_strength": ("forget",),
    "rouge": ("forget answers",),
    "truth_ratio": ("forget",),
    "forget_quality": ("forget",),
    "model_utility": UTILITY,
    "mia_loss": PAIR,
    "mia_zlib": PAIR,
    "mia_min_k": PAIR,
    "mia_min_k_plus_plus": PAIR,
    "mia_reference": PAIR,
    "mia_gradnorm": ("forget gradient", "holdout gradient"),
}


class Meter:
    """Counts positions through the body and the vocabulary, and processor seconds."""

    def __init__(self, lm: LM) -> None:
        self.body = self.vocabulary = 0
        lm.inner.register_forward_pre_hook(self._read, with_kwargs=True)
        lm.head.register_forward_hook(self._project)

    def _read(self, _: object, __: object, named: Mapping[str, torch.Tensor]) -> None:
        self.body += named["input_ids"].numel()

    def _project(self, _: object, __: object, logits: torch.Tensor) -> None:
        self.vocabulary += logits[..., 0].numel()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        began, body, vocabulary = time.process_time(), self.body, self.vocabulary
        yield
        print(
            f"{name:<22} {time.process_time() - began:6.2f} s "
            f"{self.body - body:8,} body {self.vocabulary - vocabulary:8,} vocabulary"
        )


def needed(lm: LM, corpus: Corpus, splits: tuple[str, ...]) -> tuple[int, int]:
    """Positions with each question read once: of the body, and of answers."""
    body = answers = 0
    for split in splits:
        for item in corpus[split]:
            texts = [lm.encode(item, text, ROOM) for _, _, text in probe.answers(item)]
            answers += sum(len(text.answer) for text in texts)
            body += texts[0].start + sum(len(text.ids) - text.start for text in texts)
    return body, answers


def read(lm: LM, split: str, corpus: Corpus) -> Rows:
    return probe.read(lm, Read(ask="read", split=split), corpus[split], ROOM, lambda _: None)


def ask(lm: LM, corpus: Corpus, meter: Meter) -> dict[str, Rows]:
    """Everything the metrics read."""
    rows: dict[str, Rows] = {}
    with meter.step("reads"):
        for split in SPLITS:
            rows[split] = read(lm, split, corpus)
    with meter.step("writes"):
        names = [name for name in SPLITS if name != "holdout"]
        asked = [
            probe.Asked(Write(ask="write", split=n, new_tokens=NEW_TOKENS), corpus[n], rows[n])
            for n in names
        ]
        written = probe.write_all(lm, asked, 0, lambda _: None)
        rows |= {f"{name} answers": said for name, said in zip(names, written, strict=True)}
    with meter.step("gradients"):
        for split in PAIR:
            pulled = Gradient(ask="gradient", split=split)
            rows[f"{split} gradient"] = gradient(lm, pulled, corpus[split], ROOM, lambda _: None)
    return rows


def grade(rows: Mapping[str, Rows], gold: Mapping[str, Rows]) -> None:
    """Every metric, from what was asked."""
    for name, probes in METRICS.items():
        formula: Metric = metric(name)
        others = [[gold[p] for p in probes]] if formula.needs else []
        score = formula([rows[p] for p in probes], others)
        print(f"  {name:<20} {score.gap if score.value is None else f'{score.value:.6g}'}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--gold", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    given = parser.parse_args()
    hush()
    template = Template("chat", system="You are a helpful assistant.")
    splits = {name: {"file": file} for name, file in SPLITS.items()}
    corpus = CorpusSpec.model_validate(
        {"name": "TOFU", "path": given.data, "splits": splits}
    ).open()
    golden = LM.load(given.gold, template, dtype="float32")
    torch.set_num_threads(1)
    apart = time.process_time()
    gold = {
        split: probe.read(
            golden, Read(ask="read", split=split), corpus[split], ROOM, lambda _: None
        )
        for split in PAIR
    }
    apart = time.process_time() - apart
    del golden
    lm = LM.load(given.model, template, dtype="float32")
    meter = Meter(lm)
    rows = ask(lm, corpus, meter)
    with meter.step("grades"):
        grade(rows, gold)
    total = time.process_time()
    body, answers = needed(lm, corpus, tuple(SPLITS))
    print(f"one question, one reading: {body:,} positions, {answers:,} of them in answers")
    print(f"gold, once for all methods: {apart:.2f} s")
    print(f"this model, imports included: {total - apart:.2f} s of the processor")
    print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


if __name__ == "__main__":
    main()
