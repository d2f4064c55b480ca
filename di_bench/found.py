"""Writing what tuning found into the YAML beside a method, and showing it."""

from __future__ import annotations

from collections.abc import Iterable

import yaml

from di_bench.errors import MethodError
from di_bench.method import TRIALS
from di_bench.search import nested
from di_bench.spec import Tree, read_yaml
from di_bench.store import whole
from di_bench.tune import Study

HEAD = (
    "# What to try, written by hand, and what `di-bench tune` found for a model in how many trials."
)


class _Dumper(yaml.SafeDumper):
    """Lists and innermost mappings on one line; numbers as this project's reader takes them."""


def _number(dumper: yaml.SafeDumper, value: float) -> yaml.Node:
    text = repr(value)
    return dumper.represent_scalar(
        "tag:yaml.org,2002:float",
        text if "." in text or "e" not in text else text.replace("e", ".0e"),
    )


_Dumper.add_representer(float, _number)


def write(study: Study) -> None:
    """Put the best settings under the model's name, beside what the file holds already."""
    best, beside = study.best, study.run.method.beside
    if best is None:
        return
    text = beside.read_text(encoding="utf-8") if beside.exists() else HEAD
    comment = "".join(f"{line}\n" for line in text.splitlines() if line.startswith("#"))
    tree: Tree = read_yaml(beside, MethodError) if beside.exists() else {}
    tree[study.run.base.known_as] = {TRIALS: len(study.trials), **nested(best.settings)}
    with whole(beside) as draft:
        body = yaml.dump(tree, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=100)
        draft.write_text(comment + body, encoding="utf-8")


def table(studies: Iterable[Study]) -> str:
    """One line for each study: the method, its trials, and the best of them."""
    lines = []
    for study in studies:
        best = study.best
        said = "no trial came to an end" if best is None else _said(study)
        fit = sum(trial.feasible for trial in study.trials)
        model, name = study.run.base.name.replace("--", "/"), study.run.method.name
        lines.append(f"{model}  {name:<16} {len(study.trials)} trials, {fit} feasible: {said}")
    return "\n".join(lines)


def _said(study: Study) -> str:
    best = study.best
    if best is None:
        return ""
    values = ", ".join(f"{column} {value:.3f}" for column, value in best.values.items())
    changed = ", ".join(
        f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in best.settings.items()
    )
    short = "" if best.feasible else " (keeps too little: the nearest there was)"
    return f"{changed or 'as it starts'}; {values}{short}"
