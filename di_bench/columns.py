"""What the columns of a user's file are: questions and answers, prompts and the rest, or documents.

Names decide, and only names that mean one thing; where two could, the user says which.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from di_bench.corpus import Kind
from di_bench.datafile import file_rows
from di_bench.errors import CorpusError
from di_bench.rows import fields_of, has

PROMPTS = ("question", "prompt", "instruction", "input")
ANSWERS = ("answer", "completion", "response", "output")
DOCUMENTS = ("text", "document", "content")
ALSO = {"paraphrase": "paraphrased_answer", "perturbed": "perturbed_answer", "choices": "choices"}
"""Fields that are used where they are there, under TOFU's names."""


@dataclass(frozen=True)
class Columns:
    """A file, what its rows are, and which column is which field of an item."""

    path: Path
    kind: Kind
    fields: Mapping[str, str]

    def rows(self) -> Iterator[tuple[int, str, str]]:
        """Number (from 1), prompt and answer of each row that becomes an item.

        Raises CorpusError with file and row for one that cannot be read.
        """
        for number, row in enumerate(file_rows(self.path), 1):
            prompt, answer = (self._text(row, field, number) for field in ("prompt", "answer"))
            if prompt.strip() or answer.strip():
                yield number, prompt, answer

    def texts(self) -> Iterator[tuple[int, str]]:
        """Number and whole text of each row."""
        return ((number, f"{prompt}\n{answer}") for number, prompt, answer in self.rows())

    def _text(self, row: object, field: str, number: int) -> str:
        where = f"{self.path}: row {number}"
        named = fields_of(row, where)
        if (column := self.fields.get(field)) is None:
            return ""
        if (value := named.get(column)) is None:
            raise CorpusError(f"{where}: no field {column!r} ({has(named)}); add it to the row")
        if not isinstance(value, str):
            raise CorpusError(
                f"{where}: {column}: expected text, found {type(value).__name__}; write it as text"
            )
        return value


def recognised(path: Path, given: dict[str, str]) -> Columns:
    """What a file holds: as `given` maps fields to columns, where it has them, else by names.

    Raises CorpusError for a file that cannot be read, is empty, or is not recognised.
    """
    if (first := next(iter(file_rows(path)), None)) is None:
        raise CorpusError(f"{path}: is empty; give a file with rows")
    row = fields_of(first, f"{path}: row 1")
    names = [str(name) for name in row]
    if given and set(given.values()) <= set(names):
        asked = "prompt" in given
        return Columns(path, "qa" if asked else "document", (_others(row) if asked else {}) | given)
    if path.suffix == ".txt":
        return Columns(path, "document", {"answer": "answer"})
    kind, fields = _by_name(path, names)
    if kind != "document":
        fields |= _others(row)
    return Columns(path, kind, fields)


def _by_name(path: Path, names: Sequence[str]) -> tuple[Kind, dict[str, str]]:
    known = {name.strip().casefold(): name for name in names}
    prompts, answers, documents = (
        [name for name in some if name in known] for some in (PROMPTS, ANSWERS, DOCUMENTS)
    )
    if len(prompts) == len(answers) == 1 and not documents:
        pair = {"prompt": known[prompts[0]], "answer": known[answers[0]]}
        going_on = (prompts[0], answers[0]) == ("prompt", "completion")
        return ("completion" if going_on else "qa"), pair
    if len(documents) == 1 and not prompts and not answers:
        return "document", {"answer": known[documents[0]]}
    several = [*prompts, *answers, *documents]
    why = f"{' and '.join(several)} could mean several things" if several else "none is known"
    raise CorpusError(
        f"{path}: columns {', '.join(map(repr, names)) or 'none'}: {why}; say which is which: "
        "--field answer=COLUMN --field prompt=COLUMN (documents: answer alone)"
    )


def _others(row: Mapping[str, Any]) -> dict[str, str]:
    """Further answers: text or lists of text."""
    found = {}
    for field, column in ALSO.items():
        value = row.get(column)
        many = value if isinstance(value, list) and field != "paraphrase" else [value]
        if many and all(isinstance(one, str) for one in many):
            found[field] = column
    return found


def mapping(assignments: Sequence[str]) -> dict[str, str]:
    """`answer=COLUMN` from the command line. Raises CorpusError when it is not that."""
    fields: dict[str, str] = {}
    for text in assignments:
        field, equals, column = text.partition("=")
        if field not in ("prompt", "answer", *ALSO, "group") or not equals or not column:
            raise CorpusError(
                f"--field {text}: write it as answer=COLUMN; the fields are prompt, answer, "
                f"{', '.join(ALSO)} and group"
            )
        fields[field] = column
    if fields and "answer" not in fields:
        raise CorpusError("--field: say also which column is the answer: --field answer=COLUMN")
    return fields
