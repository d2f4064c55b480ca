"""What lm-eval's tasks say of the model. Its code decides what is right; here it is averaged."""

import math

from di_bench.metrics.items import mean
from di_bench.metrics.metric import GapError, ItemScore, Score
from di_bench.transcript import Rows


def nlu(rows: Rows) -> Score:
    """Accuracy averaged within each task, then over tasks: every task weighs the same.

    Source: lm-evaluation-harness (Gao et al.); the plain mean of tasks is the field's habit.
    Range: 0 to 1. Better: higher. The parts are the tasks.
    Good or bad: beside the model before unlearning, and beside guessing (.25 with four choices).
    Lies: near guessing a broken model looks harmless; a fall in one task hides in the mean.
    The items are all documents of all tasks, grouped by task; their plain mean is not it.
    """
    if not rows:
        raise GapError("there are no rows to grade")
    tasks: dict[str, list[float]] = {}
    items = []
    for row in rows:
        if row.value is None or not math.isfinite(row.value):
            raise GapError(f"{row.item!r} has no accuracy")
        tasks.setdefault(row.group, []).append(row.value)
        items.append(ItemScore(row.item, row.group, row.value))
    parts = {task: mean(values) for task, values in tasks.items()}
    return Score(mean(list(parts.values())), tuple(items), parts)
