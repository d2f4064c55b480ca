"""A record: what is kept of a run, for ever and under version control."""

from collections.abc import Sequence
from typing import Any, Literal

from di_bench.size import SIZES
from di_bench.spec import Spec


class Record(Spec):
    """What is kept of a run, for ever and under version control. It holds no text and no path."""

    format: int = 1
    suite: str
    profile: str
    title: str
    corpus: dict[str, str]
    """`name`, and `forget`, `retain`, each request, `asked`: digests of content."""
    model: dict[str, Any]
    parameters: int | None = None
    """How many weights the model has, tied ones once; none where nobody counted them."""
    method: str
    axis: str = ""
    """The part of its suite's axis that it is of: `size=05`, `request=2`."""
    variant: str = ""
    """What --set changed in it, as `+setting=value`."""
    trials: int = 0
    """How many trials its settings came from; 0 where tuning gave none of them."""
    seed: int
    grow_seed: int
    status: Literal["done", "diverged", "failed"]
    error: str | None = None
    settings: dict[str, Any]
    peft: dict[str, Any] | None = None
    keys: dict[str, str]
    """`weights` and `scores`."""
    setup: str
    """A digest of how models are grown and asked; cells of different setups do not compare."""
    formulas: dict[str, str]
    better: dict[str, Literal["lower", "higher", "gold"]]
    scores: dict[str, float | None]
    parts: dict[str, dict[str, float]] = {}
    gaps: dict[str, str] = {}
    """Why a score is missing."""
    curve: list[float] = []
    """Mean loss of each epoch."""
    cost: dict[str, float] = {}
    environment: dict[str, str] = {}

    @property
    def row(self) -> str:
        """The method as a board names it."""
        return f"{self.method}{self.variant}"

    @property
    def weights(self) -> int | None:
        """How many weights its model has; records older than the count know built-in sizes."""
        size = SIZES.get(str(self.model.get("id")))
        return self.parameters or (size.parameters if size else None)

    @property
    def cell(self) -> str:
        """The method on its part of the axis, as names of files have it."""
        return f"{self.method}{'+' if self.axis else ''}{self.axis}{self.variant}"

    @property
    def name(self) -> str:
        """Where it lies below its profile: `<model>/<method>[+axis=value]-<seed>`."""
        return f"{self.model['name']}/{self.cell}-{self.seed}"


def unlike(records: Sequence[Record]) -> list[str]:
    """What keeps scores from being compared, whatever their formulas; nothing where all agree."""
    found = []
    for name, tables in (
        ("corpus", [record.corpus for record in records]),
        ("model", [record.model for record in records]),
    ):
        names = {key for table in tables for key in table}
        differ = [k for k in names if any(of.get(k) != tables[0].get(k) for of in tables)]
        found += [f"another {name} ({', '.join(sorted(differ))})"] if differ else []
    if len({record.setup for record in records}) > 1:
        found.append("another setup (how models are grown or asked)")
    return found
