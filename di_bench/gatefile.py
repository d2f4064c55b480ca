"""gate.yaml: what the gate tolerates, what it leaves out, and what it claims of the candidate.

Everything may be left out. Names of columns and rows are checked against the records, once they are
read: a claim on a misspelt column would otherwise never be judged.
"""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from di_bench.claims import Claim, claim
from di_bench.errors import GateError, nearest
from di_bench.method import NONE, RETRAIN
from di_bench.side import Row, Side
from di_bench.spec import Place, PlaceError, Spec, Tree, line_of, parse, read_yaml

ALL = "*"
"""In `require`: every row but `none` and `retrain`."""
TOLERANCE = 0.05


class Rule(Spec):
    """What is different for one column."""

    tolerance: float | None = Field(default=None, ge=0)
    """`.inf` leaves the column out."""


class Gate(Spec):
    """What makes the gate fail."""

    tolerance: float = Field(default=TOLERANCE, ge=0)
    """How far a column may move: absolute up to 1, relative above."""
    alpha: float = Field(default=0.05, gt=0, lt=1)
    """How often the whole check may call something worse that is not."""
    columns: dict[str, Rule] = {}
    methods: tuple[str, ...] = ()
    """Only their rows; all when there are none."""
    leave_out: tuple[str, ...] = ()
    """Not their rows: neither compared nor claimed of."""
    require: dict[str, tuple[str, ...]] = {}
    """Claims by row, as a board names it, by method, or `*`."""

    @model_validator(mode="after")
    def _claims_are_claims(self) -> Self:
        for name, texts in self.require.items():
            for number, text in enumerate(texts):
                try:
                    claim(text)
                except ValueError as error:
                    raise PlaceError(("require", name, number), str(error)) from error
        return self

    def room(self, column: str, size: float) -> float:
        """How far a column may move that is about so large."""
        own = self.columns.get(column, Rule()).tolerance
        return (self.tolerance if own is None else own) * max(1.0, abs(size))

    def judges(self, row: Row) -> bool:
        """Whether a row is looked at."""
        names = row.names
        return not names & set(self.leave_out) and (
            not self.methods or bool(names & {*self.methods})
        )

    def claims(self, row: Row) -> list[Claim]:
        """What is claimed of a row."""
        every = [] if row.first.method in (NONE, RETRAIN) else [ALL]
        names = [name for name in self.require if name in row.names or name in every]
        return [claim(text) for name in names for text in self.require[name]]


def read_gate(
    path: Path | None,
    tolerance: float | None = None,
    methods: Sequence[str] = (),
    leave_out: Sequence[str] = (),
) -> Gate:
    """A gate file, if there is one, under what the command line says.

    Raises GateError with file, line and mend.
    """
    if tolerance is not None and not tolerance >= 0:
        raise GateError(f"--tolerance {tolerance:g}: must be a number from 0 up")
    tree: Tree = read_yaml(path, GateError) if path else {}
    gate = parse(Gate, tree, path, GateError) if path else Gate()
    said: Tree = {} if tolerance is None else {"tolerance": tolerance}
    if methods:
        said["methods"] = tuple(methods)
    return gate.model_copy(update=said | {"leave_out": (*gate.leave_out, *leave_out)})


def check_names(gate: Gate, path: Path | None, sides: Sequence[Side]) -> None:
    """Raise GateError for a column or a row that no record of either side has."""
    columns = {column for side in sides for column in side.columns}
    names = {name for side in sides for name in side.names}
    for place, name, kind in _named(gate):
        known: Collection[str] = columns if kind == "column" else names
        if name not in known:
            line = line_of(path, place) if path else None
            spot = f"{path}:{line}: {'.'.join(map(str, place))}"
            if line is None:  # the command line's
                spot = "--method" if place[0] == "methods" else "--leave-out"
            raise GateError(f"{spot}: no record has a {kind} {name!r}; {nearest(name, known)}")


def _named(gate: Gate) -> Iterator[tuple[Place, str, str]]:
    """Where, what, and of which kind the names are that a gate holds."""
    for column in gate.columns:
        yield ("columns", column), column, "column"
    for key in ("methods", "leave_out"):
        for number, name in enumerate(getattr(gate, key)):
            yield (key, number), name, "row"
    for row, texts in gate.require.items():
        if row != ALL:
            yield ("require", row), row, "row"
        for number, text in enumerate(texts):
            made = claim(text)
            yield ("require", row, number), made.column, "column"
            if made.of:
                yield ("require", row, number), made.of, "row"
