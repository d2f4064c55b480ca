"""The command line: verbs and their output, no logic."""

import logging
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from di_bench import manifest
from di_bench.boarding import board
from di_bench.comparing import compare
from di_bench.errors import plain
from di_bench.hub import Reach
from di_bench.options import (
    RESULTS,
    Cache,
    Changes,
    GateFormat,
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

new = typer.Typer(help="Write a file to start from.", no_args_is_help=True)
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


@app.command()
def check(
    candidate: Annotated[Path, typer.Argument(help="A folder of records, or one record.")],
    against: Annotated[Path, typer.Option(help="The records to compare with.")],
    gate: Annotated[
        Path | None,
        typer.Option(help="A gate.yaml: tolerances, what to leave out, absolute claims."),
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="How far a column may move, significant or not: absolute up to 1, relative above. "
            "The gate file's, else 0.05.",
        ),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(help="Only this method's rows; may be repeated."),
    ] = None,
    leave_out: Annotated[
        list[str] | None, typer.Option(help="Not this method's rows; may be repeated.")
    ] = None,
    seed: Annotated[
        list[int] | None, typer.Option(help="Only this seed, on both sides; may be repeated.")
    ] = None,
    form: Annotated[
        GateFormat, typer.Option("--format", help="How to say it; github also fills the summary.")
    ] = GateFormat.text,
    out: Annotated[
        Path | None, typer.Option(help="Write it to this file; the terminal shows text.")
    ] = None,
) -> None:
    """The regression gate: exit 0 if nothing is worse, 1 if something is, 2 if not comparable.

    Worse is beyond the tolerance and significant, adjusted for all comparisons of the check.
    """
    from di_bench import notice, side
    from di_bench.draft import whole
    from di_bench.finding import exit_code
    from di_bench.gate import check as compared
    from di_bench.gatefile import check_names, read_gate

    with plain_errors():
        asked = read_gate(gate, tolerance, method or (), leave_out or ())
        sides = side.load(candidate, seed or ()), side.load(against, seed or ())
        check_names(asked, gate, sides)
        findings = compared(*sides, asked)
        if form is GateFormat.github:
            notice.summarise(findings, asked)
        if out is not None:
            with whole(out) as draft:
                draft.write_text(notice.write(findings, asked, form.value), encoding="utf-8")
        shown = GateFormat.text if out is not None else form
        typer.echo(notice.write(findings, asked, shown.value), nl=False)
        if code := exit_code(findings):
            raise typer.Exit(code)


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
