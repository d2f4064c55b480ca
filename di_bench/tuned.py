"""What tuning found: shown as a table, and written into the YAML beside the method."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from di_bench import label
from di_bench.draft import whole
from di_bench.errors import MethodError
from di_bench.objective import Values
from di_bench.search import TRIALS, Value, nested
from di_bench.spec import Tree, read_yaml
from di_bench.table import padded
from di_bench.tune import Study


def table(studies: Sequence[Study], budget: int) -> str:
    """One line for each method on each model, under the model as it was."""
    columns = studies[0].objective.columns
    head = ["model", "method", "trials", "feasible", *columns, "best settings"]
    rows, models = [head], set()
    for study in studies:
        model = label.model(study.start.base.name)
        if model not in models:
            models.add(model)
            rows.append([model, "none", "-", "-", *_numbers(study.trials.none, columns), ""])
        trials = study.trials.trials[:budget]
        best = study.best(budget)
        fit = f"{sum(trial.feasible for trial in trials)} of {len(trials)}"
        values = _numbers(best.values if best else {}, columns)
        said = "no trial has values" if best is None else _said(best.settings)
        if best is not None and not best.feasible:
            said += " (feasible: false)"
        rows.append([model, study.start.method.name, str(len(trials)), fit, *values, said])
    return "\n".join(padded(rows))


def _numbers(values: Values, columns: Sequence[str]) -> list[str]:
    found = [values.get(column) for column in columns]
    return ["-" if value is None else f"{value:.3f}" for value in found]


def _said(settings: dict[str, Value]) -> str:
    return ", ".join(f"{name}={value}" for name, value in settings.items()) or "as it starts"


def write(study: Study, budget: int) -> Path | None:
    """Put the best settings under the model's name, in the YAML beside the method.

    The rest of the file stays as it is, comments too. None where no trial has values. Raises
    MethodError when the file is laid out so that this cannot be done.
    """
    best = study.best(budget)
    if best is None:
        return None
    path, model = study.start.method.tuned.path, study.start.base.id
    tree = read_yaml(path, MethodError)
    entry = {TRIALS: len(study.trials.trials[:budget]), **nested(best.settings)}
    text = _with_entry(path.read_text(encoding="utf-8"), model, entry)
    with whole(path) as draft:
        draft.write_text(text, encoding="utf-8")
        if not _reads_as(draft, {**tree, model: entry}):
            said = f"{path}: put this in by hand, the file is laid out in a way of its own: "
            raise MethodError(said + yaml.safe_dump({model: entry}, default_flow_style=True))
    return path


def _reads_as(path: Path, tree: Tree) -> bool:
    try:
        return read_yaml(path, MethodError) == tree
    except MethodError:
        return False


def _with_entry(text: str, model: str, entry: Tree) -> str:
    """The text with this entry in place of the model's own, or at its end."""
    body: Any = {model: entry}
    made = yaml.safe_dump(body, sort_keys=False, default_flow_style=None, width=100)
    lines = text.splitlines(keepends=True)
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    keys = [key for key, _ in root.value] if isinstance(root, yaml.MappingNode) else []
    starts = [key.start_mark.line for key in keys]
    for key, start in zip(keys, starts, strict=True):
        if key.value == model:
            end = min((line for line in starts if line > start), default=len(lines))
            while end > start + 1 and _between(lines[end - 1]):
                end -= 1  # a comment above the next entry is that entry's
            return "".join(lines[:start]) + made + "".join(lines[end:])
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    return "".join(lines) + made


def _between(line: str) -> bool:
    return not line.strip() or line.startswith("#")
