"""What the gate found can be read back in every format, whatever the names hold."""

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from di_bench import notice
from di_bench.errors import StoreError
from di_bench.finding import Finding, Verdict, count, exit_code
from di_bench.gatefile import Gate
from di_bench.stats import Difference
from tests.planted import AFTER, Desk, Plan

EVIL = "di\n::error::pwned%0A\r<b>&\"']]>|`*_\x1b[31m\x00\ud800##[set-env]--,:"


def finding(verdict: Verdict, **fields: object) -> Finding:
    made = Finding("builtin--nano", "di", "kept", verdict, 0.9, 0.7)
    return replace(made, **fields)  # type: ignore[arg-type]  # fields of Finding


FOUND = [
    finding("same"),
    finding("better", difference=Difference(-0.2, -0.25, -0.15, 1e-9, 2, "paired"), p=4e-9),
    finding("worse", difference=Difference(-0.2, -0.25, -0.15, 0.01, 2, "welch"), p=0.012),
    finding("unclear", why="a single seed and no items to tell", lone=True),
    finding("not comparable", column="", reference=None, candidate=None, why="another setup"),
    finding("new", method="npo", column="", reference=None, candidate=None),
    finding("holds", claim="kept >= 0.5"),
    finding("broken", claim="kept >= 0.9", why="must be >= 0.9"),
]
ODD = [
    finding("worse", method=EVIL, model=EVIL, column=EVIL, why=EVIL),
    finding("better", claim=EVIL),
]


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ((), 0),
        (("same", "better", "unclear", "new", "holds"), 0),
        (("same", "worse", "not comparable"), 1),
        (("broken",), 1),
        (("not comparable", "better"), 2),
    ],
)
def test_the_exit_code_is_the_gravest_verdict(verdicts: tuple[Verdict, ...], code: int) -> None:
    assert exit_code(map(finding, verdicts)) == code


def test_text_is_a_short_table_gravest_first_without_what_is_the_same() -> None:
    *table, empty, lone, unclear, last = notice.write(FOUND, Gate(), "text").splitlines()
    assert [line.split("  ")[0] for line in table] == [
        "verdict", "worse", "broken", "not comparable", "unclear", "better", "new",
    ]  # fmt: skip
    assert "0.9        0.7        -0.2 [-0.25, -0.15]  0.012" in table[1]
    assert "<.0001" in table[5]
    assert empty == ""
    assert lone == "one seed, so only items can tell: di on builtin/nano"
    assert unclear.startswith(
        "unclear: beyond the tolerance, but seeds and items do that by chance"
    )
    assert last == f"{count(FOUND)} (tolerance 0.05, alpha 0.05)"
    assert count(FOUND) == (
        "1 same, 1 better, 1 unclear, 1 worse, 1 not comparable, 1 new, 1 holds, 1 broken"
    )
    assert notice.write([finding("same")], Gate(), "text").count("\n") == 1


def test_no_text_can_break_out_of_its_line_or_reach_the_terminal() -> None:
    shown = notice.write(ODD, Gate(leave_out=(EVIL,)), "text")
    assert len(shown.splitlines()) == 5
    assert not any(line.lstrip().startswith(("::", "##[")) for line in shown.splitlines())
    assert all(letter.isprintable() or letter == "\n" for letter in shown)


def cells(row: str) -> list[str]:
    """Of a Markdown table's row, as a reader sees them."""
    parts = re.split(r"(?<!\\)\|", row)[1:-1]
    return [re.sub(r"\\(.)", r"\1", part).strip() for part in parts]


def test_markdown_is_a_table_that_names_cannot_break() -> None:
    lines = notice.write([*FOUND, *ODD], Gate(), "md").splitlines()
    assert lines[0].startswith("**di-bench check:** 1 same, 2 better")
    table = [cells(line) for line in lines if line.startswith("|")]
    assert {len(row) for row in table} == {len(notice.HEADER)}
    assert table[0] == list(notice.HEADER)
    assert len(table) == 2 + 8
    odd = next(row for row in table if "pwned" in row[1])
    assert odd[0] == "worse"
    assert "<b>&\"']]>|`*_" in odd[1]
    assert not re.search(r"(?<!\\)[<`]", "\n".join(lines))


def test_junit_is_well_formed_and_counts_what_it_holds() -> None:
    root = ET.fromstring(notice.write([*FOUND, *ODD], Gate(), "junit"))
    assert root.tag == "testsuites"
    assert {k: root.get(k) for k in ("tests", "failures", "errors", "skipped")} == {
        "tests": "10", "failures": "3", "errors": "1", "skipped": "1",
    }  # fmt: skip
    suites = root.findall("testsuite")
    assert [suite.get("tests") for suite in suites] == ["9", "1"]
    for element in (root, *suites):
        found = [case for case in element.iter("testcase") if case.find("failure") is not None]
        assert element.get("failures") == str(len(found))
    cases = {case.get("name"): case for case in suites[0] if case.get("classname")}
    assert {"kept", "row", "claim: kept >= 0.5", "claim: kept >= 0.9"} <= set(cases)
    assert all(case.get("classname", "").startswith("builtin/nano.") for case in cases.values())
    (broken,) = cases["claim: kept >= 0.9"]
    assert (broken.tag, broken.get("type")) == ("failure", "broken")
    assert broken.get("message") == "broken: reference 0.9, candidate 0.7, must be >= 0.9"
    assert "pwned" in (suites[1].get("name") or "")
    empty = ET.fromstring(notice.write([], Gate(), "junit"))
    assert (empty.get("tests"), "0 same" in (empty.findtext(".//system-out") or "")) == ("0", True)


COMMAND = re.compile(r"::(error|notice) title=([^:,\n]*)::([^\n]*)")


def test_github_gets_commands_that_names_cannot_forge() -> None:
    lines = notice.write([*FOUND, *ODD], Gate(), "github").splitlines()
    commands = [COMMAND.fullmatch(line) for line in lines]
    assert all(commands)
    levels = [found[1] for found in commands if found]
    assert levels == ["error"] * 4 + ["notice"] * 5
    messages = [found[3] for found in commands if found]
    assert messages[0] == ("di on builtin/nano, kept: 0.9 -> 0.7, -0.2 [-0.25, -0.15], p 0.012")
    odd = next(message for message in messages if "pwned" in message)
    assert "pwned%250A" in odd
    assert "##[" not in odd
    assert "\x1b" not in odd


def test_the_command_writes_each_format_and_the_summary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("# Before\n", encoding="utf-8")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    desk = Desk(tmp_path)
    side = desk.side("worse", AFTER, {"di": Plan({"accuracy": 0.35})})
    said = desk.check(side, "--format", "github")
    assert said.exit_code == 1
    assert said.output.startswith("::error title=di-bench%3A worse::di on builtin/nano, accuracy: ")
    text = summary.read_text(encoding="utf-8")
    assert text.startswith("# Before\n**di-bench check:** ")
    assert text.removeprefix("# Before\n") == desk.check(side, "--format", "md").output
    out = tmp_path / "sub" / "gate.xml"
    assert "verdict" in desk.check(side, "--format", "junit", "--out", out).output
    root = ET.fromstring(out.read_text(encoding="utf-8"))
    (case,) = (case for case in root.iter("testcase") if case.find("failure") is not None)
    assert (case.get("classname"), case.get("name")) == ("builtin/nano.di", "accuracy")
    assert desk.check(desk.reference, "--format", "junit").output.startswith("<?xml")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
    failed = desk.check(side, "--format", "github")
    assert (failed.exit_code, failed.output.count("\n")) == (2, 1)
    assert "$GITHUB_STEP_SUMMARY: cannot be written" in failed.output
    with pytest.raises(StoreError):
        notice.summarise(FOUND, Gate())
