"""The command line: verbs and their output, no logic."""

import logging
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from di_bench import manifest
from di_bench.beginning import new
from di_bench.boarding import board
from di_bench.checking import check
from di_bench.comparing import compare
from di_bench.hub import Reach
from di_bench.options import (
    RESULTS,
    Cache,
    Changes,
    Listing,
    MethodsArg,
    Models,
    Offline,
    Profile,
    Results,
    Seeds,
    SuiteArg,
    Trackers,
    Workers,
    plain_errors,
)
from di_bench.run import Run
from di_bench.store import Store
from di_bench.work import Choice, Work, cache_folder

app = typer.Typer(
    help="A benchmark of methods that make language models forget.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(new, name="new")


@app.command()
def run(
    suite: SuiteArg,
    methods: MethodsArg = None,
    profile: Profile = "default",
    model: Models = None,
    seed: Seeds = None,
    set_: Changes = None,
    results: Results = RESULTS,
    cache: Cache = None,
    workers: Workers = None,
    tracker: Trackers = None,
    *,
    offline: Offline = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Ignore records and cache.")] = False,
) -> None:
    """Do what is not done yet, then show the board."""
    from di_bench import ranks
    from di_bench.leaderboard import publish
    from di_bench.progress import watching
    from di_bench.render import render
    from di_bench.runner import quiet, run_all
    from di_bench.tracking import tracked

    with plain_errors():
        if offline:  # before a launcher's libraries are imported
            manifest.use(cache or cache_folder())
    logging.basicConfig(
        level=logging.INFO if ranks.first() else logging.ERROR, format="%(message)s"
    )
    quiet()
    with plain_errors(), ranks.launched():
        follow = tracked(tracker or (), results, offline=offline)
        reach: Reach = "cache" if offline else "network"
        work = _work(suite, methods, profile, model, seed, set_, results, cache, reach)
        work.check_writable()
        if fresh and ranks.first():
            work.forget()
        todo = ranks.told(list(work.runs) if fresh else work.left())
        folder = work.store.folder(work.suite)
        done = len(work.runs) - len(todo)
        typer.echo(f"{len(work.runs)} cells: {done} done in {folder}, {len(todo)} to do")

        def draw() -> str:
            records = work.records()
            return render(records, work.suite, "text", work.store.tallies(work.suite, records))

        if todo:
            with watching(todo, done, draw) as watcher:
                run_all(todo, work.store, follow(watcher), workers=workers or work.workers())
        if ranks.first():
            publish(work)
        typer.echo(draw())
        kept = [work.store.record(run) for run in work.runs]
        if wrong := [record for record in kept if record and record.status == "failed"]:
            if ranks.first():
                typer.secho(
                    f"{len(wrong)} of {len(work.runs)} cells failed; see the notes above",
                    err=True,
                    fg="red",
                )
            raise typer.Exit(1)


@app.command()
def tune(
    suite: SuiteArg,
    methods: MethodsArg = None,
    trials: Annotated[int, typer.Option(min=1, help="So many for each method and model.")] = 8,
    profile: Profile = "default",
    model: Models = None,
    set_: Changes = None,
    results: Results = RESULTS,
    cache: Cache = None,
    workers: Workers = None,
    *,
    offline: Offline = False,
    write: Annotated[
        bool, typer.Option("--write", help="Put what was found into the YAML beside each method.")
    ] = False,
) -> None:
    """Search the settings of methods, each with the same number of trials.

    The suite's `tune` says what to look for and on which items, `search` in the YAML beside a
    method what to try. Every trial is kept in results/SUITE/PROFILE/trials; the same command goes
    on where it was.
    """
    from di_bench import tuned
    from di_bench.progress import watching
    from di_bench.runner import quiet, run_all
    from di_bench.tune import tune as search

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    quiet()
    with plain_errors():
        choice = Choice(suite, profile, model or (), (), set_ or ())
        store = Store(results, cache or cache_folder())
        reach: Reach = "cache" if offline else "network"
        board = Work.lay_out(choice, ["none"], store, reach)
        work = Work.lay_out(replace(choice, tuning=True), methods or (), store, reach)
        work.check_writable()

        def do(runs: Sequence[Run], home: Store) -> None:
            with watching(runs, 0, lambda: "") as watcher:
                run_all(runs, home, watcher, workers=workers or work.workers())

        studies = search(work, board, trials, do, typer.echo)
        typer.echo(tuned.table(studies, trials))
        for path in [tuned.write(study, trials) for study in studies] if write else ():
            typer.echo(f"{path}: written" if path else "nothing to write")


@app.command()
def plan(
    suite: SuiteArg,
    methods: MethodsArg = None,
    profile: Profile = "default",
    model: Models = None,
    seed: Seeds = None,
    set_: Changes = None,
    results: Results = RESULTS,
    cache: Cache = None,
) -> None:
    """Check a suite, list its cells and what each still needs. Touches no network and no model."""
    with plain_errors():
        work = _work(suite, methods, profile, model, seed, set_, results, cache, "plan")
        for name, state in work.states():
            typer.echo(f"{state:<12} {name}")
        typer.echo(work.outlook())


app.command()(check)


@app.command()
def show(
    run: Annotated[
        str, typer.Argument(help="A record: its path, or `tofu/default/builtin--nano/di-0`.")
    ],
    results: Results = RESULTS,
    *,
    items: Annotated[bool, typer.Option("--items", help="List the score of every item.")] = False,
    curve: Annotated[
        bool | None,
        typer.Option(help="Draw its training curve below; left out, only in a terminal."),
    ] = None,
    export: Annotated[
        Path | None, typer.Option(help="Write its model to this new folder, to be loaded anywhere.")
    ] = None,
    suite: Annotated[
        str | None, typer.Option(help="To export: the suite's file, if it is not a packaged one.")
    ] = None,
    model: Models = None,
    set_: Changes = None,
    cache: Cache = None,
) -> None:
    """Show one run (settings, scores, cost, environment, curve), or export the model it made.

    The record is JSON. Its training curve follows it in a terminal, and nowhere else unless
    `--curve` asks for it, so what is piped on stays JSON.
    """
    from di_bench import showing
    from di_bench.recordfile import read_record, record_path

    with plain_errors():
        path = record_path(results, run)
        record = read_record(path)
        if export is not None:
            from di_bench import export as exporting
            from di_bench import origin
            from di_bench.runner import quiet

            quiet()
            asked = origin.choice(record, suite, model or (), set_ or ())
            store = Store(results, cache or cache_folder())
            typer.echo(exporting.export(record, asked, store, export, typer.echo))
            return
        if items:
            for row in showing.items(path):
                typer.echo(row)
            return
        typer.echo(showing.told(record))
        if sys.stdout.isatty() if curve is None else curve:
            typer.echo("\n".join(showing.drawn(record, sys.stdout.encoding)))


app.command()(board)
app.command()(compare)


@app.command()
def grade(
    suite: SuiteArg,
    methods: MethodsArg = None,
    profile: Profile = "default",
    model: Models = None,
    seed: Seeds = None,
    set_: Changes = None,
    results: Results = RESULTS,
    cache: Cache = None,
) -> None:
    """Score stored transcripts again, without training or asking."""
    from di_bench.runner import quiet

    quiet()
    with plain_errors():
        work = _work(suite, methods, profile, model, seed, set_, results, cache, "cache")
        from di_bench.pipeline import Pipeline  # its libraries read what was just settled

        ready = [run for run in work.runs if work.answered(run)]
        pipeline = Pipeline(work.store)
        for each in ready:
            pipeline.grade(each)
            typer.echo(f"graded {each.name}")
        rest = "; the cache has nothing of the rest" if len(ready) < len(work.runs) else ""
        typer.echo(f"{len(ready)} of {len(work.runs)} cells graded{rest}")


@app.command(name="list")
def list_(what: Annotated[Listing, typer.Argument(help="What to list.")]) -> None:
    """List packaged methods, metrics, composites, suites, or built-in models."""
    from di_bench import listing

    with plain_errors():
        typer.echo(getattr(listing, what.value)())


@app.command()
def fetch(
    suite: SuiteArg,
    methods: MethodsArg = None,
    profile: Profile = "default",
    model: Models = None,
    set_: Changes = None,
    *,
    to: Annotated[Path, typer.Option(help="The folder to fill; --cache on the other machine.")],
) -> None:
    """Collect what a suite needs from elsewhere, for a machine without network.

    Models, data sets, and the local files that the suite and the methods name. A fetch that was
    killed goes on. The last line is the command to run there.
    """
    from di_bench.fetch import fetch as collect
    from di_bench.runner import quiet

    quiet()
    with plain_errors():
        choice = Choice(suite, profile, model or (), (), set_ or ())
        typer.echo(collect(choice, methods or (), to, typer.echo))


@app.command()
def doctor(cache: Cache = None) -> None:
    """Say what this machine has: versions, device, folders, and whether a hub may be asked."""
    from di_bench import listing

    with plain_errors():
        typer.echo(listing.doctor(cache or cache_folder()))


def _work(
    suite: str,
    methods: list[str] | None,
    profile: str,
    models: list[str] | None,
    seeds: list[int] | None,
    changes: list[str] | None,
    results: Path,
    cache: Path | None,
    reach: Reach,
) -> Work:
    choice = Choice(suite, profile, models or (), seeds or (), changes or ())
    return Work.lay_out(choice, methods or (), Store(results, cache or cache_folder()), reach)
