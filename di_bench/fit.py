"""What a method is handed: the run's data, seed and models behind one training call.

Every call is kept: a run that is asked a new question replays `unlearn` from the top and finds
each `fit` already done.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch

from di_bench import adapt
from di_bench.batch import together
from di_bench.corpus import Item
from di_bench.encoded import encoded
from di_bench.errors import CorpusError, MethodError, ModelError, nearest
from di_bench.focus import By, by_spacy, by_surprise
from di_bench.lm import LM
from di_bench.recall import Recall, perplexity, recall
from di_bench.recipe import Recipe
from di_bench.reference import Reference, remember
from di_bench.steps import Steps
from di_bench.template import Encoded
from di_bench.train import After, Loss, Stop, Training, train

Piece = Callable[[str, Callable[[Path], None]], Path]
"""Makes a named piece of work once, and says which folder it is in."""
IMAGININGS = 8
"""How often a model is asked again for answers of its own, hotter each second time."""
SPLITS = ("forget", "retain", "refusal", "alternate")
"""What a reference may read."""


@dataclass
class Fitter:
    """Training bound to one run: its data, seed, place to keep pieces, and other models."""

    splits: Mapping[str, Sequence[Item]]
    refusals: Sequence[str]
    seed: int
    piece: Piece
    max_tokens: int
    load_gold: Callable[[], LM] | None = None
    load_base: Callable[[], LM] | None = None
    watched: Mapping[str, Sequence[Item]] = field(default_factory=dict)
    """Held-out texts that a stop rule may read: `text` and `unseen`."""
    watch: Callable[[float], None] = lambda _: None
    """Told the fraction done of each fit."""
    keep: float = 1.0
    """Texts of retain in a step for each text of forget."""
    pool: int = 1
    """Steps whose texts are sorted by length together, to pad less; 1 sorts nothing."""
    trainings: list[Training] = field(default_factory=list, init=False)
    reading: float = field(default=0.0, init=False)
    """Seconds spent on references, focus and answers of its own."""
    kept_bytes: int = field(default=0, init=False)
    """Memory that references take."""
    _imagined: list[list[str]] = field(default_factory=list, init=False)
    _focus: list[tuple[bool, ...]] = field(default_factory=list, init=False)

    def __call__(
        self,
        lm: LM,
        loss: Loss,
        recipe: Recipe,
        *,
        stop: Stop | None = None,
        after: After | None = None,
    ) -> LM:
        """Train, or restore what an earlier replay trained."""
        fresh: list[Training] = []

        def make(draft: Path) -> None:
            fresh.append(train(lm, loss, self._steps(lm, recipe), self.watch, stop, after))
            adapt.save(lm, draft)
            (draft / "training.json").write_text(json.dumps(asdict(fresh[0])), encoding="utf-8")

        folder = self.piece(f"fit-{len(self.trainings)}", make)
        if not fresh:
            adapt.restore(lm, folder)
            kept = json.loads((folder / "training.json").read_text(encoding="utf-8"))
            fresh = [Training(**kept | {"curve": tuple(kept["curve"])})]
        self.trainings += fresh
        torch.manual_seed(self.seed)  # what a method draws next is the same after a replay
        return lm

    def _steps(self, lm: LM, recipe: Recipe) -> Steps:
        texts: dict[str, Sequence[Encoded]] = {}

        def of(split: str) -> Sequence[Encoded]:
            if split not in texts:
                texts[split] = self._encoded(lm, split)
            return texts[split]

        forget, retain = len(self.splits["forget"]), len(self.splits.get("retain", ()))
        copies = len(self._imagined[0]) if self._imagined else 1
        return Steps(of, self.seed, recipe, forget, retain, self.keep, self.pool, copies)

    def gold(self) -> LM:
        """The model that learnt retain alone, from the same base and grow seed."""
        if self.load_gold is None:
            raise ModelError("there is no gold model here")
        return self.load_gold()

    def base(self) -> LM:
        """The model everything was grown from: it saw neither forget nor retain."""
        if self.load_base is None:
            raise ModelError("there is no base model here")
        return self.load_base()

    def reference(self, lm: LM, *splits: str, layer: int | None = None) -> Reference:
        """Read these splits once and keep the last states (or a layer's) at answer positions."""
        if unknown := set(splits) - {*SPLITS}:
            name = min(unknown)
            raise MethodError(f"a reference has no split {name!r}; {nearest(name, SPLITS)}")
        if layer is not None and not 0 < layer <= lm.depth:
            raise ModelError(f"a model of {lm.depth} layers has no layer {layer}; 1 is the first")
        began = time.perf_counter()
        read = remember(lm, {split: self._encoded(lm, split) for split in splits}, layer)
        self.reading += time.perf_counter() - began
        self.kept_bytes += read.bytes
        return read

    def focus(self, lm: LM, by: By = "surprise", pipeline: str = "en_core_web_sm") -> None:
        """Find the fact in every text of forget that names none itself: `batch.focus` marks it.

        By surprise: tokens that `lm` finds likely and the base does not. By spaCy's entities or
        noun chunks: those of its `pipeline`.
        """
        began = time.perf_counter()
        items = self.splits["forget"]
        if by == "surprise":
            texts = self._encoded(lm, "forget")
            self._focus = by_surprise(lm, self.base(), texts)
        else:
            found = (replace(item, focus=by_spacy(item.answer, by, pipeline)) for item in items)
            self._focus = [lm.encode(item, None, self.max_tokens).focus for item in found]
        if not any(any(text.focus) for text in self._encoded(lm, "forget")):
            raise MethodError(
                f"found no fact in any text of forget by {by}; name `focus` in its items, or "
                "look another way: by: surprise, entities or noun_chunks"
            )
        self.reading += time.perf_counter() - began

    def imagine(self, lm: LM, count: int, temperature: float) -> None:
        """Let `lm` write `count` answers of its own to every question of forget, none the true one.

        They are `pair.alternate` from then on, and the split `alternate` of a reference.
        """
        if count < 1:
            raise MethodError(f"{count} answers cannot be imagined; ask for 1 or more")
        began = time.perf_counter()
        torch.manual_seed(self.seed)
        items = self.splits["forget"]
        texts = self._encoded(lm, "forget")
        true = [
            (item.answer.strip(), _written(lm, item, text, text.answer))
            for item, text in zip(items, texts, strict=True)
        ]
        rooms = [min(2 * len(text.answer), lm.context - text.start) for text in texts]
        # Where a question fills the limit there is no answer to write, and none is learnt from.
        found: list[list[str]] = [[] if text.answer else [""] * count for text in texts]
        for ask in range(IMAGININGS):
            due = [row for row, own in enumerate(found) for _ in range(count - len(own))]
            prompts = [texts[row].ids[: texts[row].start] for row in due]
            hot = temperature * 2 ** (ask // 2)
            for chunk in together(prompts, [rooms[row] for row in due], lm.context, rows=64):
                room = max(rooms[due[i]] for i in chunk)
                asked = [prompts[i] for i in chunk]
                written = lm.write(asked, room, top_p=1.0, temperature=hot)
                for row, ids in zip((due[i] for i in chunk), written, strict=True):
                    text = _written(lm, items[row], texts[row], ids)
                    if text and text not in true[row]:
                        found[row].append(text)
        if missing := [items[row].id for row, own in enumerate(found) if len(own) < count]:
            raise MethodError(f"the model has no other answer to {missing[0]!r}; raise temperature")
        self._imagined = found
        self.reading += time.perf_counter() - began

    def perplexity(self, lm: LM) -> float:
        """Perplexity of the suite's held-out `text`."""
        return perplexity(lm, self._watched(lm, "text"))

    def recall(self, lm: LM, split: str, n: int, stride: int) -> Recall:
        """How much of forget, or of texts `unseen`, a model can say by heart."""
        known = split == "forget"
        texts = self._encoded(lm, split) if known else self._watched(lm, split)
        return recall(lm, texts, n, stride)

    def _watched(self, lm: LM, name: str) -> Sequence[Encoded]:
        if name not in self.watched:
            raise MethodError(
                f"a method that reads {name!r} must say so in its class: "
                f"watches: ClassVar[tuple[str, ...]] = ({name!r},)"
            )
        items = self.watched[name]
        return encoded(len(items), lambda row: lm.encode(items[row], None, self.max_tokens))

    def _encoded(self, lm: LM, split: str) -> Sequence[Encoded]:
        items = self.splits["retain" if split == "retain" else "forget"]
        if split == "refusal":
            if not self.refusals:
                raise CorpusError("this corpus has no refusals to teach; set corpus.refusals")
            order = random.Random(f"{self.seed}:refusals")
            refusals = [order.choice(self.refusals) for _ in range(len(items))]
            return encoded(len(items), lambda row: self._other(lm, items[row], refusals[row]))
        if split == "alternate":
            if not self._imagined:
                raise MethodError("nothing was imagined yet: call fit.imagine first")
            own, count = self._imagined, len(self._imagined[0])
            return encoded(
                len(items) * count,
                lambda place: self._other(
                    lm, items[place // count], own[place // count][place % count]
                ),
            )

        def true(row: int) -> Encoded:
            text = lm.encode(items[row], None, self.max_tokens)
            marked = split == "forget" and self._focus and not any(text.focus)
            return replace(text, focus=self._focus[row]) if marked else text

        return encoded(len(items), true)

    def _other(self, lm: LM, item: Item, answer: str) -> Encoded:
        """A question with another answer. Ready ids would be the truth again."""
        return lm.encode(replace(item, ids=()), answer, self.max_tokens)


def _written(lm: LM, item: Item, text: Encoded, ids: Sequence[int]) -> str:
    """An answer of these ids; where there is no question, the first token was given."""
    given = () if item.prompt else text.ids[: text.start]
    return lm.text([*given, *ids])
