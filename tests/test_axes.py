"""Axes: each part of a suite is a grid of its own, and a step goes on from the one before it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from di_bench import suite as suites
from di_bench.board import boards
from di_bench.errors import CorpusError, MethodError, SuiteError
from di_bench.gate import check
from di_bench.gatefile import Gate
from di_bench.method import NONE, RETRAIN
from di_bench.run import Run
from di_bench.runner import jobs
from di_bench.side import Kept, Side
from di_bench.spec import changes_of, merged
from tests import toy
from tests.test_run import layers, moved

FORGET, RETAIN = ({"file": f"{split}.jsonl"} for split in ("forget", "retain"))
SIZES = {
    "1": {"forget": FORGET | {"limit": 1}},
    "all": {"forget": FORGET, "retain": RETAIN | {"limit": 3}},
}
REQUESTS = ("first", "second", "third")


def sized(folder: Path, changes: dict[str, Any] | None = None) -> Path:
    return toy.write(folder, {"forget_sizes": SIZES} | (changes or {}))


def requested(folder: Path, changes: str = "{}") -> Path:
    """The toy suite with three requests, of two, one and one items."""
    path = toy.write(folder)
    cuts = {"first": {"limit": 2}, "second": {"skip": 2, "limit": 1}, "third": {"skip": 3}}
    splits = {name: FORGET | cut for name, cut in cuts.items()} | {"retain": RETAIN}
    tree = yaml.safe_load(path.read_text("utf-8")) | {"requests": [*REQUESTS]}
    tree["corpus"]["splits"] = splits
    tree["probes"]["newest"] = {"ask": "read", "split": "request"}
    tree["metrics"]["newest"] = {"exact_memorization": "newest"}
    whole = merged(tree, changes_of([f"all={changes}"])["all"])
    path.write_text(yaml.safe_dump(whole, sort_keys=False), "utf-8")
    return path


def steps(path: Path, method: str = "di", seed: int = 0, **choice: Any) -> list[Run]:  # noqa: ANN401 - fields of Choice
    cells = toy.runs(path, **choice)
    return [cells[f"{method}+request={n}-{seed}"] for n in (1, 2, 3)]


def test_every_size_is_a_cell_and_changes_go_behind_it(tmp_path: Path) -> None:
    path = sized(tmp_path)
    assert [*toy.runs(path, "di", seeds=[0])] == [
        f"{method}+size={size}-0" for size in SIZES for method in ("none", "retrain", "di")
    ]
    changed = toy.runs(path, "di", seeds=[0], changes=["recipe.lr=0.1"])
    assert "di+size=all+recipe.lr=0.1-0" in changed
    assert "none+size=all-0" in changed


def test_a_size_is_grown_forgotten_and_compared_alone(tmp_path: Path) -> None:
    cells = toy.runs(sized(tmp_path))
    small, whole = cells["di+size=1-0"], cells["di+size=all-0"]
    assert [len(run.corpus["forget"]) for run in (small, whole)] == [1, 4]
    assert [len(run.corpus["retain"]) for run in (small, whole)] == [4, 3]
    assert small.target.key != whole.target.key
    assert small.gold.key != whole.gold.key
    assert moved(small, whole) == {*layers(small)}
    for run in (small, whole):
        (gold,) = run.golds("gold")
        assert {other.part.name for other in (*run.golds("golds"), *run.others)} == {run.part.name}
        assert (gold.gold.key, gold.seed) == (run.gold.key, 0)


def test_a_size_has_the_keys_of_a_suite_of_its_own(tmp_path: Path) -> None:
    alone = toy.runs(toy.write(tmp_path))["di-0"]
    among = toy.runs(sized(tmp_path, {"forget_sizes": {"all": {"retain": RETAIN}}}))
    assert layers(among["di+size=all-0"]) == layers(alone)
    assert (alone.part.name, alone.before) == ("", None)


def test_steps_have_one_target_and_golds_that_know_the_requests_to_come(tmp_path: Path) -> None:
    path = requested(tmp_path)
    runs = steps(path)
    assert [len(run.corpus["forget"]) for run in runs] == [2, 3, 4]
    assert [len(run.corpus["request"]) for run in runs] == [2, 1, 1]
    assert {run.target.key for run in runs} == {runs[0].target.key}
    assert {run.target.splits for run in runs} == {(*REQUESTS, "retain")}
    assert [run.gold.splits for run in runs] == [
        ("second", "third", "retain"), ("third", "retain"), ("retain",),
    ]  # fmt: skip
    for method in (NONE, RETRAIN):
        assert [run.before for run in steps(path, method)] == [None] * 3
    assert len({run.weights_key for run in steps(path, NONE)}) == 1
    assert len({run.weights_key for run in steps(path, RETRAIN)}) == 3
    for run in runs:
        assert all(other.part is run.part for other in run.others)


def test_a_step_goes_on_from_the_same_cell_before_it(tmp_path: Path) -> None:
    one, two, three = steps(requested(tmp_path))
    assert (one.before, two.before, three.before) == (None, one, two)
    assert three.earlier == (one, two)
    (lr, *_) = [run.before for run in toy.runs(
        requested(tmp_path), "di", changes=["recipe.lr=0.1"], seeds=[1]
    ).values() if run.before]  # fmt: skip
    assert lr is not None
    assert lr.name.endswith("/di+request=1+recipe.lr=0.1-1")


def test_the_key_of_a_step_holds_that_of_the_step_before(tmp_path: Path) -> None:
    path = requested(tmp_path)
    before, seeds = steps(path), steps(path, seed=1)
    other = steps(requested(tmp_path, "{corpus: {splits: {first: {limit: 1}}}}"))
    for old, new in zip(before, other, strict=True):  # the target learnt the first request
        assert "weights" in moved(old, new)
    reached = Run(before[1].suite, before[1].part, before[1].base, before[1].method, 0)
    object.__setattr__(reached, "before", seeds[0])
    assert reached.weights_key != before[1].weights_key
    asked = steps(requested(tmp_path, "{probes: {newest: {limit: 1}}}"))
    for old, new in zip(before, asked, strict=True):
        assert moved(old, new) == {"newest", "scores"}


def test_a_worker_is_sent_to_a_step_when_the_one_before_is_asked(tmp_path: Path) -> None:
    path = requested(tmp_path)
    work = toy.work(path, "di", seeds=[0])
    found = {job.name: job for job in jobs(work.runs, work.store)}
    one, two, three = (f"ask {run.name}" for run in steps(path))
    assert found[three].needs == {two}
    assert found[two].needs == {one}
    assert found[one].needs == {f"grown {steps(path)[0].target.key}"}
    alone = {job.name: job for job in jobs([steps(path)[2]], work.store)}
    assert alone[three].needs == {two}


BAD = {
    "{forget_sizes: {'1': {}}}": "requests: a suite has forget_sizes or requests, not both",
    "{requests: [first, secnd]}": "requests.1: unknown split 'secnd'; did you mean 'second'?",
    "{requests: [first, first]}": "requests.1: 'first' is requested twice; list it once",
    "{requests: [first, retain]}": "requests.1: retain is what must stay",
    "{requests: first}": "requests: must be a list, not 'first'",
    "{corpus: {splits: {forget: {file: forget.jsonl}}}}":
        "corpus.splits.forget: is made of the requests; take it out",
    "{corpus: {splits: {request: {file: forget.jsonl}}}}":
        "corpus.splits.request: is made of the requests; take it out",
    "{models: [{id: builtin/nano, retain: x}]}":
        "models.0.retain: one gold cannot serve every request; leave it out and golds are grown",
    "{peft: {kind: qlora}}": "peft.kind: qlora: four bits cannot take an adapter in",
    "{probes: {newest: {split: requst}}}":
        "probes.newest.split: unknown split 'requst'; did you mean 'request'?",
    "{requests: [], forget_sizes: {'1': {retain: {file: x}}}}":
        "forget_sizes.1.forget: missing; add it",
    "{requests: [], forget_sizes: {1: {retain: {file: x}}}}":
        "forget_sizes.1: must be text, not 1; quote it",
    "{requests: [], forget_sizes: {'1': {forget: {fil: x}}}}":
        "forget_sizes.1.forget.fil: unknown key; did you mean 'file'?",
    "{requests: [], forget_sizes: {a/b: {forget: {file: x}}}}":
        "forget_sizes.a/b: a size is part of file names; 'a/b' has more than letters",
    "{requests: [], corpus: {splits: {forget: {file: x}}}, forget_sizes: {'1': {}},"
    " models: [{id: builtin/nano, retain: x}], probes: {newest: {split: forget}}}":
        "models.0.retain: one gold cannot serve every forget size",
    "{requests: [], forget_sizes: {'1': {forget: {file: x}, more: {file: x}},"
    " '2': {forget: {file: x}}}, probes: {newest: {split: more}}}":
        "probes.newest.split: unknown split 'more'",
}  # fmt: skip


@pytest.mark.parametrize("changes", BAD)
def test_an_axis_that_cannot_be_is_refused_in_one_line(tmp_path: Path, changes: str) -> None:
    path = requested(tmp_path, changes)
    with pytest.raises(SuiteError) as error:
        suites.load(path)
    where, _, said = toy.line(error.value).removeprefix(f"{path}:").partition(": ")
    assert where.isdecimal()
    assert said.startswith(BAD[changes])


def test_an_item_of_two_requests_or_of_retain_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="item 'forget/3' of second is 'forget/3' of first"):
        steps(requested(tmp_path, "{corpus: {splits: {first: {limit: 3}}}}"))
    with pytest.raises(CorpusError, match="item 'retain/4' of forget is 'retain/4' of retain"):
        steps(requested(tmp_path, "{corpus: {splits: {third: {file: retain.jsonl}}}}"))


def test_a_method_that_changes_predictions_alone_is_refused(tmp_path: Path) -> None:
    path = requested(tmp_path)
    for name in ("uld", "dp_decoding", "contrastive"):
        with pytest.raises(MethodError) as error:
            toy.work(path, name)
        assert f"{name}.py: changes predictions beside weights" in toy.line(error.value)
    last = "{requests: [third], corpus: {splits: {second: {limit: 1}}}}"
    assert len(toy.work(requested(tmp_path, last), "uld", seeds=[0]).runs) == 3


def test_tuning_wants_a_suite_without_axes(tmp_path: Path) -> None:
    path = requested(tmp_path, "{tune: {lower: accuracy}}")
    with pytest.raises(SuiteError, match=r"toy\.yaml: tune: settings are looked for without"):
        suites.load(path, tuning=True)


def test_a_request_by_name_should_be_as_its_golds_have_it(tmp_path: Path) -> None:
    changes = (
        "{probes: {one: {ask: read, split: first}}, metrics: {one: {exact_memorization: one}}}"
    )
    suite = suites.load(requested(tmp_path, changes))
    assert [suite.better(name) for name in ("accuracy", "newest", "one", "kept")] == [
        "lower", "lower", "gold", "higher",
    ]  # fmt: skip


def test_parts_are_named_before_their_data_are_here(tmp_path: Path) -> None:
    splits = {name: {"hub": "org/data", "split": name} for name in ("forget", "retain")}
    sizes = {"1": {"forget": {"hub": "org/other", "split": "x"}}}
    hub = {"corpus": {"name": "far", "splits": splits}, "forget_sizes": sizes}
    path = toy.write(tmp_path, {"models": ["builtin/nano"], "profiles": {"hub": hub}})
    planned = toy.work(path, "di", profile="hub", seeds=[0])
    assert [name for name, _ in planned.states()] == [
        f"builtin--nano/{method}+size=1-0" for method in ("none", "retrain", "di")
    ]
    assert planned.outlook().endswith("data not on this machine: org/data, org/other")


def test_each_part_has_a_board_in_the_suites_order(tmp_path: Path) -> None:
    suite = suites.load(requested(tmp_path))
    records = [
        toy.record(axis=f"request={n}", seed=seed, corpus={"name": "c", "forget": str(9 - n)},
                   formulas={}, scores={"accuracy": n / 4}, method=method)
        for n in (3, 1, 2, 7) for seed in (0, 1) for method in ("di", "none")
    ]  # fmt: skip
    made = boards(records, suite)
    model = ": builtin/nano"
    assert [board.title for board in made] == [
        *(f"Toy protocol, c, request {n} of 3{model}" for n in (1, 2, 3)),
        f"Toy protocol, c, request 7{model}",
    ]
    assert [line.method for line in made[0].lines] == ["none", "di"]
    assert [str(board.lines[0].cells["accuracy"])[:4] for board in made[:3]] == [
        "0.25", "0.50", "0.75",
    ]  # fmt: skip
    sizes = suites.load(sized(tmp_path))
    (board,) = boards([toy.record(axis="size=1")], sizes)
    assert board.title == "Toy protocol, toy secrets, forget size 1: builtin/nano"


def test_the_gate_compares_each_part_with_its_own() -> None:
    theirs = [
        toy.record(axis=f"size={n}", corpus={"name": str(n)}, seed=seed)
        for n in (1, 2)
        for seed in (0, 1)
    ]
    scores = {"scores": theirs[2].scores | {"accuracy": 0.9}}
    worse = [record.model_copy(update=scores) for record in theirs[2:]]
    mine, others = (Side.of(map(Kept, kept)) for kept in ([*theirs[:2], *worse], theirs))
    found = check(mine, others, Gate())
    assert {(f.method, f.column) for f in found if f.verdict == "worse"} == {
        ("di+size=2", "accuracy")
    }
    assert theirs[2].row == "di"
