"""Ready token ids from NumPy files: one text a row, several files laid one behind the other.

Nothing pickled is ever read, and the files are mapped, not loaded.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from di_bench.datafile import opened, unreadable
from di_bench.errors import CorpusError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def array_rows(paths: Sequence[Path]) -> Iterator[Mapping[str, Any]]:
    """Each row's `ids`: those of the first file, then of the next.

    Raises CorpusError with file, row and mend.
    """
    arrays = [(path, _mapped(path)) for path in paths]
    (first, whole), *others = arrays
    for path, array in others:
        if len(array) != len(whole):
            raise CorpusError(
                f"{path}: has {len(array)} rows and {first} has {len(whole)}; arrays that are laid "
                "one behind the other need the same rows in the same order"
            )
    for number in range(1, len(whole) + 1):
        yield {"ids": [t for path, array in arrays for t in _ids(array[number - 1], path, number)]}


def _mapped(path: Path) -> "NDArray[Any]":
    """An array of whole numbers or floats, (rows, tokens)."""
    import numpy as np

    with opened(path) as file:
        begin = file.read(6)
    if begin != b"\x93NUMPY":
        found = "an .npz archive" if begin.startswith(b"PK") else "no .npy file"
        raise CorpusError(f"{path}: is {found}; save each array with numpy.save(FILE, ids)")
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise unreadable(path, error) from error
    except ValueError as error:
        if "object" in str(error):
            raise CorpusError(
                f"{path}: holds pickled objects, which are never read; pad or cut the rows to one "
                "length and save whole numbers"
            ) from error
        raise CorpusError(f"{path}: cannot be read as an array ({error}); copy it anew") from error
    if array.dtype.kind not in "iuf":
        raise CorpusError(f"{path}: holds {array.dtype}, not token ids; save whole numbers")
    if array.ndim != 2 or not array.shape[1]:
        raise CorpusError(f"{path}: has shape {array.shape}; it must be (rows, tokens)")
    return array


def _ids(row: "NDArray[Any]", path: Path, number: int) -> list[int]:
    """A row as whole numbers; floats only where they are whole."""
    values: list[float] = row.tolist()
    for value in values:
        if value < 0:
            raise CorpusError(
                f"{path}: row {number}: token id {value:g} is negative; cut padding off"
            )
        if not float(value).is_integer():  # nor is nan or infinity
            raise CorpusError(
                f"{path}: row {number}: {value:g} is no token id; save the ids, as whole numbers"
            )
    return [int(value) for value in values]
