"""Comment a pull request's table. Its artifact is a stranger's: one small, plain file, or nothing.

This runs with a token that may write. So it runs nothing that the pull request brought, takes the
pull request's number from GitHub, prints nothing that a stranger wrote (the runner takes commands
from what is printed), and shows whatever is not harmless by its letters alone as code, where
nothing works.
"""

import json
import os
import re
import subprocess
import sys
import unicodedata
import zlib
from io import BytesIO
from lzma import LZMAError
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

NAME, FILE = "di-bench-table", "table.md"
PACKED, LETTERS, LINES = 100_000, 50_000, 500
"""Bytes of the artifact, characters and lines of its table: more is refused."""
MARK = "<!-- di-bench -->"
"""What our comment begins with, to be found again; no table can hold it."""
BOT = "github-actions[bot]"

_HARMLESS = re.compile(r"[A-Za-z0-9 .,;:%()+/'\"*_=>±≈↓↑→≤≥-]*")
_LINK = re.compile(
    r"://|www\.|mailto:|xmpp:|\bgh-\d|(?<![0-9a-z])[0-9a-f]{7,40}(?![0-9a-z])", re.IGNORECASE
)
"""What GitHub makes a link of: also the hash of a commit, of a fork too."""
_DAMAGE = (BadZipFile, LZMAError, zlib.error, RuntimeError, EOFError, ValueError, OSError)
"""What reading a broken archive, or one of another kind, may raise."""
_RULE = re.compile(r"\|(?: *:?-+:? *\|)+")


class RefusedError(Exception):
    """An artifact that is not what our action makes. The message is ours alone."""


def main() -> None:
    """Comment on the pull request of the run that just completed."""
    event = json.loads(Path(os.environ["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))
    run, repository = event["workflow_run"], f"repos/{os.environ['GITHUB_REPOSITORY']}"
    if (number := pull(run, repository)) is None:
        print("no open pull request has this commit as its head")
        return
    if (packed := artifact(run, repository)) is None:
        print("the run left no table, or one that is too large")
        return
    try:
        table = inert(unpacked(packed))
    except RefusedError as error:
        sys.exit(f"the table is refused: {error}")
    comment(f"{repository}/issues", number, f"{heading(run)}\n\n{table}")


def pull(run: Any, repository: str) -> int | None:  # noqa: ANN401 - JSON
    """The one open pull request whose head is the commit that ran, by GitHub's own list.

    The event names none for a fork, and what a stranger's run says of itself counts for nothing.
    """
    head = run["head_repository"]
    if run["event"] != "pull_request" or not head:
        return None
    branch = f"head={head['owner']['login']}:{run['head_branch']}"
    found = gh("--method", "GET", f"{repository}/pulls", "-f", "state=open", "-f", branch)
    numbers = [one["number"] for one in json.loads(found) if one["head"]["sha"] == run["head_sha"]]
    return int(numbers[0]) if len(numbers) == 1 else None


def artifact(run: Any, repository: str) -> bytes | None:  # noqa: ANN401 - JSON
    """The packed table of a run, unless it is missing or too large."""
    listed = json.loads(gh(f"{repository}/actions/runs/{int(run['id'])}/artifacts?name={NAME}"))
    fit = [
        int(one["id"])
        for one in listed["artifacts"]
        if one["name"] == NAME and not one["expired"] and one["size_in_bytes"] <= PACKED
    ]
    return gh(f"{repository}/actions/artifacts/{max(fit)}/zip") if fit else None


def unpacked(packed: bytes) -> str:
    """The text in an artifact, which never touches the disk. Raises RefusedError."""
    try:
        with ZipFile(BytesIO(packed)) as archive:
            if archive.namelist() != [FILE]:
                raise RefusedError("it is not one file of the right name")
            with archive.open(FILE) as file:
                content = file.read(4 * LETTERS + 1)  # what is declared of its size may be a lie
        text = content.decode("utf-8")
    except _DAMAGE:
        raise RefusedError("it cannot be read as packed UTF-8") from None
    if len(text) > LETTERS or text.count("\n") > LINES:
        raise RefusedError("it is too long")
    if any(unicodedata.category(letter)[0] == "C" for letter in text.replace("\n", "")):
        raise RefusedError("it holds characters that are no text")
    return text


def inert(text: str) -> str:
    """Markdown in which tables and headings work, and no link, image, mention or HTML does."""
    return "\n".join(map(_line, text.splitlines()))


def _line(line: str) -> str:
    line = line.strip()
    if _RULE.fullmatch(line):
        return line
    if line.startswith("|"):
        cells = re.split(r"(?<!\\)\|", line.removeprefix("|").removesuffix("|"))
        return "| " + " | ".join(_plain(cell.strip()) for cell in cells) + " |"
    mark = re.match(r"#{1,6} |- ", line)
    return (mark[0] if mark else "") + _plain(line[mark.end() if mark else 0 :])


def _plain(text: str) -> str:
    """Harmless text as it is with its code in code, and any other as code altogether."""
    text = re.sub(r"\\([\\|<&*_\[~])", r"\1", text.replace("\\`", "'"))
    parts = text.split("`")
    if len(parts) % 2 and all(map(_harmless, parts[::2])) and all(map(str.strip, parts[1:-1])):
        return text.replace("|", "/")
    bare = text.replace("`", "").replace("|", "/").strip()
    return bare and f"`{bare}`"


def _harmless(text: str) -> bool:
    return bool(_HARMLESS.fullmatch(text)) and not _LINK.search(text)


def heading(run: Any) -> str:  # noqa: ANN401 - JSON
    """What we say above the table."""
    log = f"{os.environ['GITHUB_SERVER_URL']}/{os.environ['GITHUB_REPOSITORY']}/actions/runs"
    commit = re.sub(r"[^0-9a-f]", "", str(run["head_sha"]))[:7]
    return (
        f"{MARK}\n**di-bench** at {commit} ([log]({log}/{int(run['id'])})). This is what the pull "
        "request's own job says, which runs its code: believe it when you have run it yourself."
    )


def comment(issues: str, number: int, body: str) -> None:
    """Write our comment, or write it again."""
    listed = gh("--paginate", "--slurp", f"{issues}/{number}/comments?per_page=100")
    ours = [
        int(one["id"])
        for page in json.loads(listed)
        for one in page
        if one["user"] and one["user"]["login"] == BOT and one["body"].startswith(MARK)
    ]
    where = (
        ("PATCH", f"{issues}/comments/{ours[0]}")
        if ours
        else ("POST", f"{issues}/{number}/comments")
    )
    said = json.dumps({"body": body}).encode()
    gh("--method", where[0], where[1], "--input", "-", send=said)


def gh(*arguments: str, send: bytes | None = None) -> bytes:
    """What GitHub's API answers, through its own command line, which keeps the token to itself."""
    done = subprocess.run(["gh", "api", *arguments], input=send, capture_output=True)
    if done.returncode:
        sys.exit(f"gh api failed with exit code {done.returncode}")
    return done.stdout


if __name__ == "__main__":
    main()
