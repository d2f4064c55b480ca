"""Where a board has too little to tell: few seeds, few units, seeds alone."""

from collections.abc import Sequence

from di_bench import escape, label
from di_bench.line import Line

SEEDS = 3
"""Below so many hardly any difference can be told."""
UNITS = 10
"""So few authors or documents say little of others."""


def doubts(lines: Sequence[Line], columns: Sequence[str]) -> list[str]:
    """One sentence for each thing to doubt."""
    found = _few_seeds(lines)
    units = {column: max(line.cells[column].units for line in lines) for column in columns}
    if few := [f"{label.column(column)} ({n})" for column, n in units.items() if 0 < n < UNITS]:
        what = "few authors, documents or tasks, which say little of others"
        found.append(f"{what}: {', '.join(few)}")
    made = {column: {line.cells[column].how for line in lines} - {None} for column in columns}
    if alone := [label.column(column) for column, how in made.items() if how == {"seeds"}]:
        found.append(f"intervals of seeds alone, no means of items: {', '.join(alone)}")
    return [escape.line(one) for one in found]


def _few_seeds(lines: Sequence[Line]) -> list[str]:
    found = []
    for count in range(1, SEEDS):
        few = [line for line in lines if len(line.seeds) == count]
        names = ", ".join(dict.fromkeys(line.method for line in few))
        who = "every row" if len(few) == len(lines) else names
        why = "intervals are of items alone and say nothing of other seeds"
        why = why if count == 1 else "hardly any difference can be told"
        found += [f"{count} seed{'s' * (count > 1)} ({who}): {why}"] if few else []
    return found
