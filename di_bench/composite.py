"""One number of several columns: only by name and version, with its formula and selection rule.

The same checkpoints change places with the formula, the normalisation and what settings were
selected by, so a board shows a composite when asked and says all three below.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from di_bench import label
from di_bench.corpus import digest
from di_bench.errors import SuiteError, nearest
from di_bench.method import NONE
from di_bench.metrics.items import mean
from di_bench.metrics.metric import Group
from di_bench.metrics.utility import harmonic_mean
from di_bench.record import Record
from di_bench.suite import Suite


class MissingError(Exception):
    """A composite has no number; the message says why. Never leaves this module."""


@dataclass(frozen=True)
class Ingredient:
    """What a composite needs: a metric in one version, in one group."""

    formula: str
    """`metric@version`: another version is another ingredient."""
    group: Group
    relative: bool = False
    """Over the value of `none` with the same seed, 1 at most."""


@dataclass(frozen=True)
class Composite:
    """A named formula over columns."""

    text: str
    """The formula, with the names of its ingredients."""
    needs: Mapping[str, Ingredient]
    compute: Callable[[Mapping[str, float]], float]
    """Called with a number for each of `needs`."""
    selection: str
    """What its source selected settings by: scores under another rule do not compare."""
    source: str
    floor: tuple[str, float] | None = None
    """An ingredient and the share of `none`'s value below which there is no number."""


_ROUNDING = 1e-9
"""Six of eight right is not below .75 of all eight."""


def _memory(given: Mapping[str, float]) -> float:
    return harmonic_mean([1 - given[name] for name in ("ES", "EM", "P")])


def _memory_utility(given: Mapping[str, float]) -> float:
    return harmonic_mean([_memory(given), given["U"]])


def _memory_privacy_utility(given: Mapping[str, float]) -> float:
    return harmonic_mean([_memory(given), given["S"], given["U"]])


def _semeval(given: Mapping[str, float]) -> float:
    forgot, kept = [1 - given["FR"], 1 - given["FK"]], [given["RR"], given["RK"]]
    privacy = 1 - 2 * abs(given["AUC"] - 0.5)
    return mean([harmonic_mean([*forgot, *kept]), privacy, given["NLU"]])


_REMEMBERED: Mapping[str, Ingredient] = {
    "ES": Ingredient("extraction_strength@1", "forgetting"),
    "EM": Ingredient("exact_memorization@1", "forgetting"),
    "P": Ingredient("probability@1", "forgetting"),
}
_UTILITY = {"U": Ingredient("model_utility@9-geo", "utility", relative=True)}
_OU = (
    "after open-unlearning (Dorna et al. 2025, arXiv 2506.12618, table 3), whose memorization has "
    "paraphrases and a truth ratio too and whose utility has fluency"
)
_TUNED = "open-unlearning tuned by memorization and utility without privacy"

COMPOSITES: Mapping[str, Composite] = {
    "hm-memory-utility@1": Composite(
        "HM(HM(1 - ES, 1 - EM, 1 - P), min(1, U / U of none))",
        {**_REMEMBERED, **_UTILITY},
        _memory_utility,
        _TUNED,
        f"ours, {_OU}",
    ),
    "hm-memory-privacy-utility@1": Composite(
        "HM(HM(1 - ES, 1 - EM, 1 - P), S, min(1, U / U of none))",
        {**_REMEMBERED, "S": Ingredient("s_mia@1", "privacy"), **_UTILITY},
        _memory_privacy_utility,
        _TUNED,
        f"ours, {_OU}; its privacy has three more attacks",
    ),
    "semeval-task4@1": Composite(
        "mean(HM(1 - FR, 1 - FK, RR, RK), 1 - 2 |AUC - .5|, NLU), none where NLU < .75 NLU of none",
        {
            "FR": Ingredient("rouge@recall-stemmed", "forgetting"),
            "FK": Ingredient("exact_match@1", "forgetting"),
            "RR": Ingredient("rouge@recall-stemmed", "utility"),
            "RK": Ingredient("exact_match@1", "utility"),
            "AUC": Ingredient("mia_loss@1", "privacy"),
            "NLU": Ingredient("nlu@acc", "utility"),
        },
        _semeval,
        "each team handed in one model of its choice",
        "ours, after SemEval-2025 Task 4 (Ramakrishna et al. 2025, arXiv 2504.02883), whose HM is "
        "over each of three tasks and whose NLU is MMLU",
        floor=("NLU", 0.75),
    ),
}
"""Every composite, by `name@version`. Another formula or normalisation is another version."""


def find(name: str) -> str:
    """`name@version` of a composite named in full or without its version. Raises SuiteError."""
    known = {full.partition("@")[0]: full for full in COMPOSITES}
    if (full := known.get(name, name)) not in COMPOSITES:
        raise SuiteError(f"--composite {name}: there is none; {nearest(name, COMPOSITES)}")
    return full


def added(records: Iterable[Record], suite: Suite, name: str) -> tuple[list[Record], Suite]:
    """Records with a composite of each seed as one more score, and a suite whose boards show it.

    The records of `none` must be among them. Raises SuiteError for what there is not.
    """
    full = find(name)
    composite, kept = COMPOSITES[full], list(records)
    columns = _columns(composite, suite)
    starts = {_like(record): record for record in kept if record.method == NONE}
    scored = [_scored(r, starts.get(_like(r)), columns, full) for r in kept]
    said = suite.composites | {full: described(full, columns, suite)}
    return scored, suite.model_copy(update={"composites": said})


def described(full: str, columns: Mapping[str, str], suite: Suite) -> str:
    """What stands below a board: formula, version, what its letters are, selection, source."""
    composite = COMPOSITES[full]
    letters = ", ".join(
        f"{letter} = {label.column(columns.get(letter, 'no column'))} ({need.formula})"
        for letter, need in composite.needs.items()
    )
    return (
        f"{full} = {composite.text}; {letters}; HM is the harmonic mean. Selection: rows stand as "
        f"they are, {_settings(suite)} ({composite.selection}). Source: {composite.source}."
    )


def _settings(suite: Suite) -> str:
    if not suite.tuned:
        return "with one recipe for all and settings selected by nothing"
    if (tune := suite.tune) is None:
        return "with what tuning found for a method where it did"
    end = "least" if tune.lower else "most"
    keeping = " and ".join(f"{share:g} of {column}" for column, share in tune.keep.items())
    said = f"with settings tuned for the {end} {tune.goal}" + f" that keeps {keeping}" * bool(
        keeping
    )
    return said.replace("_", " ")


def _columns(composite: Composite, suite: Suite) -> dict[str, str]:
    """Letter to the first column of the suite that is its ingredient, where there is one."""
    groups: dict[tuple[str, str], str] = {}
    for column in suite.metrics:
        metric, _ = suite.reads(column)
        groups.setdefault((metric.formula, suite.group(column)), column)
    wanted = {letter: (need.formula, need.group) for letter, need in composite.needs.items()}
    return {letter: groups[key] for letter, key in wanted.items() if key in groups}


def _like(record: Record) -> str:
    """What a record and the `none` it starts from have in common."""
    fields: list[Any] = [record.model, record.corpus, record.axis, record.setup, record.seed]
    return digest(*fields)


def _scored(record: Record, start: Record | None, columns: Mapping[str, str], full: str) -> Record:
    """The record with its composite, or with why there is none; unchanged but if it was scored."""
    formulas = record.formulas | {full: full}
    if record.status != "done":
        return record.model_copy(update={"formulas": formulas})
    score, gaps = None, dict(record.gaps)
    try:
        score = _value(COMPOSITES[full], record, start, columns)
    except MissingError as missing:
        gaps[full] = str(missing)
    scores = record.scores | {full: score}
    return record.model_copy(update={"formulas": formulas, "scores": scores, "gaps": gaps})


def _value(
    composite: Composite, record: Record, start: Record | None, columns: Mapping[str, str]
) -> float:
    given = {}
    for letter, need in composite.needs.items():
        if (column := columns.get(letter)) is None:
            raise MissingError(f"the suite has no column of {need.group} with {need.formula}")
        given[letter] = _read(record, column, need)
        floor = composite.floor[1] if composite.floor and composite.floor[0] == letter else None
        if not need.relative and floor is None:
            continue
        if start is None:
            raise MissingError(f"no record of none with its seed to hold {column} against")
        before = _read(start, column, need)
        if floor is not None and given[letter] < floor * before - _ROUNDING:
            raise MissingError(f"{column} is below {floor:g} of none's")
        if need.relative and before == 0:
            raise MissingError(f"{column} of none is 0: nothing can be relative to it")
        if need.relative:
            given[letter] = min(1.0, given[letter] / before)
    return composite.compute(given)


def _read(record: Record, column: str, need: Ingredient) -> float:
    if record.formulas.get(column) != need.formula:
        raise MissingError(f"{column} of {record.row} was not graded with {need.formula}")
    if (value := record.scores.get(column)) is None:
        why = record.gaps.get(column, "has no value")
        raise MissingError(f"{column} of {record.row}: {why}")
    return value
