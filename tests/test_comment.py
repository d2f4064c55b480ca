"""The comment under a pull request: whose number, whose words, and nothing that works."""

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / ".github" / "comment" / "comment.py"
HEAD = "0123456789abcdef0123456789abcdef01234567"
TABLE = (ROOT / "results" / "smoke" / "default" / "LEADERBOARD.md").read_text(encoding="utf-8")
GH = f"""#!{sys.executable}
import json, pathlib, sys
here = pathlib.Path(__file__).parent
words = sys.argv[1:]
with (here / "asked").open("a") as file:
    print(json.dumps(words), file=file)
if "--input" in words:
    (here / "sent.json").write_text(sys.stdin.read())
    sys.exit()
for part, answer in json.loads((here / "answers.json").read_text()).items():
    if any(word.endswith(part) for word in words):
        sys.stdout.buffer.write((here / answer).read_bytes())
        sys.exit()
sys.exit(f"nobody answers {{words}}")
"""
"""GitHub's command line, as far as we ask it: files for answers, and a note of each question."""


def script() -> Any:  # noqa: ANN401 - a module
    spec = spec_from_file_location("comment", SCRIPT)
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


comment = script()


def packed(*files: tuple[str, bytes]) -> bytes:
    held = BytesIO()
    with ZipFile(held, "w", ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return held.getvalue()


Say = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def say(tmp_path: Path) -> Say:
    """Comment on a run whose artifact holds this; the rest of GitHub's answers may be changed."""

    def do(archive: bytes, **changes: Any) -> "subprocess.CompletedProcess[str]":  # noqa: ANN401
        known: dict[str, Any] = {
            "event": "pull_request",
            "branch": "a; touch x",
            "pulls": [{"number": 7, "head": {"sha": HEAD}}, {"number": 8, "head": {"sha": "b"}}],
            "artifacts": [
                {
                    "id": 5,
                    "name": "di-bench-table",
                    "expired": False,
                    "size_in_bytes": len(archive),
                },
                {"id": 6, "name": "other", "expired": False, "size_in_bytes": 10},
            ],
            "comments": [],
        } | changes
        gh = tmp_path / "gh"
        gh.write_text(GH, encoding="utf-8")
        gh.chmod(gh.stat().st_mode | stat.S_IXUSR)
        parts = {
            "/pulls": known["pulls"],
            "/artifacts?name=di-bench-table": {"artifacts": known["artifacts"]},
            "/7/comments?per_page=100": [known["comments"]],
        }
        for number, answer in enumerate(parts.values()):
            (tmp_path / f"{number}.json").write_text(json.dumps(answer), encoding="utf-8")
        (tmp_path / "zip").write_bytes(archive)
        answers = {part: f"{number}.json" for number, part in enumerate(parts)}
        told = json.dumps(answers | {"/artifacts/5/zip": "zip"})
        (tmp_path / "answers.json").write_text(told, encoding="utf-8")
        run = {
            "id": 99,
            "event": known["event"],
            "head_sha": HEAD,
            "head_branch": known["branch"],
            "head_repository": known.get("repository", {"owner": {"login": "stranger"}}),
            "pull_requests": [],
        }
        (tmp_path / "event.json").write_text(json.dumps({"workflow_run": run}), encoding="utf-8")
        environment = {
            **os.environ,
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "GITHUB_EVENT_PATH": str(tmp_path / "event.json"),
            "GITHUB_REPOSITORY": "owner/di-bench",
            "GITHUB_SERVER_URL": "https://github.example",
        }
        return subprocess.run(
            [sys.executable, "-I", SCRIPT], env=environment, capture_output=True, text=True
        )

    return do


def asked(folder: Path) -> list[list[str]]:
    lines = (folder / "asked").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_a_table_becomes_a_comment_of_the_pull_request_of_that_commit(
    say: Say, tmp_path: Path
) -> None:
    done = say(packed(("table.md", TABLE.encode())))
    assert done.returncode == 0, done.stderr
    pulls = asked(tmp_path)[0]
    assert pulls[-1] == "head=stranger:a; touch x"
    assert asked(tmp_path)[-1][1:4] == [
        "--method",
        "POST",
        "repos/owner/di-bench/issues/7/comments",
    ]
    body = json.loads((tmp_path / "sent.json").read_text(encoding="utf-8"))["body"]
    assert body.startswith(
        "<!-- di-bench -->\n**di-bench** at 0123456 ([log](https://github.example"
    )
    assert "owner/di-bench/actions/runs/99" in body
    assert "| builtin/nano | di | 0.508 ± 0.163 = | 0.234 ± 0.012 = |" in body
    assert "| --- | --- | ---: |" in body
    assert body.count("<") == 1


def test_our_own_comment_is_written_again_and_nobody_elses(say: Say, tmp_path: Path) -> None:
    mark = "<!-- di-bench -->"
    comments = [
        {"id": 1, "user": {"login": "stranger"}, "body": f"{mark} mine"},
        {"id": 2, "user": None, "body": mark},
        {"id": 3, "user": {"login": "github-actions[bot]"}, "body": "another bot's"},
        {"id": 4, "user": {"login": "github-actions[bot]"}, "body": f"{mark}\nolder"},
    ]
    assert say(packed(("table.md", b"new")), comments=comments).returncode == 0
    where = ["--method", "PATCH", "repos/owner/di-bench/issues/comments/4"]
    assert asked(tmp_path)[-1][1:4] == where


@pytest.mark.parametrize(
    "changes",
    [
        {"event": "push"},
        {"repository": None},
        {"pulls": []},
        {"pulls": [{"number": 7, "head": {"sha": "newer"}}]},
        {"pulls": [{"number": n, "head": {"sha": HEAD}} for n in (7, 8)]},
        {"artifacts": []},
        {
            "artifacts": [
                {"id": 5, "name": "di-bench-table", "expired": False, "size_in_bytes": 10**6}
            ]
        },
    ],
)
def test_where_nothing_can_be_said_nothing_is(
    say: Say, tmp_path: Path, changes: dict[str, Any]
) -> None:
    done = say(packed(("table.md", b"::error::words of a stranger")), **changes)
    assert (done.returncode, done.stdout.count("\n")) == (0, 1)
    assert not (tmp_path / "sent.json").exists()


@pytest.mark.parametrize(
    "archive",
    [
        b"",
        b"no archive",
        packed(),
        packed(("../table.md", b"x")),
        packed(("table.md", b"x"), ("table.md.exe", b"x")),
        packed(("table.md", b"x"))[:-30],
        packed(("table.md", b"a" * 10**7)),
        packed(("table.md", b"\n" * 600)),
        packed(("table.md", b"\xff\xfe")),
        packed(("table.md", b"\x1b[31m")),
        packed(("table.md", "x\u202ey".encode())),
        packed(("table.md", "x\u200by".encode())),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_what_is_not_our_table_is_refused(say: Say, tmp_path: Path, archive: bytes) -> None:
    done = say(archive)
    assert done.returncode == 1
    assert done.stderr.startswith("the table is refused: ")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "sent.json").exists()


def test_a_damaged_stream_is_refused(say: Say) -> None:
    broken = bytearray(packed(("table.md", os.urandom(500))))
    broken[60:80] = b"\xff" * 20
    assert "the table is refused" in say(bytes(broken)).stderr


def outside_code(text: str) -> str:
    """What GitHub reads as Markdown of a text: all but its code. Every span is on one line."""
    for line in text.split("\n"):
        assert line.count("`") % 2 == 0, line
    return re.sub(r"`[^`\n]+`", "", text)


HOSTILE = [
    "@everyone",
    "| @everyone | x |",
    "`a\\`@everyone`b`",
    "a\\`@everyone`c",
    "``@everyone`` `",
    "[click](javascript:x)",
    "![x](https://evil.example/pixel)",
    "<img src=x onerror=y>",
    "<!-- di-bench -->",
    "| <details> | </td> |",
    "https://evil.example",
    "www.evil.example",
    "WWW.evil.example and mailto:a",
    "closes #1, owner/repo#2, GH-3",
    "&#64;everyone",
    "$\\href{https://evil.example}{x}$",
    "[x]: https://evil.example",
    "```\n@everyone\n```",
    "~~~\n@everyone",
    "    @everyone",
    "- [ ] @everyone",
    "# <h1>",
    "`@a``@b`",
    "\\<img\\>",
    "a \\| @everyone",
    "\\\\`@everyone`",
]


def check_inert(text: str) -> None:
    bare = outside_code(comment.inert(text))
    assert not re.search(r"[@#<&!\[\]$~\\`]", re.sub(r"(?m)^#{1,6} ", "", bare)), bare
    assert not re.search(r"://|www\.|mailto:|xmpp:|gh-\d", bare, re.IGNORECASE), bare


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_works_is_left_of_what_a_stranger_writes(text: str) -> None:
    check_inert(text)


PIECES = st.sampled_from([*"ab@#<>&![]()$~\\`|*_-: \n./1", "www.", "://", "``", "gh-", "\\`"])


@given(st.lists(PIECES, max_size=40).map("".join))
def test_no_text_gets_past(text: str) -> None:
    check_inert(text)


def test_our_own_tables_stay_readable() -> None:
    shown = comment.inert(TABLE).splitlines()
    assert shown[0] == "# Smoke test, built-in authors v1: builtin/nano"
    assert "| builtin/nano | none | 0.812 ± 0.147 | 0.294 ± 0.360 |" in "\n".join(shown)
    assert any("forget accuracy = `exact_memorization@1`" in line for line in shown)
    assert comment.inert("| builtin/micro | di\\_retain | < 1 |") == (
        "| builtin/micro | di_retain | `< 1` |"
    )
