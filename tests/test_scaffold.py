"""`new method`: what it writes runs and passes as it is; what it refuses costs one line."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from di_bench.cli import app
from di_bench.methodfile import MethodFile

ROOT = Path(__file__).parents[1]


def cli(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_it_says_what_to_try_and_both_files_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = cli("new", "method", "sparing_ascent")
    assert made.exit_code == 0, made.output
    assert made.output.splitlines() == [
        "di-bench run tofu ./sparing_ascent.py --model builtin/nano --seed 0",
        "pytest test_sparing_ascent.py",
    ]
    assert files(tmp_path) == ["sparing_ascent.py", "test_sparing_ascent.py"]
    text = (tmp_path / "sparing_ascent.py").read_text(encoding="utf-8")
    assert "class SparingAscentUnlearning(Method):" in text
    assert MethodFile(tmp_path / "sparing_ascent.py").summary.startswith("sparing_ascent: ")


def test_another_folder_is_made_and_named_in_what_to_try(tmp_path: Path) -> None:
    folder = tmp_path / "a b" / "c"
    made = cli("new", "method", "fit", "--to", folder)  # also a name its imports use
    assert made.exit_code == 0, made.output
    assert made.output.splitlines()[1] == f"pytest '{folder / 'test_fit.py'}'"
    assert MethodFile(folder / "fit.py").load({"retain": 2}).retain == 2.0  # type: ignore[attr-defined]  # its field


def test_the_written_test_passes_on_its_own(tmp_path: Path) -> None:
    assert cli("new", "method", "sparing", "--to", tmp_path).exit_code == 0
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_sparing.py"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "PATH": "", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_the_written_method_passes_the_house_checks(tmp_path: Path) -> None:
    assert cli("new", "method", "sparing", "--to", tmp_path).exit_code == 0
    for command in (["format", "--check"], ["check"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--config", ROOT / "pyproject.toml"]
        ours = 'lint.isort.known-first-party=["di_bench"]'
        more = ["--per-file-ignores", "*:D", "--config", ours] if command == ["check"] else []
        done = subprocess.run(
            [*map(str, ruff), *more, "--no-cache", "."],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_written_method_runs_in_a_suite(suite_file: Path, folders: list[str]) -> None:
    assert cli("new", "method", "sparing", "--to", suite_file.parent).exit_code == 0
    tree = yaml.safe_load(suite_file.read_text(encoding="utf-8"))
    suite_file.write_text(yaml.safe_dump(tree | {"seeds": [0]}), encoding="utf-8")
    method = suite_file.parent / "sparing.py"
    done = cli(
        "run", suite_file, method, "--set", f"methods={{{method}: {{retain: 2}}}}",
        "--workers", "1", *folders,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert next(Path(folders[1]).rglob("sparing+retain=2-0.json"))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("my-method", "no Python name; use letters"),
        ("../up", "no Python name"),
        ("", "no Python name"),
        ("class", "no Python name"),
        ("di", "'di' is a packaged method"),
        ("random", "the name of a Python module"),
        ("torch", "the name of a Python module"),
    ],
)
def test_a_name_that_cannot_be_is_refused(tmp_path: Path, name: str, said: str) -> None:
    made = cli("new", "method", name, "--to", tmp_path / "new")
    assert made.exit_code == 2
    assert said in made.output
    assert len(made.output.strip().splitlines()) == 1
    assert files(tmp_path) == []


@pytest.mark.parametrize("there", ["sparing.py", "test_sparing.py"])
def test_nothing_is_written_over(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("mine", encoding="utf-8")
    made = cli("new", "method", "sparing", "--to", tmp_path)
    assert made.exit_code == 2
    assert re.search(rf"{there}: is there already; choose another name", made.output)
    assert files(tmp_path) == [there]
    assert (tmp_path / there).read_text(encoding="utf-8") == "mine"


def test_both_are_written_or_neither(tmp_path: Path) -> None:
    (tmp_path / "test_sparing.py").symlink_to(tmp_path / "nowhere" / "at all")
    made = cli("new", "method", "sparing", "--to", tmp_path)
    assert made.exit_code == 2
    assert "cannot be written to (File exists); choose another: --to DIR" in made.output
    assert files(tmp_path) == ["test_sparing.py"]
    (tmp_path / "file").touch()
    made = cli("new", "method", "sparing", "--to", tmp_path / "file")
    assert made.exit_code == 2
    assert len(made.output.strip().splitlines()) == 1


def test_without_a_kind_it_says_what_there_is() -> None:
    shown = cli("new")
    assert "method" in shown.output
    assert cli("new", "suit", "x").exit_code == 2
