"""Items, and the splits they come in."""

import json
from collections.abc import Iterable, Mapping, Sequence
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
    """Named splits of items, and the refusals a method may teach instead.

    A split may stay on disk: it is read through, never held, to check it and to name its content.
    """

    name: str
    """What a board's title calls it: `built-in authors v1`, `TOFU text`."""
    splits: Mapping[str, Sequence[Item]]
    refusals: tuple[str, ...] = ()
    revisions: Mapping[str, str] = field(default_factory=dict)
    """Hub data set to the commit it was read at."""
    _read: dict[str, tuple[str, tuple[int, str]]] = field(
        default_factory=dict, repr=False, compare=False
    )
    """Split to its digest and its largest token id."""

    def __post_init__(self) -> None:
        """Refuse what no benchmark can mean: an empty split, an item both forgotten and kept."""
        for name, items in self.splits.items():
            if not items:
                raise CorpusError(f"{self.name}: split {name!r} is empty; give it a file with rows")
        forget, retain = self.splits.get("forget", ()), self.splits.get("retain", ())
        if both := _shared(forget, retain):
            raise CorpusError(
                f"{self.name}: item {both[0].id!r} of forget is {both[1].id!r} of retain; "
                "take it out of one of them"
            )

    def __getitem__(self, split: str) -> Sequence[Item]:
        """The items of a split."""
        if split not in self.splits:
            raise CorpusError(f"{self.name}: no split {split!r}; {nearest(split, self.splits)}")
        return self.splits[split]

    def digest(self, splits: Iterable[str]) -> str:
        """Changes when the content of any of these splits does, not when files move."""
        return digest([(name, self._through(name)[0]) for name in splits])

    def largest(self, split: str) -> tuple[int, str]:
        """The largest ready token id of a split and its item's name; -1 where there are none."""
        return self._through(split)[1]

    def _through(self, name: str) -> tuple[str, tuple[int, str]]:
        """What one reading of a split finds, kept. Its digest is that of all its items at once."""
        if name not in self._read:
            largest = (-1, "")
            state = sha256(b"[[")
            for at, item in enumerate(self[name]):
                if at:
                    state.update(b", ")
                state.update(json.dumps(vars(item), sort_keys=True, ensure_ascii=False).encode())
                if item.ids:
                    largest = max(largest, (max(item.ids), item.id))
            state.update(b"]]")
            self._read[name] = state.hexdigest()[:16], largest
        return self._read[name]


def _shared(forget: Sequence[Item], retain: Sequence[Item]) -> tuple[Item, Item] | None:
    """The first item of forget that retain has too, beside it. Only hashes are held."""
    few, many = sorted((forget, retain), key=len)
    marks = {hash(item.content) for item in few}
    seen = {hash(item.content) for item in many if hash(item.content) in marks}
    for item in forget if seen else ():
        if hash(item.content) in seen:
            for other in retain:
                if other.content == item.content:
                    return item, other
    return None
