"""One run from nothing to a record: what another run that failed leaves behind."""

from pathlib import Path

from di_bench.pipeline import Pipeline
from tests import toy


def test_a_gold_that_failed_leaves_a_gap_that_is_tried_again(suite_file: Path) -> None:
    cells = toy.runs(suite_file, "none")
    pipeline = Pipeline(toy.store(suite_file.parent))
    (gold,) = cells["none-0"].others
    pipeline.failed(gold, RuntimeError("out of memory"))
    record = pipeline.grade(cells["none-0"])
    assert record.gaps == {"quality": "no gold model to compare with"}
    assert record.scores["accuracy"] is not None
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
