"""The verb `compare` of the command line: its options, and which parts it calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from di_bench.options import RESULTS, Cache, Changes, Form, Models, Results, plain_errors
from di_bench.store import Store

if TYPE_CHECKING:
    from di_bench.record import Record
    from di_bench.run import Run


def compare(
    a: Annotated[
        str, typer.Argument(help="A run as `show` names it, or without its seed: a row of runs.")
    ],
    b: Annotated[str, typer.Argument(help="What to compare it with, named likewise.")],
    results: Results = RESULTS,
    column: Annotated[
        list[str] | None, typer.Option(help="Only this column; may be repeated.")
    ] = None,
    items: Annotated[
        str | None, typer.Option(help="Show the items of this column that differ most.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="So many of them.")] = 10,
    form: Annotated[Form, typer.Option("--format", help="How to write it.")] = Form.text,
    suite: Annotated[
        str | None, typer.Option(help="For texts: the suite's file, if it is not a packaged one.")
    ] = None,
    model: Models = None,
    set_: Changes = None,
    cache: Cache = None,
) -> None:
    """Say column by column how far two runs or rows are apart, how surely, and which is better.

    `di-bench compare tofu/default/builtin--nano/di tofu/default/builtin--nano/npo` takes all seeds
    of both, `.../di-0` one of them. Seeds and items are paired where both sides have the same.
    What does not compare (formula, corpus, model, setup) is said. Texts of --items come from the
    cache of the machine that made the runs.
    """
    from di_bench import comparetext, comparison, itemwise, origin
    from di_bench.work import cache_folder

    with plain_errors():
        mine, theirs = comparison.find(results, a), comparison.find(results, b)
        found = comparison.compare(mine, theirs, column or ())
        most = itemwise.most(mine, theirs, items, top) if items else None
        if most:
            store = Store(results, cache or cache_folder())

            def find(record: Record) -> Run:
                asked = origin.choice(record, suite, model or (), set_ or ())
                return origin.cell(record, asked, store, "plan")

            most = itemwise.with_texts(most, mine, theirs, store, find)
        typer.echo(comparetext.render(mine, theirs, found, most, form.value), nl=False)
