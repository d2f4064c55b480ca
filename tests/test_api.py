"""Notebooks: the same work through two functions, and a frame of what the board shows."""

import subprocess
import sys
from pathlib import Path

import pytest

from di_bench import api


def test_a_notebook_runs_a_suite_and_reads_its_board(
    suite_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DI_BENCH_CACHE", str(tmp_path / "cache"))
    results = tmp_path / "results"
    made = api.run(str(suite_file), ["di"], results=results, changes=["seeds=[0]"])
    assert list(made["method"].unique()) == ["none", "retrain", "di"]
    (row,) = made.query("method == 'di' and metric == 'accuracy'").to_dict("records")
    assert 0 <= row["mean"] <= 1
    assert row["seeds"] == 1
    assert api.board(str(suite_file), results=results).equals(made)
    more = api.board(str(suite_file), composites=["hm-memory-utility"], results=results)
    assert set(more["metric"]) - set(made["metric"]) == {"hm-memory-utility@1"}


def test_every_name_of_the_api_is_there() -> None:
    for name in api.__all__:
        assert getattr(api, name) is not None, name
    with pytest.raises(AttributeError, match="no 'LLM'"):
        _ = api.LLM


def test_importing_the_api_loads_nothing_heavy() -> None:
    code = "import di_bench.api, sys; sys.exit('torch' in sys.modules or 'pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
