"""Ask a model the questions of a suite: read the true answers with it, and let it write its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from di_bench.asks import Read, Write
from di_bench.batch import together
from di_bench.corpus import Item
from di_bench.forest import Forest, Tree, chunks
from di_bench.lm import LM
from di_bench.template import Encoded
from di_bench.transcript import Part, Row, Rows

TOKENS = 2048
"""Positions read at once."""
LOGITS = 2**28
"""Numbers the vocabulary projection may give at once."""
SLICE = 256
"""Predictions whose entropy is computed at once, so that a processor keeps them at hand."""
PACKED = 256
"""Positions from which on a tree takes no further item."""
BRANCHED = 2048
"""Positions from which on it takes no further answer: a mask grows with their square."""

Watch = Callable[[float], None]


@torch.no_grad()
def read(lm: LM, probe: Read, items: Sequence[Item], limit: int, watch: Watch) -> Rows:
    """Teacher-force every answer of every item, what an item's answers begin with once.

    Rows of like length share a batch. A document is cut at `limit` tokens; an answer to a question
    that is empty or does not fit has no tokens in its row, so nothing is said of it.
    """
    room = min(limit, lm.context)
    asked = [
        [
            (Row(item.id, item.group, part, index, truth=text), fitting(lm, item, text, room))
            for part, index, text in answers(item)
        ]
        for item in islice(items, probe.limit)
    ]
    trees, of = _trees(lm, [[text for _, text in own] for own in asked])
    seen: dict[tuple[int, int], dict[str, Any]] = {}
    for chunk in chunks([len(tree) for tree in trees], min(TOKENS, LOGITS // lm.vocabulary)):
        read = _read(lm, lm.forest([trees[i] for i in chunk]))
        seen |= zip((text for i in chunk for text in of[i]), read, strict=True)
        watch(len(seen) / max(1, sum(map(len, of))))
    return [
        replace(row, **seen[i, j], truth_ids=text.answer) if (i, j) in seen else row
        for i, own in enumerate(asked)
        for j, (row, text) in enumerate(own)
    ]


def answers(item: Item) -> Iterator[tuple[Part, int, str]]:
    """Every answer of an item that is read: which part of it, which of several, and the text."""
    yield "answer", 0, item.answer
    if item.paraphrase:
        yield "paraphrase", 0, item.paraphrase
    yield from (("perturbed", i, text) for i, text in enumerate(item.perturbed))
    yield from (("choice", i, text) for i, text in enumerate(item.choices))


def fitting(lm: LM, item: Item, answer: str, room: int) -> Encoded:
    """An item with an answer: a document cut at `room` tokens, another whole or with no answer."""
    text = lm.template.encode(lm.tokenizer, item, answer, room + 1)
    if item.kind == "document" or item.ids:
        return Encoded(text.ids[:room], text.start)
    whole = len(text.ids) <= room and answer.strip()
    return text if whole else Encoded(text.ids[: min(text.start, room)], text.start)


def _trees(
    lm: LM, items: Sequence[Sequence[Encoded]]
) -> tuple[list[Tree], list[list[tuple[int, int]]]]:
    """What to read, and which answer of which item each of its texts is.

    Small items share a tree: they begin alike, with the system's prompt, and leave less to pad.
    """
    trees: list[Tree] = []
    of: list[list[tuple[int, int]]] = []
    for i, texts in enumerate(items):
        full = PACKED
        for j, text in enumerate(texts):
            if not text.answer:
                continue
            if not trees or not lm.branches or len(trees[-1]) >= full:
                trees.append(Tree())
                of.append([])
            trees[-1].add(text)
            of[-1].append((i, j))
            full = BRANCHED
    return trees, of


def _read(lm: LM, forest: Forest) -> Iterator[dict[str, Any]]:
    """The per-token fields of each text of a forest."""
    said = lm.logits(forest)
    entropies, variances, first = (
        torch.cat(part) for part in zip(*map(_spread, torch.split(said, SLICE)), strict=True)
    )
    fields = {
        "logprobs": said[forest.pick, forest.targets],
        "hits": first[forest.pick] == forest.targets,
        "entropies": entropies[forest.pick],
        "variances": variances[forest.pick],
    }
    parts = {
        name: torch.split(values.cpu(), list(forest.lengths)) for name, values in fields.items()
    }
    for row in range(len(forest.lengths)):
        yield {name: tuple(values[row].tolist()) for name, values in parts.items()}


def _spread(logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Entropy, variance of the log-probability and likeliest token; (N, V) becomes log-softmax."""
    first = logits.argmax(-1)
    said = torch.log_softmax(logits, -1, out=logits)
    p = said.exp()
    entropies = -torch.linalg.vecdot(p, said)
    away = (said + entropies.unsqueeze(-1)).square()  # not E[x^2] - E[x]^2: small ones would drown
    return entropies, torch.linalg.vecdot(p, away), first


@dataclass(frozen=True)
class _Start:
    """A prompt to write from, and the row it becomes."""

    ids: tuple[int, ...]
    row: Row
    room: int
    """How many tokens may follow."""


@dataclass(frozen=True)
class Asked:
    """A probe, its items, and what the same model made of their true answers, where it is known."""

    probe: Write
    items: Sequence[Item]
    read: Rows = ()


def write(
    lm: LM, probe: Write, items: Sequence[Item], seed: int, watch: Watch, read: Rows = ()
) -> Rows:
    """Let the model go on from every prompt. A prompt that fills the context is left out.

    `read` is what the same model made of the true answers: as far as it ranked their tokens first,
    it is known to write them greedily, and goes on from there.
    """
    return write_all(lm, [Asked(probe, items, read)], seed, watch)[0]


def write_all(lm: LM, asked: Sequence[Asked], seed: int, watch: Watch) -> list[Rows]:
    """What several probes ask for, in one pass; those that sample go alone."""
    torch.manual_seed(seed)
    top_p = asked[0].probe.top_p
    starts, known = [], []
    for each in asked:
        heard = _heard(each.read) if top_p is None else {}
        own = [start for item in islice(each.items, each.probe.limit)
               for start in _starts(lm, each.probe, item) if start.room > 0]  # fmt: skip
        starts.append(own)
        known += [_foreseen(start, heard, lm.ends) for start in own]
    every = [start for own in starts for start in own]
    prompts = [(*start.ids, *ids) for start, ids in zip(every, known, strict=True)]
    rooms = [start.room - len(ids) for start, ids in zip(every, known, strict=True)]
    left = [i for i, ids in enumerate(known) if rooms[i] and not (ids and ids[-1] in lm.ends)]
    done = len(every) - len(left)
    for chunk in together([prompts[i] for i in left], [rooms[i] for i in left], lm.context):
        due = [left[at] for at in chunk]
        texts = lm.write([prompts[i] for i in due], [rooms[i] for i in due], top_p=top_p)
        for i, ids in zip(due, texts, strict=True):
            known[i] = (*known[i], *ids)
        done += len(due)
        watch(done / len(every))
    watch(1.0)
    rows = iter(
        replace(start.row, answer_ids=ids, answer=lm.text(ids))
        for start, ids in zip(every, known, strict=True)
    )
    return [list(islice(rows, len(own))) for own in starts]


def _heard(read: Rows) -> dict[str, Row]:
    """The true answers as read, of items whose name is theirs alone."""
    answers = [row for row in read if row.part == "answer"]
    times = Counter(row.item for row in answers)
    return {row.item: row for row in answers if times[row.item] == 1}


def _foreseen(start: _Start, heard: Mapping[str, Row], ends: Sequence[int]) -> tuple[int, ...]:
    """The tokens of the truth that greedy writing is known to begin with."""
    row, revealed = heard.get(start.row.item), start.row.start
    if row is None or row.truth_ids[revealed:] != start.row.truth_ids:
        return ()
    known: list[int] = []
    for token, hit in zip(start.row.truth_ids[: start.room], row.hits[revealed:], strict=False):
        if not hit:
            break
        known.append(token)
        if token in ends:
            break
    return tuple(known)


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
