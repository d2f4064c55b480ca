"""From scores to a record: what was run, on what, at what cost."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import torch

from di_bench import __version__, lm
from di_bench.asks import OfItems
from di_bench.corpus import TRAINED
from di_bench.device import device
from di_bench.lineage import Base
from di_bench.metrics.metric import Score
from di_bench.model import parted
from di_bench.recipe import heard
from di_bench.record import Record
from di_bench.run import Run
from di_bench.size import size
from di_bench.store import Store


def record(
    store: Store, run: Run, scores: Mapping[str, Score], settings: Mapping[str, Any]
) -> Record:
    """What to keep of a run, given its scores (none for a run that failed)."""
    suite, asked = (
        run.suite,
        {p.split for p in run.suite.probes.values() if isinstance(p, OfItems)},
    )
    cost, curve = _cost(store, run)
    known = {column: score for column, score in scores.items() if score.value is not None}
    return Record(
        suite=suite.name,
        profile=suite.profile,
        title=suite.title,
        corpus={
            "name": run.corpus.name,
            **{split: run.corpus.digest([split]) for split in (*TRAINED, *run.part.learnt)},
            "asked": run.corpus.digest(sorted(asked)),
            **{f"revision of {hub}": sha for hub, sha in run.corpus.revisions.items()},
        },
        model=_model(run.base),
        parameters=_parameters(run.base),
        method=run.method.name,
        axis=run.part.name,
        variant=run.variant,
        trials=run.trials,
        seed=run.seed,
        grow_seed=run.grow_seed,
        status="done",
        settings=heard(settings),
        peft=suite.peft.model_dump(mode="json") if suite.peft else None,
        setup=run.setup,
        keys={"weights": run.weights_key, "scores": run.scores_key},
        formulas=dict(run.formulas),
        better={column: suite.better(column) for column in suite.metrics},
        scores={column: score.value for column, score in scores.items()},
        parts={column: dict(score.parts) for column, score in known.items() if score.parts},
        gaps={column: score.gap for column, score in scores.items() if score.value is None},
        curve=curve,
        cost=cost,
        environment=_environment(),
    )


def _cost(store: Store, run: Run) -> tuple[dict[str, float], list[float]]:
    asked = [store.path("transcripts", key) / "seconds" for key in run.transcript_keys.values()]
    asking = {"asking_seconds": sum(float(f.read_text("utf-8")) for f in asked if f.exists())}
    if not store.has("cost", run.weights_key):
        return asking, []
    kept = json.loads((store.path("cost", run.weights_key) / "cost.json").read_text("utf-8"))
    return kept["cost"] | asking, kept["curve"]


def _model(base: Base) -> dict[str, Any]:
    spec = base.spec
    return {
        "name": base.name,
        "id": base.id,
        "revision": spec.revision,
        "digest": None if spec.builtin else base.digest,
        "template": spec.template,
        **({"system": spec.system, "date": spec.date} if spec.template == "chat" else {}),
        **({"target": base.target, "retain": base.retain} if base.target or base.retain else {}),
        "dtype": base.dtype,
    }


def _parameters(base: Base) -> int | None:
    """Of the target where one is given: the base itself may never have been loaded."""
    spec = base.spec
    if spec.builtin:
        return size(spec.id).parameters
    name, revision = parted(spec.target) if spec.target else (spec.id, spec.revision)
    return lm.parameters(name, revision)


def _environment() -> dict[str, str]:
    libraries = ("torch", "transformers", "peft", "lm-eval", "mauve-text", "rouge-score", "numpy")
    gpu = torch.cuda.get_device_name() if device() == "cuda" else ""
    return {
        "di-bench": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "device": gpu or device(),
        **{name: version(name) for name in libraries},
    }
