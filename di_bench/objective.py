"""What tuning looks for: one column as low or as high as it gets, while others keep their share.

It stands in the suite as `tune`, and a normal run never reads it, so it is part of no key.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from di_bench.spec import Spec

Values = Mapping[str, float | None]
"""Column to the mean over the tuning seeds; None where some seed has no score."""


class Objective(Spec):
    """One column to move, columns to keep, and the items to do it on."""

    lower: str | None = None
    higher: str | None = None
    """Exactly one of the two names the column to move."""
    keep: dict[str, Annotated[float, Field(gt=0, le=1)]] = {}
    """Column to the share of `none`'s value that must be left. Where lower is better, the value
    may be at most 1/share of it."""
    suite: dict[str, Any] = {}
    """Laid over the suite meanwhile, as a profile is: other items than the board's."""

    @model_validator(mode="after")
    def _one_goal(self) -> Self:
        if (self.lower is None) == (self.higher is None):
            raise ValueError("name one column: either `lower: COLUMN` or `higher: COLUMN`")
        return self

    @property
    def goal(self) -> str:
        """The column to move."""
        return self.lower or self.higher or ""

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column it reads, the goal first."""
        return tuple(dict.fromkeys((self.goal, *self.keep)))

    def violation(self, values: Values, none: Values, better: Mapping[str, str]) -> float | None:
        """By what share the kept columns miss their bounds, summed; 0 when all are kept.

        None where a value that it needs is missing.
        """
        if any(values.get(column) is None for column in self.columns):
            return None
        missed = 0.0
        for column, share in self.keep.items():
            value, start = values[column] or 0.0, none[column] or 0.0
            lower = better[column] == "lower"
            bound = start / share if lower else start * share
            short = value - bound if lower else bound - value
            missed += max(0.0, short) / (abs(bound) or 1.0)
        return missed

    def rank(self, values: Values) -> float:
        """The goal's value, turned so that less is better."""
        value = values[self.goal] or 0.0
        return value if self.lower else -value
