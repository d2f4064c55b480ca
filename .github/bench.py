"""What the action does between installing and uploading: run, check, and write one table.

Methods of a pull request are strangers' code. They run here, in a job that can do nothing but read,
so the table is that job's claim: whoever shows it elsewhere must treat it so (see comment/).
"""

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from tempfile import mkdtemp

CODES = {"passed": 0, "nothing to do": 0, "regressed": 1, "failed": 1, "not comparable": 2}
"""Exit codes of verdicts; anything else, as `refused`, is 2."""


class RefusedError(Exception):
    """Something the workflow or the pull request can mend, in one line."""


def main() -> None:
    """Read the inputs, do the work, and leave verdict, table and exit code as outputs."""
    home = Path(mkdtemp(prefix="di-bench-", dir=os.environ["RUNNER_TEMP"]))
    suite = os.environ["SUITE"]
    try:
        verdict, text = bench(suite, methods(os.environ["METHODS"]), home)
    except RefusedError as error:
        verdict, text = "refused", f"{error}\n"
    table = home / "table.md"
    said = f"### {suite}: {verdict}\n\n{text}"
    table.write_text(said, encoding="utf-8")
    append("GITHUB_STEP_SUMMARY", said)
    code = CODES.get(verdict, 2)
    append("GITHUB_OUTPUT", f"verdict={verdict}\ntable={table}\ncode={code}\n")
    with muted():
        print(said)


def bench(suite: str, chosen: Sequence[str], home: Path) -> tuple[str, str]:
    """The verdict and the table of a suite with these methods beside its own."""
    if not chosen:
        return "nothing to do", "No method was added or changed.\n"
    results, failed = home / "results", False
    places = ("--results", str(results), "--cache", str(home / "cache"), "--", suite)
    # What does not fit is refused before any work. The suite's own come first: the gate asks for
    # every row of the reference.
    for verb, names in (("plan", chosen), ("run", ()), ("run", chosen)):
        code, error = di_bench(verb, *places, *names)
        if code not in (0, 1):
            raise RefusedError(error)
        failed = failed or code == 1
    (folder,) = results.glob("*/default")
    verdict, text = gate(suite, folder, home / "gate.md")
    if failed and verdict == "passed":
        verdict = "failed"
    board = home / "board.md"
    di_bench("board", suite, "--results", str(results), "--format", "md", "--out", str(board))
    return verdict, f"{text}\n{board.read_text(encoding='utf-8')}"


def gate(suite: str, folder: Path, out: Path) -> tuple[str, str]:
    """What the gate says of a folder of records. Without others it judges the claims alone."""
    packaged = Path(os.environ["GITHUB_ACTION_PATH"], "results", folder.parent.name, folder.name)
    against, claims = os.environ["AGAINST"], os.environ["GATE"]
    alone = not against and not packaged.is_dir()
    said = f"Nothing to compare {suite} with: the input `against` names a folder.\n"
    if alone and not claims:
        return "passed", said
    against = against or str(folder if alone else packaged)
    more = ("--gate", claims) if claims else ()
    arguments = (str(folder), "--against", against, "--format", "md", "--out", str(out), *more)
    code, error = di_bench("check", *arguments)
    if not out.exists():
        raise RefusedError(error)
    verdict = {0: "passed", 1: "regressed"}.get(code, "not comparable")
    return verdict, out.read_text(encoding="utf-8") + (f"\n{said}" if alone else "")


def methods(asked: str) -> list[str]:
    """What the input names, patterns resolved."""
    found: list[str] = []
    for name in filter(None, map(str.strip, asked.splitlines())):
        found += matching(name) if re.search(r"[*?\[]", name) else [name]
    return list(dict.fromkeys(found))


def matching(pattern: str) -> list[str]:
    """The files of a pattern: in a pull request those that it adds or changes, else all."""
    if os.environ.get("GITHUB_EVENT_NAME") != "pull_request":
        listed = git("ls-files", "-z", "--", f":(glob){pattern}")
    else:
        parents = git("rev-list", "--parents", "--max-count=1", "HEAD").split()[1:]
        if len(parents) != 2:
            raise RefusedError(
                "no merge commit is checked out: give actions/checkout `fetch-depth: 2`"
            )
        changes = ("--name-only", "--diff-filter=d", "--no-renames", "-z")
        listed = git("diff", *changes, parents[0], "HEAD", "--", f":(glob){pattern}")
    names = list(filter(None, listed.split("\0")))
    if odd := [name for name in names if not re.fullmatch(r"[\w./-]+\.py", name, re.ASCII)]:
        raise RefusedError(f"{odd[0]!a}: name the file of a method with letters, digits and _")
    return [f"./{name}" for name in names]


def git(*arguments: str) -> str:
    """What git prints."""
    done = subprocess.run(["git", *arguments], capture_output=True, text=True)
    if done.returncode:
        raise RefusedError(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout


def di_bench(*arguments: str) -> tuple[int, str]:
    """Exit code and last word of a command, whose environment names no file of the runner's."""
    ours = ("GITHUB_", "ACTIONS_", "RUNNER_")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    with muted():
        done = subprocess.run(
            ["di-bench", *arguments], stderr=subprocess.PIPE, text=True, env=environment
        )
        print(done.stderr, flush=True)
    said = done.stderr.strip().splitlines() or [f"di-bench {arguments[0]}: {done.returncode}"]
    return done.returncode, said[-1]


@contextmanager
def muted() -> Iterator[None]:
    """Let the runner take no commands (`::error::`) from what is printed meanwhile."""
    token = token_hex(16)
    print(f"::stop-commands::{token}", flush=True)
    try:
        yield
    finally:
        print(f"\n::{token}::", flush=True)


def append(name: str, text: str) -> None:
    """Add to a file that the runner names; elsewhere there is none."""
    if place := os.environ.get(name):
        with Path(place).open("a", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    main()
