"""What there is to choose from."""

from pathlib import Path

import pytest

from di_bench import __version__, listing, methodfile, suite
from di_bench.composite import COMPOSITES
from di_bench.errors import ModelError
from di_bench.metrics import VERSIONS
from di_bench.size import SIZES, size


def test_every_packaged_method_is_listed_with_a_line_about_it() -> None:
    rows = dict(row.split(maxsplit=1) for row in listing.methods().splitlines())
    assert set(rows) == {file.stem for file in methodfile.PACKAGED.glob("*.py")}
    assert rows["none"].startswith("No unlearning")


def test_every_metric_is_listed_with_version_direction_and_source() -> None:
    blocks = listing.metrics().split("\n\n")
    heads = [block for block in blocks if not block.startswith(" ")]
    assert [head.partition(" ")[0] for head in heads] == list(VERSIONS)
    for head, metric in zip(heads, VERSIONS.values(), strict=True):
        assert head.startswith(f"{metric.name}@{metric.version} ({metric.group}")
        assert f"; better: {metric.better}; reads: " in head
        assert len(head.splitlines()) > 1, f"{metric.name} has no documentation"


def test_every_composite_is_listed_with_formula_selection_and_source() -> None:
    blocks = listing.composites().split("\n\n")
    assert [block.splitlines()[0] for block in blocks] == list(COMPOSITES)
    for block, composite in zip(blocks, COMPOSITES.values(), strict=True):
        assert composite.text in block
        assert all(need.formula in block for need in composite.needs.values())
        assert "    Selection: " in block
        assert "    Source: ours, after " in block


def test_every_packaged_suite_is_listed_with_its_profiles() -> None:
    rows = listing.suites().splitlines()
    assert [row.split()[0] for row in rows] == sorted(p.stem for p in suite.PACKAGED.glob("*.yaml"))
    assert all("profiles: default" in row for row in rows)


def test_every_built_in_size_is_listed_with_its_weights() -> None:
    text = listing.models()
    assert all(name in text for name in SIZES)
    assert "safetensors" in text.splitlines()[-1]
    for name, millions in {"builtin/nano": 0.3, "builtin/micro": 1.0, "builtin/mini": 4.0}.items():
        assert size(name).parameters / 1e6 == pytest.approx(millions, rel=0.25)
    with pytest.raises(
        ModelError, match="no built-in model 'builtin/mino'; did you mean 'builtin/mi"
    ):
        size("builtin/mino")


def test_doctor_names_versions_device_and_a_cache_that_is_not_there_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    text = listing.doctor(tmp_path / "not" / "yet")
    rows = {row[:14].strip(): row[15:] for row in text.splitlines()}
    assert rows["di-bench"] == __version__
    assert rows["device"] == "cpu"
    assert rows["hub"] == "off (HF_HUB_OFFLINE)"
    assert rows["cache"].startswith(f"{tmp_path / 'not' / 'yet'} (")
    assert "missing" not in rows["torch"]
    assert not (tmp_path / "not").exists()
