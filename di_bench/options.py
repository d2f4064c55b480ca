"""What the verbs of the command line share: their options, and errors in one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from di_bench.errors import DiBenchError

SuiteArg = Annotated[str, typer.Argument(help="A packaged suite (`tofu`) or a YAML file.")]
MethodsArg = Annotated[
    list[str] | None,
    typer.Argument(
        help="Packaged methods (`di`), .py files, or a model unlearned elsewhere "
        "(`checkpoint:FOLDER`, `checkpoint:ID@REVISION`). The suite's own when left out."
    ),
]
Results = Annotated[Path, typer.Option(help="Where records are kept.")]
Cache = Annotated[
    Path | None,
    typer.Option(
        help="Where weights and transcripts are kept; $DI_BENCH_CACHE or the user's cache."
    ),
]
Profile = Annotated[str, typer.Option(help="A profile of the suite.")]
Models = Annotated[
    list[str] | None, typer.Option("--model", help="Only this model; may be repeated.")
]
Seeds = Annotated[list[int] | None, typer.Option("--seed", help="Only this seed; may be repeated.")]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Processes; one per core for built-in sizes, else 1.")
]
Offline = Annotated[
    bool,
    typer.Option("--offline", help="Never ask the network; read what `fetch` put into --cache."),
]
Trackers = Annotated[
    list[str] | None,
    typer.Option(
        "--tracker",
        help="Log finished cells there too: tensorboard, wandb, mlflow or trackio, which must be "
        "installed; may be repeated.",
    ),
]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change the suite: key=value, such as recipe.lr=1e-4."),
]


class Format(StrEnum):
    """What a board can be written as."""

    text = "text"
    md = "md"
    latex = "latex"
    csv = "csv"
    json = "json"
    svg = "svg"
    html = "html"


class Form(StrEnum):
    """What a comparison can be written as."""

    text = "text"
    md = "md"
    json = "json"


class Against(StrEnum):
    """What a board can be put beside."""

    published = "published"


class GateFormat(StrEnum):
    """How the gate may say what it found."""

    text = "text"
    junit = "junit"
    md = "md"
    github = "github"


class Listing(StrEnum):
    """What can be listed."""

    methods = "methods"
    metrics = "metrics"
    composites = "composites"
    suites = "suites"
    models = "models"


RESULTS = Path("results")


@contextmanager
def plain_errors() -> Iterator[None]:
    """One line for what the user can fix; a bug keeps its traceback."""
    try:
        yield
    except DiBenchError as error:
        shown = "".join(x if x.isprintable() else " " for x in str(error))
        typer.secho(" ".join(shown.split()), err=True, fg="red")
        raise typer.Exit(2) from error
    except KeyboardInterrupt as error:
        typer.secho(
            "interrupted; what was whole is kept: the same command goes on from there",
            err=True,
            fg="yellow",
        )
        raise typer.Exit(130) from error
