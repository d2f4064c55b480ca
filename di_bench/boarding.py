"""The verb `board` of the command line: its options, and which parts it calls."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from di_bench.draft import whole
from di_bench.errors import DiBenchError, SuiteError, nearest
from di_bench.options import RESULTS, Against, Cache, Format, Profile, Results, plain_errors
from di_bench.store import Store
from di_bench.work import Choice, cache_folder


def board(
    suite: Annotated[str | None, typer.Argument(help="A packaged suite or a YAML file.")] = None,
    profile: Profile = "default",
    results: Results = RESULTS,
    form: Annotated[
        Format, typer.Option("--format", help="How to write it; svg: against size, html: a page.")
    ] = Format.text,
    column: Annotated[
        list[str] | None, typer.Option(help="Only this column; may be repeated.")
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(help="Only this method, beside none and retrain; may be repeated."),
    ] = None,
    composite: Annotated[
        list[str] | None,
        typer.Option(help="Add this one; see `di-bench list composites`. May be repeated."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write it to this file.")] = None,
    against: Annotated[
        Against | None,
        typer.Option(help="Put others' figures of the same data and model below; text and md."),
    ] = None,
    cache: Cache = None,
    *,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Fail when a LEADERBOARD.md or SCALING.svg is not what its records make.",
        ),
    ] = False,
) -> None:
    """Show a leaderboard, or check committed ones (every suite's when none is named).

    Rows stand in the suite's order. Where the suite names a `front`, text, md and latex say first
    which methods nobody beats in both of its columns, and by whom the others are beaten. One number
    of several columns is shown only when asked, by a composite's name, with its formula below.
    With `--format svg` it is drawn: each column, and each method, against the number of weights.
    With `--format html` it is one page that needs no network: plots, curves, items, their answers.
    """
    with plain_errors():
        if check:
            from di_bench import leaderboard

            for page in leaderboard.checked(results, suite, profile):
                typer.echo(f"{page}: made from its records")
            return
        if suite is None:
            raise DiBenchError("name a suite; see `di-bench list suites`")
        asked = Asked(form, tuple(method or ()), tuple(composite or ()), against)
        store = Store(results, cache or cache_folder())
        with _keeping():
            text = written(_narrowed(Choice(suite, profile), column or ()), store, asked)
        if out is None:
            typer.echo(text, nl=False)
            return
        with whole(out) as draft:
            draft.write_text(text, encoding="utf-8")


@dataclass(frozen=True)
class Asked:
    """What of a board, and how."""

    form: Format
    methods: tuple[str, ...]
    composites: tuple[str, ...]
    against: Against | None


@contextmanager
def _keeping() -> Iterator[None]:
    """Without the collector of cycles: thousands of records are held to the end and have none."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _narrowed(choice: Choice, columns: Sequence[str]) -> Choice:
    """The choice with these columns alone. Raises DiBenchError for one that the suite has not."""
    if not columns:
        return choice
    asked = replace(choice, changes=[f"board={json.dumps(list(columns))}"])
    try:
        _ = asked.loaded
    except SuiteError:
        known = choice.loaded.metrics  # a suite that is wrong itself says so here
        if unknown := [name for name in columns if name not in known]:
            said = f"--column {unknown[0]!r}: {choice.suite} has none of that name"
            raise DiBenchError(f"{said}; {nearest(unknown[0], known)}") from None
        raise
    return asked


def written(choice: Choice, store: Store, asked: Asked) -> str:
    """A board in its form. Raises DiBenchError where there are no records."""
    from di_bench import literature
    from di_bench.composite import added
    from di_bench.render import chosen, render
    from di_bench.texts import page

    suite = choice.loaded
    records = store.records(suite)
    if not records:
        raise DiBenchError(f"{store.folder(suite)}: no records; make them with `di-bench run`")
    if asked.methods:
        records = chosen(records, asked.methods)
    for name in asked.composites:
        records, suite = added(records, suite, name)
    if asked.form is Format.html:
        text = page(choice, suite, store, records)
    else:
        tallies = store.tallies(suite, records)
        text = render(records, suite, asked.form.value, tallies)  # type: ignore[arg-type]  # not html
    if asked.against:
        text += "\n" + literature.below(suite, records, asked.methods, asked.form.value)
    return text
