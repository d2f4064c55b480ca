"""The wheel carries suites and methods, and works far from the checkout."""

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def sh(*command: str | Path, cwd: Path) -> str:
    """What a command prints; its errors are the test's."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a fresh environment that has the wheel and sees the outer packages."""
    folder = tmp_path_factory.mktemp("wheel")
    sh(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    (wheel,) = folder.glob("*.whl")
    home = folder / "env"
    venv.create(home, with_pip=False, symlinks=True)
    (site,) = home.glob("lib/python*/site-packages")
    (site / "outer.pth").write_text(sysconfig.get_paths()["purelib"], encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "--python", str(home / "bin" / "python")]
    sh(*pip, "install", "--quiet", "--no-deps", "--no-index", wheel, cwd=folder)
    return home / "bin"


def test_methods_and_suites_are_found_from_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    where = sh(
        installed / "python", "-c", "import di_bench; print(di_bench.__file__)", cwd=tmp_path
    )
    assert Path(where.strip()).is_relative_to(installed.parent)
    assert Path(where.strip()).with_name("board.schema.json").exists()
    listed = sh(installed / "di-bench", "list", "methods", cwd=tmp_path)
    assert [line.split()[0] for line in listed.splitlines()] == sorted(
        file.stem for file in (ROOT / "baselines").glob("*.py")
    )
    assert "tofu" in sh(installed / "di-bench", "list", "suites", cwd=tmp_path)
    count = "from di_bench.published import figures; print(len(figures()))"
    assert int(sh(installed / "python", "-c", count, cwd=tmp_path)) > 1000
    assert "54 cells" in sh(installed / "di-bench", "plan", "tofu", cwd=tmp_path)
    listing = "from di_bench.report import FOLDER, SCRIPTS; print(*(FOLDER / s for s in SCRIPTS))"
    scripts = sh(installed / "python", "-c", listing, cwd=tmp_path).split()
    assert all(Path(script).is_file() for script in scripts)
