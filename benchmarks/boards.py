"""What a large board costs: thousands of records made from committed ones, with their items.

    python -m benchmarks.boards [--records 10000] [--of methods/default] [--format md]

Every copy is of another model, so all methods compete in each. Files are written and read warm.
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import count
from pathlib import Path

ROOT = Path(__file__).parents[1]
CLI = [sys.executable, "-c", "from di_bench.cli import app; app()"]


def fill(results: Path, source: Path, records: int) -> int:
    """Copies of a profile's records below another results folder; how many there are."""
    made = 0
    for copy in count():
        for path in sorted(source.glob("*/*.json")):
            if made == records:
                return made
            record = json.loads(path.read_text(encoding="utf-8"))
            record["model"]["name"] = name = f"{record['model']['name']}-{copy:04}"
            folder = results / source.parent.name / source.name / name
            folder.mkdir(parents=True, exist_ok=True)
            (folder / path.name).write_text(json.dumps(record, indent=2), encoding="utf-8")
            shutil.copy(path.with_suffix(".parquet"), folder)
            made += 1
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description="What a large board costs.")
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--of", default="methods/default", help="a committed suite and profile")
    parser.add_argument("--format", default="md")
    asked = parser.parse_args()
    suite, profile = asked.of.split("/")
    with tempfile.TemporaryDirectory() as folder:
        made = fill(Path(folder), ROOT / "results" / suite / profile, asked.records)
        board = ["board", suite, "--profile", profile, "--results", folder]
        began = time.perf_counter()
        command = [*CLI, *board, "--format", asked.format, "--out", f"{folder}/board"]
        subprocess.run(command, cwd=ROOT, check=True)
        wall = time.perf_counter() - began
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        size = (Path(folder) / "board").stat().st_size
    print(
        f"{made} records of {asked.of} as {asked.format}: {wall:.1f} s "
        f"({used.ru_utime + used.ru_stime:.1f} s of processors), "
        f"{used.ru_maxrss / 1e6:.2f} GB, {size / 1e6:.1f} MB written"
    )


if __name__ == "__main__":
    main()
