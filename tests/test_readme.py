"""The README says what is true: its board, its method, its tree."""

import re
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from di_bench.cli import app
from di_bench.methodfile import PACKAGED

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def made(*command: str) -> str:
    """What a command of the README prints, from the results beside it."""
    done = CliRunner().invoke(app, [*command, "--results", str(ROOT / "results")])
    assert done.exit_code == 0, done.output
    return done.output


def options(command: str) -> list[str]:
    """What stands behind a command in its block of the README."""
    behind = README.partition(command)[2].partition("```")[0]
    return behind.replace("\\\n", " ").split()


def table(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("|")]


def first(text: str) -> list[str]:
    """The board itself, without the ranks and sizes below it."""
    return table(text.partition("\nMean ±")[0])


@pytest.mark.parametrize("suite", ["tofu", "methods"])
def test_a_board_is_the_one_its_command_makes(suite: str) -> None:
    shown = README.partition(f"<!-- board of {suite}")[2].partition("<!-- end of board -->")[0]
    command = f"di-bench board {suite} --format md"
    assert table(shown) == first(made(*command.split()[1:], *options(command)))
    assert len(table(shown)) > 10


def test_the_figure_is_the_one_its_command_makes() -> None:
    command = "di-bench board tofu --profile ladder --format svg"
    *chosen, out, path = options(command)
    assert (out, f"]({path})" in README) == ("--out", True)
    assert (ROOT / path).read_text(encoding="utf-8") == made(*command.split()[1:], *chosen)


def test_the_comparison_is_the_one_its_command_makes() -> None:
    command = "di-bench compare tofu/default/builtin--nano/di tofu/default/builtin--nano/npo \\\n"
    shown = README.partition(command)[2].partition("```\n\n```\n")[2].partition("```")[0]
    assert shown == made(*command.rstrip("\\\n").split()[1:], *options(command))


def test_every_suite_and_board_is_there() -> None:
    listed = README.partition("## The suites")[2].partition("### Sizes")[0]
    for file in (ROOT / "suites").glob("*.yaml"):
        profiles = yaml.safe_load(file.read_text(encoding="utf-8")).get("profiles", {})
        (row,) = (line for line in table(listed) if line.startswith(f"| `{file.stem}` |"))
        for profile in ("default", *profiles):
            assert profile in row or profile.startswith("llama-3.2-1b-"), (file.stem, profile)
    for board in (ROOT / "results").rglob("LEADERBOARD.md"):
        assert f"]({board.relative_to(ROOT).as_posix()})" in README, board


def test_the_method_of_the_readme_runs(suite_file: Path, folders: list[str]) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    method = suite_file.parent / "sparing.py"
    method.write_text(code, encoding="utf-8")
    changes = ["--set", f"methods={{{method}: {{ceiling: 6}}}}", "--set", "seeds=[0]"]
    done = CliRunner().invoke(app, ["run", str(suite_file), *changes, "--workers", "1", *folders])
    assert done.exit_code == 0, done.output
    record = next(Path(folders[1]).rglob("sparing+ceiling=6-0.json")).read_text(encoding="utf-8")
    assert '"ceiling": 6.0' in record


def test_every_method_and_module_is_named() -> None:
    for file in PACKAGED.glob("*.py"):
        assert f"| `{file.stem}`" in README, file
    tree = README.partition("## The tree")[2]
    for file in (ROOT / "di_bench").glob("*.py"):
        assert file.stem == "__init__" or file.name in tree, file


def test_nothing_tracked_names_a_path_of_this_machine() -> None:
    files = [p for p in (ROOT / "results").rglob("*") if p.suffix in (".json", ".md")]
    assert files
    for path in [*files, ROOT / "README.md", ROOT / "CHANGELOG.md"]:
        text = path.read_text(encoding="utf-8")
        assert str(ROOT) not in text, path
        assert str(Path.home()) not in text, path
