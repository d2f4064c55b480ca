"""The verbs `new method` and `new suite`: their options, and which parts they call."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from di_bench.errors import plain
from di_bench.options import plain_errors

new = typer.Typer(help="Write a file to start from.", no_args_is_help=True)


@new.command()
def method(
    name: Annotated[str, typer.Argument(help="What to call it: a Python name.")],
    to: Annotated[Path, typer.Option(help="The folder to write to.")] = Path(),
) -> None:
    """Write a method that runs as it is, and a test of it that passes."""
    from di_bench import scaffold

    with plain_errors():
        code, test = (shlex.quote(str(path)) for path in scaffold.method(name, to))
        code = code if "/" in code else f"./{code}"
        typer.echo(f"di-bench run tofu {code} --model builtin/nano --seed 0\npytest {test}")


@new.command()
def suite(
    name: Annotated[str, typer.Argument(help="What to call it: a file name without an ending.")],
    forget: Annotated[
        Path, typer.Option(help="What to forget: a json, jsonl, csv, parquet or txt file.")
    ],
    retain: Annotated[Path, typer.Option(help="What to keep, in such a file.")],
    holdout: Annotated[
        Path | None, typer.Option(help="Texts like forget's that nobody trains on, for privacy.")
    ] = None,
    to: Annotated[Path, typer.Option(help="The folder to write to.")] = Path(),
    model: Annotated[
        str, typer.Option(help="A built-in size, a hub id or a folder.")
    ] = "builtin/nano",
    field: Annotated[
        list[str] | None,
        typer.Option(help="Which column is what: answer=COLUMN, prompt=COLUMN; may be repeated."),
    ] = None,
    *,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse near-duplicates too, not only warn of them.")
    ] = False,
) -> None:
    """Write a suite over your own files, after checking that what to forget is not in the rest.

    Columns are recognised by their names: question or prompt or instruction or input, with answer
    or completion or response or output; else text, document or content. A txt file holds documents
    with blank lines between them. The files stay where they are.
    """
    from di_bench import newsuite

    with plain_errors():
        files = newsuite.Files(forget, retain, holdout, tuple(field or ()))
        made = newsuite.suite(name, files, to, model, strict=strict)
        for line in made.found:
            typer.echo(plain(line))
        for line in made.warnings:
            typer.secho(line, err=True, fg="yellow")
        path = str(made.path) if "/" in str(made.path) else f"./{made.path}"
        typer.echo(f"di-bench run {shlex.quote(path)}")
