"""The rows of a data file, by its ending, with file and line in every complaint.

JSON Lines, CSV and Parquet are read row by row; text and a JSON array are read whole.
"""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from di_bench.errors import CorpusError

_BOM = b"\xef\xbb\xbf"
_OTHERS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"PK\x03\x04": "a ZIP archive"}
"""How files begin that are not the text they are taken for."""
LONGEST = 2**31 - 1
"""Characters in a CSV's field; Python's own limit is shorter than many a document."""


def file_text(path: Path) -> str:
    """The text of a file, as UTF-8. Raises CorpusError when it cannot be read as that."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise unreadable(path, error) from error
    except UnicodeDecodeError as error:
        raise _not_utf8(path) from error


def file_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    """The rows of a file, by its ending. `.json` may hold one array or one object on each line."""
    match path.suffix:
        case ".json" | ".jsonl":
            if is_lines(path):
                yield from (row for _, _, row in json_lines(path))
            else:
                yield from _array(path)
        case ".csv":
            yield from _csv(path)
        case ".parquet":
            yield from _parquet(path)
        case ".txt":
            yield from ({"answer": part} for part in file_text(path).split("\n\n") if part.strip())
        case other:
            raise CorpusError(
                f"{path}: {other or 'no ending'} is not json, jsonl, csv, parquet or txt"
            )


def opened(path: Path, buffering: int = -1) -> IO[bytes]:
    """A file to read bytes from. Raises CorpusError when there is none."""
    try:
        return path.open("rb", buffering)
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: OSError) -> CorpusError:
    """The complaint about a file that the system does not give."""
    return CorpusError(f"{path}: cannot be read: {error.strerror or error}")


def is_lines(path: Path) -> bool:
    """Whether a JSON file has one object on each line, and not one array."""
    if path.suffix not in (".json", ".jsonl"):
        return False
    with opened(path) as file:
        for line in file:
            if first := line.removeprefix(_BOM).strip()[:1]:
                return first != b"["
    return True


def json_lines(path: Path) -> Iterator[tuple[int, bytes, Any]]:
    """Of each line that is not blank: the byte it starts at, its bytes, and the row it holds."""
    start = 0
    with opened(path) as file:
        for number, line in enumerate(file, 1):
            raw = line.removeprefix(_BOM) if number == 1 else line
            start += len(line) - len(raw)
            if raw.strip():
                yield start, raw, json_row(raw, path, number)
            start += len(raw)


def json_row(raw: bytes, path: Path, number: int) -> Any:  # noqa: ANN401 - JSON
    """The row on a line. Raises CorpusError with the line's number."""
    try:
        return json.loads(raw.decode())
    except UnicodeDecodeError as error:
        raise _not_utf8(path) from error
    except json.JSONDecodeError as error:
        raise CorpusError(f"{path}:{number}: not valid JSON: {error.msg}") from error


def _array(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        yield from json.loads(file_text(path))
    except json.JSONDecodeError as error:
        raise CorpusError(f"{path}:{error.lineno}: not valid JSON: {error.msg}") from error


def _csv(path: Path) -> Iterator[Mapping[str, Any]]:
    """Every value is text: a guess at types would make numbers of answers."""
    csv.field_size_limit(LONGEST)
    try:
        with path.open(encoding="utf-8-sig") as file:
            lines = csv.reader(file)
            header = next(lines, [])
            if twice := [name for name in header if name and header.count(name) > 1]:
                raise CorpusError(f"{path}:1: column {twice[0]!r} is there twice; rename one")
            rows = (values for values in lines if values)
            for number, values in enumerate(rows, 1):
                yield _named(header, values, f"{path}:{lines.line_num}: row {number}")
    except OSError as error:
        raise unreadable(path, error) from error
    except UnicodeDecodeError as error:
        raise _not_utf8(path) from error
    except csv.Error as error:
        raise CorpusError(f"{path}:{lines.line_num}: not valid CSV: {error}") from error


def _named(header: Sequence[str], values: Sequence[str], where: str) -> Mapping[str, Any]:
    """A CSV's row by its columns. Raises CorpusError when it has fewer or more."""
    if len(values) != len(header):
        raise CorpusError(
            f"{where} has {len(values)} fields and the header {len(header)}; put a text that "
            'holds a comma or a line break in double quotes, and write "" for a quote in it'
        )
    return dict(zip(header, values, strict=True))


def _parquet(path: Path) -> Iterator[Mapping[str, Any]]:
    from pyarrow import ArrowException, parquet

    read = 0
    try:
        with parquet.ParquetFile(path, buffer_size=1 << 20) as file:
            for batch in file.iter_batches(batch_size=256):
                yield from batch.to_pylist()
                read += batch.num_rows
    except UnicodeDecodeError as error:
        said = f"{path}: a text in rows {read + 1} to {read + batch.num_rows} is not UTF-8"
        raise CorpusError(f"{said}; write the file again from decoded text") from error
    except (OSError, ArrowException) as error:
        raise CorpusError(f"{path}: cannot be read as Parquet: {error}") from error


def _not_utf8(path: Path) -> CorpusError:
    """The complaint about a file that is not UTF-8, with the first line and byte that are not."""
    start = 0
    with opened(path) as file:
        for number, line in enumerate(file, 1):
            other = next((name for begin, name in _OTHERS.items() if line.startswith(begin)), "")
            if number == 1 and other:
                return CorpusError(f"{path}: is {other}; save the file as UTF-8 text")
            try:
                line.decode()
            except UnicodeDecodeError as error:
                place, byte = start + error.start, line[error.start]
                return CorpusError(
                    f"{path}:{number}: byte {place} (0x{byte:02x}) is not UTF-8; save the whole "
                    "file as UTF-8, its other lines may be"
                )
            start += len(line)
    return CorpusError(f"{path}: changed while it was read; start again")
