"""From a record back to its run: the same cell, or one line that says what is not the same."""

from pathlib import Path

import pytest

from di_bench import origin
from di_bench.errors import MethodError, StoreError, SuiteError
from di_bench.record import Record
from di_bench.run import Run
from di_bench.work import Choice
from tests import toy
from tests.toy import line


def made(path: Path, name: str = "di-1") -> tuple[Run, Record]:
    """A run of the toy suite, and its record."""
    run = toy.runs(path)[name]
    model = {"name": run.base.name, "id": run.base.id}
    keys = {"weights": run.weights_key, "scores": run.scores_key}
    return run, toy.record(model=model, seed=run.seed, keys=keys)


def asked(record: Record, path: Path) -> Choice:
    return origin.choice(record, str(path), [str(path.parent / "model")], ())


def test_a_record_leads_to_the_run_that_made_it(tmp_path: Path) -> None:
    path = toy.write(tmp_path)
    run, record = made(path)
    found = origin.run(record, asked(record, path), toy.store(tmp_path))
    assert (found.name, found.scores_key) == (run.name, run.scores_key)
    assert record.name == run.name


def test_a_changed_key_is_no_origin_but_still_a_cell(tmp_path: Path) -> None:
    path = toy.write(tmp_path)
    run, record = made(path)
    stale = record.model_copy(update={"keys": {"weights": "other", "scores": "other"}})
    choice, store = asked(record, path), toy.store(tmp_path)
    with pytest.raises(StoreError) as error:
        origin.run(stale, choice, store)
    assert line(error.value) == (
        f"{run.name}: its method, suite, data, libraries or device changed since; make it again "
        "with `di-bench run`"
    )
    assert origin.cell(stale, choice, store, "plan").name == run.name


def test_what_cannot_be_found_is_said_with_its_mend(tmp_path: Path) -> None:
    path = toy.write(tmp_path)
    _, record = made(path)
    store = toy.store(tmp_path)
    with pytest.raises(SuiteError, match="'toy' is not a packaged suite; name its file: --suite"):
        origin.choice(record, None, (), ())
    for changes, kind, said in (
        ({"variant": "+strength=3"}, StoreError, "di+strength=3-1: not a cell of this suite; give"),
        ({"method": "mine"}, MethodError, "'mine' is neither packaged nor in the suite; name its"),
        ({"settings": {"checkpoint": "x"}}, MethodError, "di: unlearned elsewhere; copy it from"),
    ):
        other = record.model_copy(update=changes)
        with pytest.raises(kind) as error:
            origin.cell(other, asked(other, path), store)
        assert said in line(error.value)
