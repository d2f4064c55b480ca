"""How an item becomes token ids: the prompt format that is part of a model.

The whole text is rendered once and the answer found in it by character, so prompt and answer are
always cut from the same rendering.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from di_bench.corpus import Item
from di_bench.errors import ModelError


@dataclass(frozen=True)
class Encoded:
    """One text as ids. The answer is `ids[start:]`; the model predicts each of its tokens."""

    ids: tuple[int, ...]
    start: int
    focus: tuple[bool, ...] = ()
    """For each answer token, whether it holds part of the fact."""

    @property
    def answer(self) -> tuple[int, ...]:
        """The answer's tokens, the end-of-turn token included."""
        return self.ids[self.start :]


@dataclass(frozen=True)
class Template:
    """`Question: ... Answer:`, or the tokenizer's own chat template."""

    kind: Literal["plain", "chat"] = "plain"
    system: str = ""
    date: str = ""

    def encode(self, tokenizer: Any, item: Item, answer: str, limit: int) -> Encoded:  # noqa: ANN401 - a tokenizer
        """The item with this answer, cut at `limit` tokens."""
        if item.ids:
            return Encoded(item.ids[:limit], 1)
        if self.kind == "chat" and item.kind not in ("document", "completion"):
            prefix, whole = self._chat(tokenizer, item, answer)
            ids, start, focus = _cut(tokenizer, prefix, whole, item, answer)
        else:
            prefix, whole = _plain(item, answer)
            ids, start, focus = _cut(tokenizer, prefix, whole, item, answer)
            bos = bos_ids(tokenizer)
            ids, start = [*bos, *ids, tokenizer.eos_token_id], start + len(bos)
            focus = [*focus, False]
        start = max(start, 1)  # nothing predicts the very first token
        focus = focus[len(focus) - (len(ids) - start) :]
        return Encoded(tuple(ids[:limit]), start, tuple(focus[: max(0, limit - start)]))

    def _chat(self, tokenizer: Any, item: Item, answer: str) -> tuple[str, str]:  # noqa: ANN401 - a tokenizer
        turns = [{"role": role, "content": content} for role, content in item.messages]
        turns.append({"role": "user", "content": item.prompt})
        if self.system:
            turns.insert(0, {"role": "system", "content": self.system})
        extra = {"date_string": self.date} if self.date else {}
        prefix = tokenizer.apply_chat_template(
            turns, tokenize=False, add_generation_prompt=True, **extra
        )
        turns.append({"role": "assistant", "content": answer})
        whole = tokenizer.apply_chat_template(turns, tokenize=False, **extra)
        if not whole.startswith(prefix):
            raise ModelError("the chat template renders a prompt differently alone than in a chat")
        return prefix, whole.rstrip("\n")  # ChatML ends a turn with its end token and a newline


def _plain(item: Item, answer: str) -> tuple[str, str]:
    if not item.prompt:
        return "", answer
    if item.kind == "completion":
        space = "" if answer[:1].isspace() or item.prompt[-1].isspace() else " "
        return item.prompt, f"{item.prompt}{space}{answer}"
    prefix = f"Question: {item.prompt}\nAnswer:"
    return prefix, f"{prefix} {answer}"


def bos_ids(tokenizer: Any) -> list[int]:  # noqa: ANN401 - a tokenizer
    """The ids a tokenizer puts in front of every text, if any."""
    ids = list(tokenizer("a").input_ids)
    return [tokenizer.bos_token_id] if ids and ids[0] == tokenizer.bos_token_id else []


def _cut(
    tokenizer: Any,  # noqa: ANN401 - a tokenizer
    prefix: str,
    whole: str,
    item: Item,
    answer: str,
) -> tuple[list[int], int, list[bool]]:
    """Ids of the whole, where the answer starts, and which answer tokens hold the fact."""
    coded = tokenizer(whole, add_special_tokens=False, return_offsets_mapping=True)
    spans: Sequence[tuple[int, int]] = coded["offset_mapping"]
    start = next((i for i, (_, end) in enumerate(spans) if end > len(prefix)), len(spans))
    shift = _place(whole, len(prefix), answer)
    facts = [(a + shift, b + shift) for a, b in item.focus] if answer == item.answer else []
    focus = [any(a < end and first < b for a, b in facts) for first, end in spans[start:]]
    return list(coded["input_ids"]), start, focus


def _place(whole: str, start: int, answer: str) -> int:
    """Where the answer's own characters count from; many templates strip the spaces around it."""
    at = whole.find(answer.strip(), start)
    if at < 0:
        raise ModelError(f"the chat template changes the answer {answer[:40]!r}")
    return at - (len(answer) - len(answer.lstrip()))


def text_of(item: Item) -> str:
    """The plain text of an item with its own answer."""
    return _plain(item, item.answer)[1]
