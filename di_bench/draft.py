"""Files written whole or not at all: to a draft, then renamed. What is in the way is said."""

import os
import re
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from errno import EACCES, EDQUOT, EEXIST, EFBIG, EIO, EISDIR, ENOENT, ENOSPC, ENOTDIR, EPERM, EROFS
from pathlib import Path

from di_bench.errors import StoreError

FULL = (ENOSPC, EDQUOT, EFBIG, EROFS)
UNWRITABLE = (ENOSPC, EDQUOT, EFBIG, EIO, EROFS, EACCES, EPERM, EEXIST, ENOTDIR)
MISPLACED = (ENOENT, EISDIR)


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A draft to write to, that takes the place of `path` when the block ends well."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    with explained(path, (*UNWRITABLE, *MISPLACED)):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield draft
            draft.replace(path)
        finally:
            if draft.is_dir():
                shutil.rmtree(draft, ignore_errors=True)
            draft.unlink(missing_ok=True)


@contextmanager
def explained(path: Path, codes: Collection[int] = UNWRITABLE) -> Iterator[None]:
    """Turn a full disk or a locked folder into one line."""
    try:
        yield
    except Exception as error:
        said = re.search(r"\(os error (\d+)\)", str(error))  # safetensors has it in words alone
        code = error.errno if isinstance(error, OSError) else int(said[1]) if said else None
        if code is None or code not in codes:
            raise
        mend = "free some space or choose another folder (--results, --cache)"
        if code in MISPLACED:
            mend = "name a file in a folder that can be written to"
        raise StoreError(
            f"{path}: cannot be written: {os.strerror(code)}; {mend}. What was whole is kept"
        ) from error
