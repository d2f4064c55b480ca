"""Several processes at one run, as `accelerate launch` starts them: which this is, how they agree.

All do the same work in the same order and meet in `everyone`. It carries errors too: what fails in
one process fails in all of them there, so that none waits for one that went another way.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from di_bench.device import device
from di_bench.errors import DiBenchError, DivergedError

if TYPE_CHECKING:
    from accelerate import Accelerator

log = logging.getLogger(__name__)

PATIENCE = timedelta(minutes=30)
"""How long a process waits for one that was killed, where its launcher has not ended it before."""

T = TypeVar("T")


def size() -> int:
    """How many processes share this run. A scheduler's RANK alone is no launcher's."""
    started = {"RANK", "LOCAL_RANK", "WORLD_SIZE"} <= os.environ.keys()
    return int(os.environ["WORLD_SIZE"]) if started else 1


def mine() -> int:
    """The number of this one; the first has 0."""
    return int(os.environ["RANK"]) if size() > 1 else 0


def first() -> bool:
    """Whether this is the one that files results and speaks."""
    return mine() == 0


@cache
def accelerator() -> Accelerator:
    """Accelerate's view of the processes. The precision is our own: see `ready.py`."""
    from accelerate import Accelerator
    from accelerate.utils import GradientAccumulationPlugin, InitProcessGroupKwargs

    return Accelerator(
        cpu=device() == "cpu",
        mixed_precision="no",
        gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=1),
        kwargs_handlers=[InitProcessGroupKwargs(timeout=PATIENCE)],
    )


@dataclass(frozen=True)
class _Failure:
    """What one process failed with, as the others are told."""

    text: str
    kind: type[Exception]

    @classmethod
    def of(cls, error: Exception) -> _Failure:
        """An error as one line; only what the rest of the code tells apart is kept of its type."""
        known: tuple[type[Exception], ...] = (DivergedError, DiBenchError)
        kind = next((k for k in known if isinstance(error, k)), RuntimeError)
        name = "" if kind is not RuntimeError else f"{type(error).__name__}: "
        return cls(f"process {mine()}: {name}{error}", kind)


def everyone(value: T) -> list[T]:
    """What each process says here, in their order. Raises what another one failed with."""
    if size() == 1:
        return [value]
    said = _exchanged(value)
    for one in said:
        if isinstance(one, _Failure):
            error = one.kind(one.text)
            vars(error)["told"] = True
            raise error
    return said


def told(value: T) -> T:
    """What the first process says here."""
    return everyone(value if first() else None)[0]  # type: ignore[return-value]  # the first's own


@contextmanager
def agreed() -> Iterator[None]:
    """A block that all processes end together: an error in one is an error in each."""
    try:
        yield
    except Exception as error:
        if size() > 1 and not _is_told(error):
            vars(error)["told"] = True
            _exchanged(_Failure.of(error))
        raise
    everyone(None)


@contextmanager
def launched() -> Iterator[None]:
    """A whole command: the first process alone speaks, and an error is said once."""
    if size() == 1:
        if os.environ.get("ACCELERATE_USE_CPU") == "True" and "MASTER_PORT" in os.environ:
            log.warning("accelerate launch --cpu starts one process; for more, use --multi_gpu")
        yield
        return
    os.environ["FSDP_CPU_RAM_EFFICIENT_LOADING"] = "false"  # every process asks a whole model
    accelerator()
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        try:
            with redirect_stdout(sys.stdout if first() else nowhere), agreed():
                yield
        except DiBenchError:
            if first():
                raise
            raise SystemExit(2) from None
    accelerator().end_training()


def _exchanged(value: Any) -> list[Any]:  # noqa: ANN401 - whatever the caller says
    from accelerate.utils import gather_object

    accelerator()
    said: list[Any] = gather_object([value])
    return said


def _is_told(error: BaseException | None) -> bool:
    """Whether the others know of an error, or of the one it was made from."""
    return error is not None and ("told" in vars(error) or _is_told(error.__cause__))
