"""LEADERBOARD.md and SCALING.svg: what lies beside records, is made of them, and is committed."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from di_bench.board import boards
from di_bench.draft import whole
from di_bench.errors import StoreError
from di_bench.record import Record
from di_bench.render import Format, render
from di_bench.scaling import scaling
from di_bench.store import Store
from di_bench.suite import Suite
from di_bench.tally import Tallies
from di_bench.work import Choice, Work, cache_folder

PAGES: Mapping[str, Format] = {"LEADERBOARD.md": "md", "SCALING.svg": "svg"}
"""How to write each."""


def pages(
    records: Iterable[Record], suite: Suite, tallies: Tallies | None = None
) -> dict[str, str]:
    """The files of `PAGES` that records make: a figure only where some board is a ladder."""
    kept = list(records)
    ladder = any(scaling(board).is_ladder for board in boards(kept, suite))
    due = {name: form for name, form in PAGES.items() if form != "svg" or ladder}
    return {name: render(kept, suite, form, tallies) for name, form in due.items()}


def publish(work: Work) -> None:
    """Write the leaderboard beside the records, and the figure where they are a ladder."""
    folder, records = work.store.folder(work.suite), work.records()
    made = pages(records, work.suite, work.store.tallies(work.suite, records))
    for name, text in made.items():
        with whole(folder / name) as draft:
            draft.write_text(text, encoding="utf-8")
    for name in set(PAGES) - set(made):
        (folder / name).unlink(missing_ok=True)


def checked(results: Path, suite: str | None, profile: str) -> Iterator[Path]:
    """Each leaderboard and figure that is what its records make: the suite's, or all of them.

    Raises StoreError at the first that is not, is missing or has no place, or without records.
    """
    folders = sorted({path.parent.parent for path in results.glob("*/*/*/*.json")})
    found = [(folder.parent.name, folder.name) for folder in folders]
    if not found:
        raise StoreError(f"{results}: holds no records to check a board against")
    store = Store(results, cache_folder())
    for name, chosen in [(suite, profile)] if suite else found:
        loaded = Choice(name, chosen).loaded
        folder = store.folder(loaded)
        records = store.records(loaded)
        made = pages(records, loaded, store.tallies(loaded, records))
        for file, form in PAGES.items():
            page = folder / file
            there = page.read_text(encoding="utf-8") if page.exists() else None
            if there is not None and file not in made:
                raise StoreError(f"{page}: its records are of too few sizes for it; delete it")
            if there != made.get(file):
                again = f"di-bench board {name} --profile {chosen} --format {form} --out {page}"
                raise StoreError(f"{page}: is not what its records make; run `{again}`")
            if there is not None:
                yield page
