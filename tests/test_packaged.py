"""The packaged suites as their users meet them: planned whole, without a network."""

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from di_bench.cli import app

SUITES = sorted((Path(__file__).parents[1] / "suites").glob("*.yaml"))
EVERY = [
    (file.stem, profile)
    for file in SUITES
    for profile in ("default", *yaml.safe_load(file.read_text("utf-8")).get("profiles", {}))
]


@pytest.mark.parametrize(("suite", "profile"), EVERY)
def test_every_profile_is_planned_offline(suite: str, profile: str, tmp_path: Path) -> None:
    folders = ["--results", str(tmp_path / "results"), "--cache", str(tmp_path / "cache")]
    planned = CliRunner().invoke(app, ["plan", suite, "--profile", profile, *folders])
    said = " ".join(planned.output.split())
    if "add --set corpus.path=DIR" in said:  # its rows are in files of the user's
        assert planned.exit_code == 2, said
        assert profile in ("text", "files", "arrays-offline") or "files" in profile
    else:
        assert planned.exit_code == 0, said
        assert " to do" in said or "data not on this machine" in said
