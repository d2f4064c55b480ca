"""What strangers wrote (models, methods, errors), made text and nothing else where it is shown.

Each format obeys marks of its own; names of rows come from files that anyone may have written.
"""

from di_bench.errors import plain

_MARKDOWN = str.maketrans({mark: f"\\{mark}" for mark in "\\|<&*_[`~"})


def line(text: str) -> str:
    """On one line, without control characters and folders of a machine."""
    return " ".join(plain(text).split())


def markdown(text: str) -> str:
    """In a cell or a paragraph of Markdown."""
    return " ".join(text.translate(_MARKDOWN).split())


def command(text: str) -> str:
    """As the message of a workflow command (`::error::message`).

    `##[` begins a command of the older kind in the middle of a line too.
    """
    return line(text).replace("%", "%25").replace("##[", "## [")


def parameter(text: str) -> str:
    """As a parameter of a workflow command (`::error title=parameter::`)."""
    return command(text).replace(":", "%3A").replace(",", "%2C")
