"""Records as files: a JSON for each run, and beside it a Parquet of what its items scored."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from di_bench.draft import whole
from di_bench.errors import StoreError, nearest
from di_bench.metrics.metric import ItemScore
from di_bench.record import Record


def write_record(path: Path, record: Record, items: Mapping[str, Sequence[ItemScore]]) -> None:
    """File a record and its per-item scores: the scores first, so a record is never alone."""
    from pyarrow import parquet, table

    rows = [(column, s.item, s.group, s.value) for column, all_ in items.items() for s in all_]
    names = ("metric", "item", "group", "value")
    columns = dict(zip(names, zip(*rows, strict=True) if rows else ((), (), (), ()), strict=True))
    with whole(path.with_suffix(".parquet")) as draft:
        parquet.write_table(
            table({k: list(v) for k, v in columns.items()}), draft, compression="zstd"
        )
    with whole(path) as draft:
        draft.write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")


def read_record(path: Path) -> Record:
    """A record. Raises StoreError when the file is not there, or is not one."""
    try:
        return Record.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        around = [file.stem for file in path.parent.glob("*.json")]
        hint = (
            nearest(path.stem, around) if around else "name one as tofu/default/builtin--nano/di-0"
        )
        raise StoreError(f"{path}: no such record; {hint}") from error
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise StoreError(
            f"{path}: not a record that this version can read; delete it and run again"
        ) from error


def record_path(results: Path, name: str) -> Path:
    """Where a record is that the command line names: by its path, or as its run is called."""
    return Path(name) if Path(name).suffix == ".json" else results / f"{name}.json"


def records_in(folder: Path, spared: Collection[Path] = ()) -> list[Record]:
    """All records below a folder, in a fixed order. Unreadable ones raise unless `spared`."""
    found = []
    for path in record_paths(folder):
        try:
            found.append(read_record(path))
        except StoreError:
            if path not in spared:
                raise
    return found


def record_paths(folder: Path) -> list[Path]:
    """Where the records below a folder are, in a fixed order."""
    return sorted(folder.glob("*/*.json"))


def read_items(path: Path) -> list[tuple[str, str, str, float]]:
    """(metric, item, group, value) of every per-item score of a run.

    Raises StoreError when the file is not there, is damaged, or holds something else.
    """
    from pyarrow import ArrowException, parquet

    try:
        found = parquet.read_table(path).to_pydict()
        columns = (found[name] for name in ("metric", "item", "group"))
        return list(zip(*columns, map(float, found["value"]), strict=True))
    except FileNotFoundError as error:
        raise StoreError(f"{path}: not there; run again, which makes it anew") from error
    except (OSError, ArrowException, KeyError, TypeError, ValueError) as error:
        raise StoreError(
            f"{path}: cannot be read ({type(error).__name__}); delete it and run again"
        ) from error
