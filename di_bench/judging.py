"""A second model reads what the first has written, and says what it makes of it."""

from __future__ import annotations

from di_bench.lm import LM
from di_bench.template import Encoded
from di_bench.transcript import Row, Rows

ROWS = 128
"""Texts read at once."""


def judge(lm: LM, written: Rows, new_tokens: int) -> Rows:
    """The judge's last hidden state at the end of each text: index 0 the model's, 1 the human's."""
    texts = [(row, 0, row.answer_ids) for row in written]
    texts += [(row, 1, row.truth_ids[:new_tokens]) for row in written]
    judged = []
    for first in range(0, len(texts), ROWS):
        part = texts[first : first + ROWS]
        coded = [_ended(lm, lm.text(ids)) for _, _, ids in part]
        states = lm.states(lm.batch(coded)).float().tolist()
        judged += [
            Row(row.item, row.group, index=index, features=tuple(state))
            for (row, index, _), state in zip(part, states, strict=True)
        ]
    return judged


def _ended(lm: LM, text: str) -> Encoded:
    """A text whose only `answer` is a token after its end: its state is the last token's."""
    ids = tuple(lm.tokenizer(text or " ").input_ids)[: lm.context - 1]
    return Encoded((*ids, lm.pad), len(ids))
