"""The two verbs for notebooks: `run` a suite, and its `board` as a pandas frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from di_bench import board as boards
from di_bench.composite import added
from di_bench.progress import watching
from di_bench.store import Store
from di_bench.suite import Suite
from di_bench.work import Choice, Work, cache_folder

if TYPE_CHECKING:
    import pandas as pd


def run(
    suite: str,
    methods: Sequence[str] = (),
    *,
    profile: str = "default",
    changes: Sequence[str] = (),
    results: str | Path = "results",
    workers: int = 1,
) -> pd.DataFrame:
    """Do what is not done yet and return the board. `changes` are `key=value`, as after --set.

    Raises DiBenchError for what the caller can fix.
    """
    from di_bench.runner import run_all

    work = Work.lay_out(
        Choice(suite, profile, changes=changes), methods, Store(Path(results), cache_folder())
    )
    todo = work.left()
    with watching(todo, len(work.runs) - len(todo), lambda: "") as watcher:
        run_all(todo, work.store, watcher, workers=workers)
    return _frame(work.store, work.suite)


def board(
    suite: str,
    *,
    profile: str = "default",
    composites: Sequence[str] = (),
    results: str | Path = "results",
) -> pd.DataFrame:
    """The board of stored records: one row per model, method and metric, or asked composite."""
    return _frame(Store(Path(results), cache_folder()), Choice(suite, profile).loaded, composites)


def _frame(store: Store, suite: Suite, composites: Sequence[str] = ()) -> pd.DataFrame:
    records = store.records(suite)
    tallies = store.tallies(suite, records)
    for name in composites:
        records, suite = added(records, suite, name)
    return boards.frame(records, suite, tallies)
