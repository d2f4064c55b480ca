"""Whose text a judged row is about: the marks that a judge leaves, and what they pick out."""

from di_bench.metrics.items import mean
from di_bench.metrics.metric import GapError
from di_bench.transcript import Row, Rows

HUMAN = 1
"""`Row.index` of the human's text; the others are the model's samples."""

Place = tuple[str, int]
"""An item, and how much of its true answer had been revealed."""


def mark(sample: int) -> int:
    """The index of the model's n-th sample: the first was there before there were several."""
    return sample if sample < HUMAN else sample + 1


def models(rows: Rows) -> Rows:
    """The model's texts, of all samples; a gap if there are none."""
    return _some([row for row in rows if row.part == "answer" and row.index != HUMAN], "model")


def humans(rows: Rows) -> Rows:
    """The human's texts; a gap if there are none."""
    return _some([row for row in rows if row.part == "answer" and row.index == HUMAN], "human")


def prompts(rows: Rows) -> Rows:
    """What stood before the texts; a gap if the judge kept none."""
    return _some([row for row in rows if row.part == "prompt"], "prompt")


def samples(rows: Rows) -> list[Rows]:
    """The model's texts, one list for each sample."""
    found = models(rows)
    return [[row for row in found if row.index == at] for at in sorted({r.index for r in found})]


def by_place(rows: Rows) -> dict[Place, Row]:
    """Rows of which there is one for each item and start; a gap where there are two."""
    found: dict[Place, Row] = {}
    for row in rows:
        place = row.item, row.start
        if place in found:
            raise GapError(f"item {row.item!r} has two texts that cannot be told apart")
        found[place] = row
    return found


def spread(values: list[float]) -> float:
    """Standard deviation of at least two values, n - 1 below."""
    middle = mean(values)
    return float((sum((value - middle) ** 2 for value in values) / (len(values) - 1)) ** 0.5)


def _some(rows: Rows, whose: str) -> Rows:
    if not rows:
        raise GapError(f"the judge read no {whose}'s text" if whose != "prompt" else _NO_PROMPTS)
    return rows


_NO_PROMPTS = "the judge kept no prompts; set `prompts: true` in its probe"
