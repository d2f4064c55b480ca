"""Items, and the splits they come in."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Literal

from di_bench.errors import CorpusError, nearest

Kind = Literal["qa", "document", "choice", "chat", "completion"]


@dataclass(frozen=True)
class Item:
    """One thing a model may know: a question with its answer, or a document with no question.

    A `completion` is a document in two parts: its answer goes on from the prompt, with no question
    and no chat template around it.
    """

    id: str
    group: str
    """The author, document or request it belongs to."""
    kind: Kind
    prompt: str
    answer: str
    messages: tuple[tuple[str, str], ...] = ()
    """Earlier turns of a chat as (role, content); `prompt` is then the last user turn."""
    paraphrase: str = ""
    """The answer in other words."""
    perturbed: tuple[str, ...] = ()
    """Wrong answers of the same form."""
    choices: tuple[str, ...] = ()
    correct: int | None = None
    focus: tuple[tuple[int, int], ...] = ()
    """Character spans [start, end) of `answer` that hold the fact."""
    ids: tuple[int, ...] = ()
    """Ready token ids, in place of text."""

    @property
    def content(self) -> object:
        """What a model is taught: two items with the same are one item."""
        return self.messages, self.prompt, self.answer, self.ids


TRAINED = ("forget", "retain")
"""The splits a target learns. Everything else is only asked about."""


def digest(*parts: object) -> str:
    """Sixteen hex digits that change when anything in the parts does."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False)
    return sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Corpus:
    """Named splits of items, and the refusals a method may teach instead."""

    name: str
    """What a board's title calls it: `built-in authors v1`, `TOFU text`."""
    splits: Mapping[str, tuple[Item, ...]]
    refusals: tuple[str, ...] = ()
    revisions: Mapping[str, str] = field(default_factory=dict)
    """Hub data set to the commit it was read at."""
    _digests: dict[str, str] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse what no benchmark can mean: an empty split, an item both forgotten and kept."""
        for name, items in self.splits.items():
            if not items:
                raise CorpusError(f"{self.name}: split {name!r} is empty; give it a file with rows")
        kept = {item.content: item.id for item in self.splits.get("retain", ())}
        for item in self.splits.get("forget", ()):
            if other := kept.get(item.content):
                raise CorpusError(
                    f"{self.name}: item {item.id!r} of forget is {other!r} of retain; "
                    "take it out of one of them"
                )

    def __getitem__(self, split: str) -> tuple[Item, ...]:
        """The items of a split."""
        if split not in self.splits:
            raise CorpusError(f"{self.name}: no split {split!r}; {nearest(split, self.splits)}")
        return self.splits[split]

    def digest(self, splits: Iterable[str]) -> str:
        """Changes when the content of any of these splits does, not when files move."""
        return digest([(name, self._digest(name)) for name in splits])

    def _digest(self, name: str) -> str:
        if name not in self._digests:
            self._digests[name] = digest([vars(item) for item in self[name]])
        return self._digests[name]
