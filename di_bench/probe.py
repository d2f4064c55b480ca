"""Ask a model the questions of a suite: read the true answers with it, and let it write its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import torch

from di_bench.batch import Batch
from di_bench.corpus import Item
from di_bench.lm import LM
from di_bench.suite import Read, Write
from di_bench.template import Encoded
from di_bench.transcript import Part, Row, Rows

TOKENS = 8192
"""Positions read at once."""
ROWS = 128
"""Answers written at once."""

Watch = Callable[[float], None]


@torch.no_grad()
def read(lm: LM, probe: Read, items: Sequence[Item], limit: int, watch: Watch) -> Rows:
    """Teacher-force every answer of every item; answers of like length share a batch."""
    asked = [
        (Row(item.id, item.group, part, index, truth=text), lm.encode(item, text, limit))
        for item in islice(items, probe.limit)
        for part, index, text in _answers(item)
    ]
    order = sorted(range(len(asked)), key=lambda i: len(asked[i][1].ids))
    rows: dict[int, Row] = {}
    for chunk in _by_tokens(order, [len(text.ids) for _, text in asked]):
        batch = lm.batch([asked[i][1] for i in chunk])
        for i, seen in zip(chunk, _read(lm, batch), strict=True):
            rows[i] = replace(asked[i][0], truth_ids=asked[i][1].answer, **seen)
        watch(len(rows) / len(asked))
    return [rows[i] for i in range(len(asked))]


def _answers(item: Item) -> Iterator[tuple[Part, int, str]]:
    yield "answer", 0, item.answer
    if item.paraphrase:
        yield "paraphrase", 0, item.paraphrase
    yield from (("perturbed", i, text) for i, text in enumerate(item.perturbed))
    yield from (("choice", i, text) for i, text in enumerate(item.choices))


def _by_tokens(order: Sequence[int], lengths: Sequence[int]) -> Iterator[list[int]]:
    """Neighbours in order, as many as fit in TOKENS positions once padded."""
    chunk: list[int] = []
    for i in order:
        if chunk and (len(chunk) + 1) * lengths[i] > TOKENS:
            yield chunk
            chunk = []
        chunk.append(i)
    if chunk:
        yield chunk


def _read(lm: LM, batch: Batch) -> Iterator[dict[str, Any]]:
    """The per-token fields of each row of a batch."""
    said = lm.logits(batch).log_softmax(-1)
    p = said.exp()
    entropies = -(p * said).sum(-1)
    fields = {
        "logprobs": said.gather(-1, batch.targets.unsqueeze(-1)).squeeze(-1),
        "hits": said.argmax(-1) == batch.targets,
        "entropies": entropies,
        "variances": (p * said.square()).sum(-1) - entropies.square(),
    }
    parts = {name: [p.tolist() for p in batch.parts(values)] for name, values in fields.items()}
    for row in range(batch.sequences):
        yield {name: tuple(values[row]) for name, values in parts.items()}


@dataclass(frozen=True)
class _Start:
    """A prompt to write from, and the row it becomes."""

    ids: tuple[int, ...]
    row: Row
    room: int
    """How many tokens may follow."""


def write(lm: LM, probe: Write, items: Sequence[Item], seed: int, watch: Watch) -> Rows:
    """Let the model go on from every prompt. A prompt that fills the context is left out."""
    torch.manual_seed(seed)
    starts = [
        start
        for item in islice(items, probe.limit)
        for start in _starts(lm, probe, item)
        if start.room > 0
    ]
    order = sorted(range(len(starts)), key=lambda i: len(starts[i].ids))
    rows: dict[int, Row] = {}
    for chunk in _by_context(order, starts, lm.context):
        longest = max(starts[i].room for i in chunk)
        written = lm.write([starts[i].ids for i in chunk], longest, top_p=probe.top_p)
        for i, ids in zip(chunk, written, strict=True):
            own = ids[: starts[i].room]
            rows[i] = replace(starts[i].row, answer_ids=own, answer=lm.text(own))
        watch(len(rows) / len(starts))
    return [rows[i] for i in range(len(starts))]


def _by_context(
    order: Sequence[int], starts: Sequence[_Start], context: int
) -> Iterator[list[int]]:
    """Neighbours in order, as many as can be written at once, so that none cuts another short."""
    chunk: list[int] = []
    for i in order:
        longest = max(starts[j].room for j in (*chunk, i))
        if chunk and (len(chunk) == ROWS or len(starts[i].ids) + longest > context):
            yield chunk
            chunk = []
        chunk.append(i)
    if chunk:
        yield chunk


def _starts(lm: LM, probe: Write, item: Item) -> Iterator[_Start]:
    whole = lm.encode(item)
    length = len(whole.answer)
    revealed = range(probe.stride, length, probe.stride) if probe.stride else [probe.prompt_tokens]
    for start in revealed:
        if start < length or not start:
            yield _start(lm, probe, item, whole, start)


def _start(lm: LM, probe: Write, item: Item, whole: Encoded, start: int) -> _Start:
    cut = whole.start + start
    truth_ids = whole.ids[cut:]
    prompt = lm.text(whole.ids[:cut]) if start else item.prompt
    truth = lm.text(truth_ids) if start else item.answer
    row = Row(item.id, item.group, start=start, prompt=prompt, truth=truth, truth_ids=truth_ids)
    wanted = min(probe.new_tokens, len(truth_ids)) if probe.stride else probe.new_tokens
    return _Start(whole.ids[:cut], row, min(wanted, lm.context - cut))
