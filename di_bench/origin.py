"""From a record back to the run that makes it: which suite, which changes, which cell.

A record keeps no path and no suite, so both are found again, and its weights key says whether they
are the same.
"""

from collections.abc import Sequence

from di_bench import methodfile, suite
from di_bench.errors import MethodError, StoreError, SuiteError
from di_bench.hub import Reach
from di_bench.methodfile import MethodFile
from di_bench.record import Record
from di_bench.run import Run
from di_bench.store import Store
from di_bench.work import Choice, Work

CHANGED = "its method, suite, data, libraries or device changed since"
"""What is wrong where a key is another one today."""


def choice(
    record: Record, name: str | None, models: Sequence[str], changes: Sequence[str]
) -> Choice:
    """The suite (a file by `name`, else the packaged one) and the changes that made a record.

    Raises SuiteError when the record's suite is not a packaged one.
    """
    if name is None and not (suite.PACKAGED / f"{record.suite}.yaml").exists():
        raise SuiteError(f"{record.suite!r} is not a packaged suite; name its file: --suite FILE")
    own = record.model["id"]
    given = models or any(change.startswith("models") for change in changes)
    if not given and own != record.model["name"]:  # of a folder a record keeps no path
        models = (own,)
    return Choice(name or record.suite, record.profile, models, (record.seed,), changes)


def run(record: Record, asked: Choice, store: Store) -> Run:
    """The run that makes a record today. Raises StoreError when there is none."""
    found = cell(record, asked, store)
    if found.weights_key != record.keys["weights"]:
        raise StoreError(f"{record.name}: {CHANGED}; make it again with `di-bench run`")
    return found


def cell(record: Record, asked: Choice, store: Store, reach: Reach = "network") -> Run:
    """The cell of a record, whatever its keys are today. Raises DiBenchError when there is none."""
    files = {MethodFile.find(name).name: name for name in asked.loaded.methods}
    if "checkpoint" in record.settings:
        raise MethodError(f"{record.method}: unlearned elsewhere; copy it from there")
    if record.method not in files and not (methodfile.PACKAGED / f"{record.method}.py").exists():
        raise MethodError(
            f"{record.method!r} is neither packaged nor in the suite; name its file: "
            f"--set 'methods={{./{record.method}.py: {{}}}}'"
        )
    work = Work.lay_out(asked, [files.get(record.method, record.method)], store, reach)
    found = [run for run in work.runs if run.name == record.name]
    if not found:
        raise StoreError(
            f"{record.name}: not a cell of this suite; give --suite, --model and --set as they "
            "were given to `di-bench run`"
        )
    return found[0]
