"""The verb `check` of the command line: its options, and which parts it calls."""

from pathlib import Path
from typing import Annotated

import typer

from di_bench.options import GateFormat, plain_errors


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
