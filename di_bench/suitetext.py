"""The text of a suite over given files: what to ask and to measure follows from what they hold."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from di_bench.columns import Columns
from di_bench.errors import CorpusError

CONTEXT = 512
"""Tokens of a text that are trained on and read: what a built-in size has room for."""
KINDS = {"qa": "questions", "document": "documents", "completion": "prompts with what follows"}
READ = 100
"""Rows of retain that are asked about; all of them are trained on."""
WRITTEN = 200
"""Rows that anything is written from."""

HEAD = """\
# Written by `di-bench new suite`: a start, every line may be changed. What each number means, and
# when it lies: `di-bench list metrics`.
name: NAME
title: NAME

corpus:
  name: NAME
  # The folder of the files, WHERE.
  path: PATH
  splits:
    # As recognised: `kind`, and in `fields` which column is what. Where rows belong together (an
    # author, a request), say so: group_size: 20, or fields: {group: COLUMN}.
"""
NO_HOLDOUT = """\
    # Texts like forget's that nobody trained on would tell of privacy: name them here as `holdout`,
    # read them in probes, holdout: {ask: read, split: holdout}, and add the metric
    # s_mia: {s_mia: [forget, holdout]}. Or write this again with --holdout FILE.
"""
GROWN = """\
    prose: {builtin: prose, limit: 80}

# Grown from nothing, to try things. For a model of yours, a hub id or a folder, write this again
# with --model: one that is trained already needs other settings.
models: [MODEL]
recipe: {lr: 3.0e-4, epochs: 5, batch_size: 8, warmup: 1.0, weight_decay: 0.01}
"""
TRAINED = """\
    prose: {builtin: prose, limit: 80}

# The model learns forget and retain first, and a gold model retain alone. If yours has, name both:
# models: [{id: MODEL, target: CHECKPOINT, retain: GOLD}]. For a chat model add template: chat.
models: [MODEL]
grow: {memorize: {lr: 2.0e-5, epochs: 5, batch_size: 32, micro_batch: 8}}
recipe:
  {lr: 1.0e-5, epochs: 5, batch_size: 32, micro_batch: 8, warmup: 1.0, weight_decay: 0.01}
# Where memory is short: peft: {kind: lora, rank: 8, alpha: 16, targets: all-linear}
"""
SEEDS = f"""\
methods: [none, retrain, ga, gd, npo, di, di_retain]
max_tokens: {CONTEXT}
# Run i unlearns, with seed i, what was grown from grow seed i; two grow seeds at least show luck.
seeds: [0, 1, 2]
grow_seeds: [0, 1, 2]

probes:
  forget: {{ask: read, split: forget}}
"""
NLU = """\
  prose: {ask: read, split: prose}
  nlu: {ask: tasks, tasks: [di_sst2, di_cola, di_mrpc, di_rte, di_copa, di_wic, di_boolq]}

metrics:
  forget_accuracy: {exact_memorization: forget}
  forget_prob: {probability: forget}
  extraction_strength: {extraction_strength: forget}
  discoverable: {discoverable: forget}
"""
GOLD = """\
  # From paraphrased and wrong answers: how like a model that never saw forget.
  forget_truth_ratio: {truth_ratio: forget}
  forget_quality: {forget_quality: forget}
  gold_distance: {gold_distance: forget}
"""
NO_GOLD = """\
  # Wrong answers of the same form, a list of them in a column perturbed_answer, would add
  # truth_ratio, forget_quality and gold_distance.
"""
PRIVACY = """\
  # Is forget told from texts that nobody trained on?
  loss_auc: {mia_loss: [forget, holdout]}
  min_k_auc: {mia_min_k: [forget, holdout]}
  privleak: {privleak: [forget, holdout]}
  s_mia: {s_mia: [forget, holdout]}
  holdout_accuracy: {exact_memorization: holdout}
"""
KEPT = """\
  retain_accuracy: {exact_memorization: retain}
  retain_prob: {probability: retain}
  prose_perplexity: {perplexity: prose}
  nlu: {nlu: nlu}
"""


def letters_per_token(model: str) -> float:
    """About how many letters a token of other people's English has.

    The built-in vocabulary of 1,024 gives 1.8 on a licence and 2.1 on TOFU; large ones give 4.
    """
    return 2.0 if model.startswith("builtin/") else 4.0


@dataclass(frozen=True)
class Lengths:
    """How long the texts of a file are, in letters."""

    whole: tuple[int, ...]
    answers: tuple[int, ...]
    """Sorted, as are the whole texts."""

    @classmethod
    def of(cls, columns: Columns) -> "Lengths":
        """Read a file through. Raises CorpusError for a row not to be read, or no row."""
        sizes = [(len(prompt), len(answer)) for _, prompt, answer in columns.rows()]
        if not sizes:
            raise CorpusError(f"{columns.path}: is empty; give a file with rows")
        answers = sorted(answer for _, answer in sizes)
        return cls(tuple(sorted(map(sum, sizes))), tuple(answers))

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(self.whole)

    def longer_than(self, letters: float) -> int:
        """How many texts are longer."""
        return sum(length > letters for length in self.whole)

    def answer(self, share: float) -> int:
        """The length that this share of the answers does not exceed, in letters."""
        return self.answers[min(len(self.answers) - 1, int(share * len(self.answers)))]


@dataclass(frozen=True)
class SuiteText:
    """A suite, before it is text."""

    name: str
    model: str
    folder: Path
    """Where the suite will be."""
    splits: Mapping[str, Columns]
    seen: Mapping[str, Lengths]

    def __str__(self) -> str:
        """The whole file."""
        return "".join((*self._corpus(), *self._probes(), *self._metrics()))

    def _corpus(self) -> Iterator[str]:
        folders = {name: columns.path.parent.resolve() for name, columns in self.splits.items()}
        home, base = self.folder.resolve(), Path(os.path.commonpath([*folders.values()]))
        below = base.is_relative_to(home)
        place = base.relative_to(home).as_posix() if below else str(base)
        where = "from this one" if below else "on this machine"
        yield _filled(HEAD, NAME=_flow(self.name), WHERE=where, PATH=_flow(place))
        for name, columns in self.splits.items():
            file = (folders[name] / columns.path.name).relative_to(base).as_posix()
            split = {"file": file, "kind": columns.kind, "fields": dict(columns.fields)}
            yield f"    {name}: {_flow(split)}\n"
        if "holdout" not in self.splits:
            yield NO_HOLDOUT
        start = GROWN if self.model.startswith("builtin/") else TRAINED
        yield _filled(start, MODEL=_flow(self.model))

    def _probes(self) -> Iterator[str]:
        yield SEEDS
        yield f"  retain: {{ask: read, split: retain{self._limit('retain', READ)}}}\n"
        if "holdout" in self.splits:
            yield "  holdout: {ask: read, split: holdout}\n"
        for name, most in (("forget", WRITTEN), ("retain", READ)):
            if self._asks(name):
                room = f"new_tokens: {min(200, max(24, self._tokens(name, 0.9)))}"
                more = self._limit(name, most)
                yield f"  {name}_answers: {{ask: write, split: {name}, {room}{more}}}\n"
        if not self._asks("forget"):
            half = max(1, self._tokens("forget", 0.5) // 2)
            start, stride = min(50, half), max(4, half // 4)
            room = f"new_tokens: 50{self._limit('forget', WRITTEN)}"
            yield f"  # The first {start} tokens of a document are given, then it writes.\n"
            yield f"  verbatim: {{ask: write, split: forget, prompt_tokens: {start}, {room}}}\n"
            yield f"  # The same from every {stride}th token on.\n"
            yield f"  extraction: {{ask: write, split: forget, stride: {stride}, {room}}}\n"

    def _metrics(self) -> Iterator[str]:
        yield NLU
        if self._asks("forget"):
            yield "  forget_rouge: {rouge: forget_answers}\n"
            yield GOLD if "perturbed" in self.splits["forget"].fields else NO_GOLD
        else:
            yield "  verbatim_rouge: {rouge_f1: verbatim}\n"
            yield "  extractable: {extractable: verbatim}\n"
            grams = 10 if self._tokens("forget", 0.5) >= 100 else 3
            yield f"  el_{grams}: {{el_{grams}: extraction}}\n"
        if "holdout" in self.splits:
            yield PRIVACY
        if self._asks("retain"):
            yield "  retain_rouge: {rouge: retain_answers}\n"
            if "perturbed" in self.splits["retain"].fields:
                yield "  retain_truth_ratio: {truth_ratio: retain}\n"
        yield KEPT

    def _asks(self, split: str) -> bool:
        """Whether its items have a prompt to write from."""
        return self.splits[split].kind != "document"

    def _tokens(self, split: str, share: float) -> int:
        """About how many tokens this share of its answers does not exceed."""
        return min(CONTEXT, int(self.seen[split].answer(share) / letters_per_token(self.model)) + 1)

    def _limit(self, split: str, most: int) -> str:
        return f", limit: {most}" if self.seen[split].rows > most else ""


def _filled(text: str, **words: str) -> str:
    """A text with its words in capitals replaced, all at once."""
    return re.sub("|".join(words), lambda found: words[found[0]], text)


def _flow(value: Any) -> str:  # noqa: ANN401 - what YAML can say
    """A value on one line of YAML."""
    text = yaml.safe_dump(
        value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**6
    )
    return text.removesuffix("...\n").strip()
