"""A comparison written out: numbers as they are, nothing that a terminal or a page would obey."""

import json
import math
from pathlib import Path

import pytest
from typer.testing import CliRunner

from di_bench import comparetext, comparison
from di_bench.cli import app
from di_bench.comparison import Contrast, Side
from di_bench.itemwise import Apart, Most, Texts
from di_bench.stats import Difference
from tests import toy
from tests.test_comparison import DI, NPO, keep

HOSTILE = "a\x1b[31m red\n\u202e<b>|`x`\ud800"
APART = Difference(-0.25, -0.5, 0.0625, 0.04, 2.5, "paired")
ONE = Contrast("forget_accuracy", "m@1", "lower", 0.5, 0.75, APART, 0.08, "", "")


def side(name: str = "toy/di", **changes: object) -> Side:
    return Side(name, (Path("di-0.json"),), (toy.record(**changes),))


def most() -> Most:
    texts = Texts(HOSTILE, "truth", HOSTILE, "x" * 1000)
    return Most("accuracy", (Apart(HOSTILE, "g", 1.0, 0.5, texts),), (0, 0), ("no answers of B",))


def test_a_row_of_the_table_has_means_difference_interval_and_p() -> None:
    text = comparetext.render(side(), side("toy/npo"), [ONE], None, "text")
    assert text.splitlines()[:2] == ["A: toy/di, seed 0", "B: toy/npo, seed 0"]
    (row,) = [line for line in text.splitlines() if line.startswith("forget accuracy ↓")]
    assert row.split()[3:] == [
        "0.500",
        "0.750",
        "-0.250",
        "-0.500",
        "to",
        "0.062",
        "0.080",
        "-",
        "paired",
    ]
    assert "p is adjusted for 1 column (Holm)" in text
    assert "both are draws, crossed" in text


def test_what_does_not_compare_is_said_in_its_row() -> None:
    why = "another model (id)"
    far = Contrast("kept", "m@1", "higher", 1.0, None, why=why, compares=False)
    text = comparetext.render(side(), side(), [far], None, "text")
    assert "kept ↑  1.000  -  -      -     -  -       not comparable: another model (id)" in text
    assert text.endswith("Nothing here compares.\n")
    alone = Contrast("kept", "m@1", "higher", 1.0, 1.0, why="one seed")
    assert "not comparable" not in comparetext.render(side(), side(), [alone], None, "text")


def test_runs_that_went_wrong_and_adapters_are_said_above() -> None:
    a = side(status="diverged", error="loss is nan\x1b[0m", scores={})
    text = comparetext.render(a, side(peft={"kind": "lora"}), [ONE], None, "md")
    assert "- A, seed 0: diverged: loss is nan\\\\x1b\\[0m" in text
    assert "- A trains all weights, B an adapter (lora)" in text


def test_texts_are_escaped_and_cut() -> None:
    text = comparetext.render(side(), side(), [ONE], most(), "text")
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert r"  asked   a\x1b[31m red\n\u202e<b>|`x`\ud800" in text
    assert "x" * comparetext.LONGEST + " ..." in text
    assert "x" * (comparetext.LONGEST + 1) not in text
    assert text.endswith("A of seed 0, B of seed 0.\nno answers of B\n")
    page = comparetext.render(side(), side(), [ONE], most(), "md")
    assert "\\<b>\\|\\`x\\`" in page
    assert page.encode("utf-8").isascii() is False
    tree = json.loads(comparetext.render(side(), side(), [ONE], most(), "json"))
    assert tree["items"]["items"][0]["texts"]["b"] == "x" * 1000
    assert comparetext.render(side(), side(), [ONE], most(), "json").isascii()


def test_json_has_every_number_and_no_nan() -> None:
    bare = Contrast("kept", "m@1", "higher", None, None, why="no value in A")
    tree = json.loads(comparetext.render(side(), side(), [ONE, bare], None, "json"))
    one, other = tree["columns"]
    assert one["apart"] == {
        "mean": -0.25, "low": -0.5, "high": 0.0625, "p": 0.04, "df": 2.5, "how": "paired",
    }  # fmt: skip
    assert (one["p"], other["p"], other["apart"], tree["a"]["seeds"]) == (0.08, None, None, [0])
    assert "items" not in tree


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "-"), (0.0, "0.000"), (0.5, "0.500"), (-123.456, "-123.456"), (1e-11, "1e-11"),
     (0.00123, "0.00123"), (14e9, "1.4e+10")],
)  # fmt: skip
def test_numbers_are_short_and_never_round_to_nothing(value: float | None, shown: str) -> None:
    assert comparetext._number(value) == shown


def test_visible_keeps_what_may_be_shown() -> None:
    assert comparetext.visible("Grüße, 漢字 🙂") == "Grüße, 漢字 🙂"
    assert comparetext.visible("a\tb\\") == "a\\tb\\"
    assert comparetext.visible("abc", 2) == "ab ..."


@pytest.mark.parametrize("form", ["text", "md", "json"])
def test_the_verb_reads_records_alone(tmp_path: Path, form: str) -> None:
    keep(tmp_path, "di", DI)
    keep(tmp_path, "npo", NPO)
    place = ["--results", str(tmp_path / "results"), "--cache", str(tmp_path / "none")]
    names = [f"toy/default/builtin--nano/{method}" for method in ("di", "npo")]
    told = CliRunner().invoke(app, ["compare", *names, "--format", form, *place])
    assert told.exit_code == 0, told.output
    assert "quality" in told.output
    assert not (tmp_path / "none").exists()
    wrong = CliRunner().invoke(app, ["compare", names[0], f"{names[1]}-7", *place])
    assert wrong.exit_code == 2
    assert len(wrong.output.strip().splitlines()) == 1


def test_nothing_told_apart_is_no_number() -> None:
    assert math.isnan(comparison.Contrast("c", "", "", None, None).p)
