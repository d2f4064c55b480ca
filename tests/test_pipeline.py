"""One run from nothing to a record: what another run that failed leaves behind."""

from dataclasses import replace
from pathlib import Path

from di_bench import recording
from di_bench.lm import LM
from di_bench.pipeline import Pipeline
from tests import toy


def test_a_gold_that_failed_leaves_a_gap_that_is_tried_again(suite_file: Path, lm: LM) -> None:
    cells = toy.runs(suite_file, "none")
    pipeline = Pipeline(toy.store(suite_file.parent))
    (gold,) = cells["none-0"].others
    pipeline.failed(gold, RuntimeError("out of memory"))
    record = pipeline.grade(cells["none-0"])
    assert record.gaps == {"quality": "no gold model to compare with"}
    assert record.scores["accuracy"] is not None
    assert record.parameters == sum(p.numel() for p in lm.model.parameters())
    assert pipeline.store.finished(cells["none-0"]) is None
    pipeline.grade(gold)  # repaired
    assert pipeline.grade(cells["none-0"]).gaps == {}
    assert pipeline.store.finished(cells["none-0"]) is not None


def test_a_record_of_other_weights_says_nothing_of_a_gold(suite_file: Path) -> None:
    cells = toy.runs(suite_file, "none")
    pipeline = Pipeline(toy.store(suite_file.parent))
    (gold,) = cells["none-0"].others
    old = pipeline.failed(gold, RuntimeError("out of memory"))
    pipeline.store.keep(gold, old.model_copy(update={"keys": old.keys | {"weights": "old"}}), {})
    assert pipeline.grade(cells["none-0"]).gaps == {}


def test_a_given_target_is_the_model_that_is_counted(suite_file: Path, tmp_path: Path) -> None:
    run = toy.runs(suite_file, "none")["none-0"]
    folder = str(toy.model(tmp_path / "given"))  # whose config says nothing
    spec = run.base.spec.model_copy(update={"target": folder})
    given = replace(run, base=replace(run.base, spec=spec))
    store = toy.store(suite_file.parent)
    assert recording.record(store, given, {}, {}).parameters is None
    spec = spec.model_copy(update={"id": "no/such", "target": run.base.spec.id})
    given = replace(run, base=replace(run.base, spec=spec))
    counted = recording.record(store, given, {}, {}).parameters
    assert counted == recording.record(store, run, {}, {}).parameters
