"""A row of a data file or data set becomes an item: which rows, and which columns of them."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Self

from pydantic import PositiveInt, model_validator

from di_bench.corpus import Item, Kind
from di_bench.errors import CorpusError
from di_bench.spec import PlaceError, Spec

TOFU_FIELDS: Mapping[str, str] = {
    "prompt": "question",
    "answer": "answer",
    "paraphrase": "paraphrased_answer",
    "perturbed": "perturbed_answer",
}
_OPTIONAL = ("paraphrase", "perturbed")
_LISTS = {"perturbed": str, "choices": str, "ids": int}
"""The fields of an item that are lists, and of what."""

Row = Mapping[str, Any]


class Columns(Spec):
    """How rows are read."""

    kind: Kind = "qa"
    fields: dict[str, str] = dict(TOFU_FIELDS)
    """Item field to column. A document needs only `answer`. `group` may be a column too. A choice
    needs no `answer`: it is the one of its `choices` that `correct` says, 0 the first."""
    where: dict[str, str] = {}
    """Column to a pattern that the whole of its value must match. Other rows are left out, before
    any are skipped or counted; several patterns must all hold, and no value matches none."""
    group_pattern: str | None = None
    """Where in the value of `group` the group's name is: a pattern with one `(...)`."""
    group_size: PositiveInt | None = None
    """So many rows in turn belong together (TOFU: 20 an author). Else each stands alone."""

    @model_validator(mode="after")
    def _make_items(self) -> Self:
        named = self.fields.keys()
        if unknown := named - Item.__dataclass_fields__.keys():
            raise ValueError(f"an item has no field {sorted(unknown)[0]!r}")
        if not named & {"answer", "ids"} and not {"choices", "correct"} <= named:
            said = "name the column of `answer`, of `ids`, or of `choices` and `correct`"
            raise PlaceError(("fields",), said)
        for column, pattern in self.where.items():
            _compiled(("where", column), pattern)
        if self.group_pattern is None:
            return self
        if _compiled(("group_pattern",), self.group_pattern).groups != 1:
            raise PlaceError(("group_pattern",), "needs one `(...)`, around the group's name")
        if "group" not in self.fields:
            raise PlaceError(("group_pattern",), "needs a column for `group` in `fields`")
        return self

    def chosen(self, rows: Iterable[Any], where: str) -> Iterator[tuple[int, Any]]:
        """The rows that `where` keeps, with their numbers. Raises CorpusError when it keeps none.

        `where` also says what the rows are of, in complaints.
        """
        number = kept = 0
        for number, row in enumerate(rows, 1):
            if self.takes(row, f"{where}: row {number}"):
                kept += 1
                yield number, row
        if number and not kept:
            said = ", ".join(f"{column}: {pattern}" for column, pattern in self.where.items())
            raise CorpusError(
                f"{where}: `where: {{{said}}}` keeps none of {number} rows; a pattern must match "
                "the whole value (.* stands for anything)"
            )

    def takes(self, row: object, where: str) -> bool:
        """Whether `where` keeps a row. Raises CorpusError when a column is not there."""
        if not self.where:
            return True
        named = fields_of(row, where)
        for column, pattern in self.where.items():
            if column not in named:
                raise CorpusError(
                    f"{where}: no column {column!r} to choose by ({has(named)}); mend `where`"
                )
            value = named[column]
            if value is None or not re.fullmatch(pattern, str(value), re.DOTALL):
                return False
        return True

    def item(self, row: object, number: int, stem: str, where: str) -> Item:
        """The item of a row. Raises CorpusError with row, column and mend."""
        named = fields_of(row, where)
        name = f"{stem}/{number}"
        group = f"{stem}/{(number - 1) // self.group_size + 1}" if self.group_size else name
        given: dict[str, Any] = {"id": name, "group": group, "kind": self.kind, "prompt": ""}
        for field, column in self.fields.items():
            if column in named and named[column] is not None:
                given[field] = _value(field, named[column], f"{where}: {column}")
            elif field not in _OPTIONAL and not (field == "prompt" and self.kind == "document"):
                raise CorpusError(
                    f"{where}: no field {column!r} ({has(named)}); "
                    f"add it or map it: corpus.splits.<split>.fields.{field}"
                )
        if self.group_pattern is not None:
            given["group"] = _group(self.group_pattern, given["group"], where)
        if "answer" not in given:
            given["answer"] = _right(given, where)
        item = Item(**given)
        return replace(item, prompt="") if item.kind == "document" else item


def blank(item: Item) -> bool:
    """Whether it is a document of nothing, as WikiText has them: no item."""
    return item.kind == "document" and not item.answer.strip() and not item.ids


def _compiled(place: tuple[str, ...], pattern: str) -> "re.Pattern[str]":
    try:
        return re.compile(pattern)
    except re.error as error:
        raise PlaceError(place, f"{pattern!r} is no pattern: {error}") from error


def fields_of(row: object, where: str) -> Row:
    """A row with named fields. Raises CorpusError for any other."""
    if not isinstance(row, Mapping):
        raise CorpusError(f"{where}: a row must be an object with named fields")
    return row


def has(row: Row) -> str:
    """What there is, for a complaint."""
    return f"it has {', '.join(map(repr, row)) or 'none'}"


def _group(pattern: str, value: str, where: str) -> str:
    found = re.search(pattern, value)
    if found is None or not found[1]:
        raise CorpusError(f"{where}: group {value!r:.60} holds no {pattern!r}; mend group_pattern")
    return found[1]


def _right(given: Mapping[str, Any], where: str) -> str:
    """The answer that `correct` says, or none where there are ready ids."""
    if "choices" not in given:
        return ""
    choices, correct = given["choices"], given.get("correct", -1)
    if not 0 <= correct < len(choices):
        raise CorpusError(
            f"{where}: correct is {correct} of {len(choices)} choices; it counts from 0"
        )
    answer: str = choices[correct]
    return answer


def _value(field: str, value: object, where: str) -> object:
    kind = _LISTS.get(field, int if field == "correct" else str)
    if field in _LISTS:
        many = [value] if isinstance(value, str) else value
        if not isinstance(many, list) or not all(isinstance(one, kind) for one in many):
            raise CorpusError(f"{where}: expected a list of {kind.__name__}, found {value!r:.40}")
        if field == "ids" and any(one < 0 for one in many):
            raise CorpusError(f"{where}: token id {min(many)} is negative; cut padding off")
        return tuple(many)
    if field in ("id", "group"):
        return str(value)
    if field == "correct" and isinstance(value, str) and value.isdecimal():  # from a CSV
        return int(value)
    if not isinstance(value, kind):
        raise CorpusError(f"{where}: expected {kind.__name__}, found {type(value).__name__}")
    if isinstance(value, str) and not value.isascii():
        _whole(value, where)
    return value


def _whole(text: str, where: str) -> None:
    """Refuse half a character, which JSON can spell and no file can hold."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half = f"\\u{ord(text[error.start]):04x}"
        raise CorpusError(f"{where}: holds {half}, half a character; write it whole") from error
