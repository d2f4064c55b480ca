"""One run as `di-bench show` prints it: its record, the score of every item, its training curve."""

import json
from collections.abc import Iterator
from pathlib import Path

from di_bench.curve import carries, curve
from di_bench.errors import plain
from di_bench.record import Record
from di_bench.recordfile import read_items


def told(record: Record) -> str:
    """The record as JSON, without what has its default."""
    return json.dumps(record.model_dump(mode="json", exclude_defaults=True), indent=2)


def items(path: Path) -> Iterator[str]:
    """Metric, item, group and value of every per-item score, tabs between them."""
    for metric, item, group, value in read_items(path.with_suffix(".parquet")):
        yield "\t".join(map(plain, (metric, item, group))) + f"\t{value:.6g}"


def drawn(record: Record, encoding: str | None) -> list[str]:
    """The curve of its training under a line that says what it is; ASCII where it must be.

    A method that trains several times has all of its epochs in one curve, in turn.
    """
    title = f"mean loss of each epoch, {record.cell}, seed {record.seed}"
    if not record.curve:
        return [plain(f"no curve: nothing was trained in {record.cell}, seed {record.seed}")]
    return [plain(title), *curve(record.curve, braille=carries(encoding))]
