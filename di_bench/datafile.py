"""The rows of a data file, by its ending, with file and line in every complaint."""

import csv
import json
from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from di_bench.errors import CorpusError


def file_text(path: Path) -> str:
    """The text of a file, as UTF-8. Raises CorpusError when it cannot be read as that."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8"
        ) from error


def file_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    """The rows of a file, by its ending. `.json` may hold one array or one object on each line."""
    match path.suffix:
        case ".json" | ".jsonl":
            yield from _json(path)
        case ".csv":  # every value is text: a guess at types would make numbers of answers
            yield from csv.DictReader(StringIO(file_text(path)))
        case ".parquet":
            yield from _parquet(path)
        case ".txt":
            yield from ({"answer": part} for part in file_text(path).split("\n\n") if part.strip())
        case other:
            raise CorpusError(
                f"{path}: {other or 'no ending'} is not json, jsonl, csv, parquet or txt"
            )


def _json(path: Path) -> Iterator[Mapping[str, Any]]:
    text = file_text(path)
    if text.lstrip().startswith("["):
        try:
            rows = json.loads(text)
        except json.JSONDecodeError as error:
            raise CorpusError(f"{path}:{error.lineno}: not valid JSON: {error.msg}") from error
        yield from rows
        return
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            yield json.loads(line)
        except json.JSONDecodeError as error:
            raise CorpusError(f"{path}:{number}: not valid JSON: {error.msg}") from error


def _parquet(path: Path) -> Iterator[Mapping[str, Any]]:
    from pyarrow import ArrowException, parquet

    try:
        table = parquet.read_table(path)
    except (OSError, ArrowException) as error:
        raise CorpusError(f"{path}: cannot be read as Parquet: {error}") from error
    for batch in table.to_batches():
        yield from batch.to_pylist()
