"""`show`: JSON for programs, and a curve for people."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from di_bench import showing
from di_bench.cli import app
from tests import toy


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    path = tmp_path / "toy" / "default" / "builtin--nano" / "di-0.json"
    path.parent.mkdir(parents=True)
    path.write_text(toy.record(curve=[3.0, 2.0, 1.5]).model_dump_json(), encoding="utf-8")
    return path


def test_the_curve_is_titled_and_falls_back_to_ascii() -> None:
    record = toy.record(curve=[3.0, 2.0, 1.5], variant="+lr=1", seed=2)
    title, *lines = showing.drawn(record, "utf-8")
    assert title == "mean loss of each epoch, di+lr=1, seed 2"
    assert "⠉" in lines[0]
    assert all(line.isascii() for line in showing.drawn(record, "ascii"))
    assert showing.drawn(toy.record(method="none"), "utf-8") == [
        "no curve: nothing was trained in none, seed 0"
    ]
    hostile = showing.drawn(toy.record(method="\x1b[31m", curve=[1.0]), "utf-8")
    assert "\x1b" not in "".join(hostile)


def test_show_draws_when_asked_and_is_json_otherwise(kept: Path) -> None:
    piped = CliRunner().invoke(app, ["show", str(kept)])
    assert json.loads(piped.output)["curve"] == [3.0, 2.0, 1.5]
    assert CliRunner().invoke(app, ["show", str(kept), "--no-curve"]).output == piped.output
    drawn = CliRunner().invoke(app, ["show", str(kept), "--curve"])
    assert drawn.exit_code == 0
    assert drawn.output.startswith(piped.output)
    assert drawn.output.count("┤") == 3
    plain = CliRunner(charset="ascii").invoke(app, ["show", str(kept), "--curve"])
    assert plain.exit_code == 0, plain.output
    assert "*" in plain.output
    assert plain.output.isascii()


def test_a_terminal_is_drawn_to_without_asking(kept: Path) -> None:
    ours, theirs = pty.openpty()
    root = str(Path(__file__).parents[1])
    process = subprocess.Popen(
        [sys.executable, "-m", "di_bench", "show", str(kept)],
        stdout=theirs,
        env={**os.environ, "PYTHONPATH": root, "PYTHONIOENCODING": "utf-8"},
    )
    os.close(theirs)
    said = b""
    while chunk := _read(ours):
        said += chunk
    os.close(ours)
    assert process.wait() == 0
    assert said.decode("utf-8").count("┤") == 3


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # how Linux says that the other end is closed
        return b""
