"""A store that several processes work on as one: the first writes, the others do the same work.

A piece must be made by all of them at once, for its training is shared. So the first looks whether
it is there, and says so; what the others write meanwhile is thrown away.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from di_bench import ranks
from di_bench.errors import StoreError
from di_bench.metrics.metric import ItemScore
from di_bench.record import Record
from di_bench.run import Run
from di_bench.store import Store


class SharedStore(Store):
    """Every process must call the same verbs in the same order, and see the same folders."""

    def piece(self, kind: str, key: str, make: Callable[[Path], None]) -> Path:
        """The folder of a cached piece, made by all processes together when it is missing.

        Raises StoreError where a process cannot see what the first has written.
        """
        folder = self.path(kind, key)
        if ranks.first():

            def lead(draft: Path) -> None:
                ranks.told(True)
                with ranks.agreed():
                    make(draft)

            with ranks.agreed():  # its end tells the others that there is nothing to make
                super().piece(kind, key, lead)
            return folder
        while ranks.told(False):
            with TemporaryDirectory() as draft, ranks.agreed():
                make(Path(draft))
        if not folder.exists():
            raise StoreError(
                f"{folder}: not seen by process {ranks.mine()}; name a --cache that all share"
            )
        return folder

    def keep(self, run: Run, record: Record, items: dict[str, Sequence[ItemScore]]) -> None:
        """File a record once; all go on when it is there."""
        with ranks.agreed():
            if ranks.first():
                super().keep(run, record, items)
