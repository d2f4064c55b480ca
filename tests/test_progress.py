"""What a person sees while a grid runs, on a terminal and elsewhere."""

import os
import pty
import subprocess
import sys
from pathlib import Path

CODE = "from di_bench.cli import app; app()"


def command(suite: Path, folders: list[str]) -> list[str]:
    return [sys.executable, "-c", CODE, "run", str(suite), "--workers", "2", *folders]


def on_terminal(arguments: list[str]) -> str:
    """Everything a command draws on a terminal of its own."""
    outer, inner = pty.openpty()
    environment = {**os.environ, "COLUMNS": "200", "TERM": "xterm-256color"}
    with subprocess.Popen(arguments, stdout=inner, stderr=inner, env=environment) as process:
        os.close(inner)
        drawn = b""
        while True:
            try:
                part = os.read(outer, 65536)
            except OSError:  # the other side was closed
                break
            if not part:
                break
            drawn += part
        os.close(outer)
    assert process.returncode == 0, drawn.decode()
    return drawn.decode()


def test_a_terminal_shows_bars_and_a_board_that_grows(suite_file: Path, folders: list[str]) -> None:
    drawn = on_terminal(command(suite_file, folders))
    assert "cells" in drawn
    assert "6/6" in drawn
    assert any(step in drawn for step in ("memorises", "unlearns", "answers"))
    assert "left" in drawn
    assert drawn.count("Toy protocol, toy secrets") > 2


def test_elsewhere_there_is_a_quiet_line_for_each_cell(
    suite_file: Path, folders: list[str]
) -> None:
    done = subprocess.run(command(suite_file, folders), capture_output=True, text=True, check=True)
    cells = [line for line in done.stdout.splitlines() if line.startswith("[")]
    assert [line.split("]")[0] for line in cells] == [f"[{n}/6" for n in range(1, 7)]
    assert "\x1b" not in done.stdout
    assert "it/s" not in done.stdout + done.stderr
    assert done.stderr == ""
