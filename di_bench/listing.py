"""What is there to choose from, and what this machine has, as text."""

import inspect
import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from di_bench import __version__, methodfile, suite
from di_bench.composite import COMPOSITES
from di_bench.device import device
from di_bench.errors import SuiteError
from di_bench.methodfile import MethodFile
from di_bench.metrics import VERSIONS
from di_bench.metrics.metric import Metric
from di_bench.size import SIZES
from di_bench.spec import read_yaml

_LIBRARIES = (
    "torch",
    "transformers",
    "peft",
    "lm-eval",
    "mauve-text",
    "rouge-score",
    "datasets",
    "pandas",
)


def methods() -> str:
    """Every packaged method with the first line of its file."""
    files = sorted(methodfile.PACKAGED.glob("*.py"))
    width = max(len(file.stem) for file in files)
    return "\n".join(f"{file.stem:<{width}} {MethodFile(file).summary}" for file in files)


def metrics() -> str:
    """Every metric: version, group, direction, what it reads, and its documentation."""
    return "\n\n".join(
        f"{m.formula} ({_group(m)}; better: {m.better}; reads: {', '.join(m.asks)})\n"
        + "\n".join(f"    {line}" for line in (inspect.getdoc(m.compute) or "").splitlines())
        for m in VERSIONS.values()
    )


def _group(metric: Metric) -> str:
    return metric.group + (", on what must stay utility" if metric.better == "memory" else "")


def composites() -> str:
    """Every composite: version, formula, ingredients, selection rule, source."""
    return "\n\n".join(
        "\n".join([
            name,
            f"    {one.text}",
            *(f"    {key}: {need.formula} of {need.group}" for key, need in one.needs.items()),
            f"    Selection: {one.selection}.",
            f"    Source: {one.source}.",
        ])
        for name, one in COMPOSITES.items()
    )  # fmt: skip


def suites() -> str:
    """Every packaged suite with its profiles."""
    found = []
    for file in sorted(suite.PACKAGED.glob("*.yaml")):
        tree = read_yaml(file, SuiteError)
        profiles = ", ".join(["default", *(tree.get("profiles") or {})])
        found.append(f"{file.stem:<12} {tree.get('title', '')}; profiles: {profiles}")
    return "\n".join(found)


def models() -> str:
    """The built-in sizes; any hub id or folder with safetensors works too."""
    rows = [
        f"{name:<15} {size.layers} layers of {size.hidden}, {size.parameters / 1e6:.1f}M weights"
        for name, size in SIZES.items()
    ]
    return "\n".join([*rows, "and any Hugging Face id or folder that holds safetensors"])


def doctor(cache: Path) -> str:
    """Versions, device, threads, folders and the hub."""
    there = cache
    while not there.exists():
        there = there.parent
    free = shutil.disk_usage(there).free / 1e9
    hub = (
        "off (HF_HUB_OFFLINE)"
        if os.environ.get("HF_HUB_OFFLINE") == "1"
        else "asked only when a suite names it"
    )
    rows = {
        "di-bench": __version__,
        "python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        **{name: _version(name) for name in _LIBRARIES},
        "device": device(),
        "cores": str(os.cpu_count()),
        "cache": f"{cache} ({free:.0f} GB free)",
        "hub": hub,
    }
    return "\n".join(f"{name:<14} {value}" for name, value in rows.items())


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing: install di-bench again"
