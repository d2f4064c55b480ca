"""The errors a user can cause and can fix.

The command line shows one line for each of these. Anything else that escapes is a bug of ours
and keeps its traceback.
"""

import re
from collections.abc import Iterable
from difflib import get_close_matches


class DiBenchError(Exception):
    """Base of all of them."""


class SuiteError(DiBenchError):
    """A suite file is missing, unreadable, or says something impossible."""


class CorpusError(DiBenchError):
    """A data file is missing, unreadable, or does not hold what the suite says it holds."""


class MethodError(DiBenchError):
    """A method file holds no method, or settings that do not fit it."""


class ModelError(DiBenchError):
    """A model cannot be reached, loaded safely, or used as the suite asks."""


class StoreError(DiBenchError):
    """A record or a cache entry cannot be read or written."""


class GateError(DiBenchError):
    """A gate file is missing, unreadable, or demands something impossible."""


class DivergedError(DiBenchError):
    """Training left the finite numbers. That is a finding about the method, so it is recorded."""


class EarlierError(DiBenchError):
    """What a run goes on from has failed, and so has the run."""


def nearest(wrong: str, known: Iterable[str]) -> str:
    """The tail of a message about an unknown name: the nearest right one, and all there are."""
    names = sorted(known)
    close = get_close_matches(wrong, names, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}There are: {', '.join(names)}"


def plain(text: str) -> str:
    """A text that may be shown and kept: no control characters, and no folders of a machine.

    Models, data and strangers' code end up in messages; a terminal would obey their escapes.
    """
    shown = "".join(letter if letter.isprintable() or letter in "\n\t" else "?" for letter in text)
    return re.sub(r"(?<![\w.~])(?:~?/[\w.+@-]+)+/(?=[\w.+@-]+)", "", shown)
