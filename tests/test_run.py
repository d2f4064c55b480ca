"""Keys hold what work depends on and nothing more; the grid is every cell once, in order."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from di_bench import lineage
from di_bench import run as run_module
from di_bench import suite as suites
from di_bench.errors import SuiteError
from di_bench.overlay import leaves
from di_bench.run import Run
from di_bench.spec import changes_of
from tests import toy

EVERYTHING = {"weights", "forget", "retain", "answers", "stories", "judged", "scores"}
CELLS = ("none-0", "retrain-0", "di-0")


def runs(folder: Path, changes: Mapping[str, Any] | None = None) -> dict[str, Run]:
    return toy.runs(toy.write(folder, changes))


def layers(run: Run) -> dict[str, str]:
    return {"weights": run.weights_key, **run.transcript_keys, "scores": run.scores_key}


def moved(before: Run, after: Run) -> set[str]:
    """The layers of a run that must be done again."""
    old, new = layers(before), layers(after)
    return {name for name in old if old[name] != new[name]}


NOTHING: set[str] = set()
CHANGES: dict[str, tuple[Any, ...]] = {
    # the change, and what none, retrain and di do again
    "names": (
        {"title": "x", "corpus": {"name": "x"}, "board": ["kept"]}, NOTHING, NOTHING, NOTHING
    ),
    "a new probe": (
        {"probes": {"more": {"ask": "read", "split": "retain"}}}, NOTHING, NOTHING, NOTHING
    ),
    "a new metric": ({"metrics": {"prob": {"probability": "retain"}}}, *[{"scores"}] * 3),
    "how many are read": ({"probes": {"forget": {"limit": 2}}}, *[{"forget", "scores"}] * 3),
    "answers nobody grades": ({"probes": {"answers": {"new_tokens": 3}}}, *[{"answers"}] * 3),
    "sampling": ({"probes": {"stories": {"top_p": 0.5}}}, *[{"stories", "judged", "scores"}] * 3),
    "the recipe": ({"recipe": {"lr": 0.1}}, NOTHING, NOTHING, EVERYTHING),
    "a setting": ({"methods": {"di": {"strength": 3.0}}}, NOTHING, NOTHING, EVERYTHING),
    "another's setting": ({"methods": {"npo": {"beta": 3.0}}}, NOTHING, NOTHING, NOTHING),
    "an adapter": ({"peft": {"rank": 4}}, NOTHING, NOTHING, EVERYTHING),
    "refusals": ({"corpus": {"refusals": {"file": None}}}, NOTHING, NOTHING, EVERYTHING),
    "how long a text may be": ({"max_tokens": 8}, *[EVERYTHING] * 3),
    "growing": ({"grow": {"memorize": {"epochs": 1}}}, *[EVERYTHING] * 3),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_redoes_what_depends_on_it_and_nothing_else(tmp_path: Path, change: str) -> None:
    changes, *expected = CHANGES[change]
    before, after = runs(tmp_path), runs(tmp_path, changes)
    for cell, again in zip(CELLS, expected, strict=True):
        assert moved(before[cell], after[cell]) == again, cell


def test_moving_everything_changes_nothing(tmp_path: Path) -> None:
    before = runs(tmp_path / "here")
    after = runs(tmp_path / "far" / "away")
    assert {name: layers(run) for name, run in before.items()} == {
        name: layers(run) for name, run in after.items()
    }
    assert [run.name for run in before.values()] == [run.name for run in after.values()]


@pytest.mark.parametrize(
    ("split", "none", "retrain"),
    [
        ("forget", EVERYTHING, {"forget", "answers", "scores"}),
        ("retain", EVERYTHING, EVERYTHING),
    ],
)
def test_edited_data_are_learnt_and_asked_again(
    tmp_path: Path, split: str, none: set[str], retrain: set[str]
) -> None:
    before = runs(tmp_path)
    path = toy.write(tmp_path)
    data = tmp_path / "data" / f"{split}.jsonl"
    data.write_text(data.read_text("utf-8").replace(f"{split} 3.", "wrong."), encoding="utf-8")
    after = toy.runs(path)
    assert moved(before["none-0"], after["none-0"]) == none
    assert moved(before["di-0"], after["di-0"]) == EVERYTHING
    assert moved(before["retrain-0"], after["retrain-0"]) == retrain  # a gold never saw forget


@pytest.mark.parametrize(
    "change", [{"template": "chat"}, {"system": "Hi."}, {"date": "1 May"}, {"dtype": "bfloat16"}]
)
def test_the_prompt_format_and_the_precision_are_part_of_the_model(
    tmp_path: Path, change: dict[str, str]
) -> None:
    model = {"id": str(tmp_path / "model")}
    before, after = runs(tmp_path), runs(tmp_path, {"models": [model | change]})
    assert all(moved(before[cell], after[cell]) == EVERYTHING for cell in CELLS)


def test_a_model_is_its_weights_and_not_its_place(tmp_path: Path) -> None:
    before = runs(tmp_path)["di-0"]
    toy.model(tmp_path / "elsewhere" / "model")
    same = runs(tmp_path, {"models": [str(tmp_path / "elsewhere" / "model")]})["di-0"]
    assert moved(before, same) == NOTHING
    toy.model(tmp_path / "other", b"other weights")
    other = runs(tmp_path, {"models": [str(tmp_path / "other")]})["di-0"]
    assert moved(before, other) == EVERYTHING


def test_versions_raised_by_hand_redo_their_layer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = runs(tmp_path)
    monkeypatch.setattr(run_module, "ASKING", -1)
    assert moved(before["di-0"], runs(tmp_path)["di-0"]) == EVERYTHING - {"weights"}
    monkeypatch.setattr(lineage, "TRAINING", -1)
    assert moved(before["none-0"], runs(tmp_path)["none-0"]) == EVERYTHING


def test_the_seed_matters_to_methods_and_to_samples_alone(tmp_path: Path) -> None:
    cells = runs(tmp_path, {"grow_seeds": [0]})
    assert moved(cells["di-0"], cells["di-1"]) == EVERYTHING
    for name in ("none", "retrain"):
        assert moved(cells[f"{name}-0"], cells[f"{name}-1"]) == {"stories", "judged", "scores"}


def test_more_changes_than_a_file_name_holds_are_a_digest(tmp_path: Path) -> None:
    def variant(sizes: Sequence[int]) -> str:
        changes = [f"probes.forget.{'x' * 30}{n}.limit={size}" for n, size in enumerate(sizes)]
        suite = suites.load(toy.write(tmp_path)).model_copy(
            update={"changed": leaves(changes_of(changes))}
        )
        return replace(runs(tmp_path)["di-0"], suite=suite).variant

    few, many, others = variant([1, 2]), variant([1] * 9), variant([*([1] * 8), 2])
    assert few.count("+") == 2
    assert "more=" not in few
    assert "+more=" in many
    assert len({many, others}) == 2
    assert len(many) < 200


def test_seeds_take_grow_seeds_in_turn(tmp_path: Path) -> None:
    cells = runs(tmp_path, {"seeds": [5, 6, 7], "grow_seeds": [3, 4]})
    assert [cells[f"none-{seed}"].grow_seed for seed in (5, 6, 7)] == [3, 4, 3]
    assert cells["none-5"].weights_key == cells["none-7"].weights_key
    assert cells["none-5"].weights_key != cells["none-6"].weights_key


def test_a_gold_is_graded_against_golds_of_other_grow_seeds(tmp_path: Path) -> None:
    cells = runs(tmp_path, {"seeds": [0, 1, 2, 3], "grow_seeds": [0, 1, 2]})
    names = {
        name: [gold.name.rpartition("/")[2] for gold in run.others] for name, run in cells.items()
    }
    assert names["di-1"] == ["retrain-1"]
    assert names["none-0"] == ["retrain-0"]
    assert names["retrain-0"] == ["retrain-1", "retrain-2"]
    assert names["retrain-2"] == ["retrain-0", "retrain-1"]
    assert names["retrain-3"] == ["retrain-1", "retrain-2"]


def test_gold_seeds_are_more_golds_and_no_other_cells(tmp_path: Path) -> None:
    gold = {"seeds": [0, 1], "metrics": {"far": {"gold_distance": "forget"}}}
    few = runs(tmp_path, gold)
    cells = runs(tmp_path, gold | {"gold_seeds": [8, 9]})
    assert set(cells) - set(few) == {"retrain-8", "retrain-9"}
    others = {run.name.rpartition("/")[2] for run in cells["di-0"].others}
    assert others == {"retrain-0", "retrain-1", "retrain-8", "retrain-9"}
    assert len({cells[name].gold.key for name in others}) == 4
    assert cells["retrain-8"].start.name.endswith("none-0")
    assert moved(few["di-0"], cells["di-0"]) == {"scores"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"gold_seeds": [1]}, "gold_seeds.0: seed 1 is among seeds or grow_seeds"),
        ({"gold_seeds": [8, 8]}, "gold_seeds: seed 8 is given twice"),
        (
            {"gold_seeds": [8], "models": [{"id": "m", "target": "t", "retain": "r"}]},
            "models.0.retain: is a gold that no seed makes",
        ),
    ],
)
def test_gold_seeds_that_cannot_be_are_refused(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    with pytest.raises(SuiteError, match=said):
        runs(tmp_path, change)


def test_with_one_grow_seed_a_gold_has_nothing_to_be_held_against(tmp_path: Path) -> None:
    cells = runs(tmp_path, {"grow_seeds": [0]})
    assert cells["retrain-0"].others == cells["retrain-1"].others == ()
    assert [gold.method.name for gold in cells["di-1"].others] == ["retrain"]


def test_given_checkpoints_are_known_by_content(tmp_path: Path) -> None:
    def cells(name: str, weights: bytes, **more: Any) -> dict[str, Run]:  # noqa: ANN401 - YAML
        model = {"id": str(tmp_path / "model"), "retain": "someone/gold@abc"}
        target = toy.model(tmp_path / name, weights)
        return runs(tmp_path, {"models": [model | {"target": str(target)}], **more})

    before = cells("one", b"target")
    assert moved(before["none-0"], cells("two", b"target")["none-0"]) == NOTHING
    after = cells("two", b"other")
    assert moved(before["di-0"], after["di-0"]) == EVERYTHING
    assert moved(before["retrain-0"], after["retrain-0"]) == NOTHING
    assert before["retrain-0"].others == ()  # both seeds name one checkpoint
    cut = cells("one", b"target", max_tokens=8)  # what is not trained is still read
    assert moved(before["none-0"], cut["none-0"]) == {"forget", "retain", "scores"}


def test_method_code_counts_and_its_comments_do_not(tmp_path: Path) -> None:
    def calm(text: str) -> Run:
        (tmp_path / "calm.py").write_text(text, encoding="utf-8")
        return toy.runs(toy.write(tmp_path), str(tmp_path / "calm.py"))["calm-0"]

    before = calm(toy.METHOD)
    assert moved(before, calm("# a note\n" + toy.METHOD.replace("twice", "once"))) == NOTHING
    assert moved(before, calm(toy.METHOD.replace("return lm", "return fit.gold()"))) == EVERYTHING


def test_a_tuned_file_beside_a_method_counts(tmp_path: Path) -> None:
    path = toy.write(tmp_path, {"models": ["builtin/nano", "builtin/micro"]})
    (tmp_path / "calm.py").write_text(toy.METHOD, encoding="utf-8")
    tuned = "builtin/micro: {strength: 2.0}\ndefault: {strength: 1.0}\n"
    (tmp_path / "calm.yaml").write_text(tuned, encoding="utf-8")
    found = toy.work(path, str(tmp_path / "calm.py")).runs
    settings = {run.base.name: run.settings for run in found if run.method.name == "calm"}
    assert settings["builtin--nano"] == {"recipe": {"lr": 0.001}, "strength": 1.0}
    assert settings["builtin--micro"] == {"recipe": {"lr": 0.001}, "strength": 2.0}


@pytest.mark.parametrize(
    "spelling", ["calm.py", "./calm.py", "../{here}/calm.py", "{path}/calm.py"]
)
def test_settings_find_their_method_however_its_path_is_spelled(
    tmp_path: Path, spelling: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "calm.py").write_text(toy.METHOD, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    name = spelling.format(here=tmp_path.name, path=tmp_path)
    path = toy.write(tmp_path, {"methods": {name: {"strength": 2.5}}})
    assert toy.runs(path)["calm-0"].settings["strength"] == 2.5
    assert toy.runs(path, "./calm.py")["calm-0"].settings["strength"] == 2.5


def test_tasks_of_a_folder_are_known_by_content(tmp_path: Path) -> None:
    def asked(folder: str) -> object:
        probe = {"ask": "tasks", "tasks": ["a"], "path": folder}
        return runs(tmp_path, {"probes": {"nlu": probe}})["none-0"].asked("nlu")

    with pytest.raises(SuiteError, match="gone: holds no task files; name the folder"):
        asked("gone")
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.yaml").write_text("task: a", encoding="utf-8")
    assert asked("one") == asked("two")
    before = asked("two")
    (tmp_path / "two" / "a.yaml").write_text("task: b", encoding="utf-8")
    assert asked("two") != before


def test_the_grid_is_models_then_seeds_then_methods_with_both_baselines_first(
    tmp_path: Path,
) -> None:
    path = toy.write(tmp_path, {"models": ["builtin/nano", "builtin/micro"]})
    names = [run.name for run in toy.work(path, "di").runs]
    assert names == [
        f"builtin--{size}/{method}-{seed}"
        for size in ("nano", "micro")
        for seed in (0, 1)
        for method in ("none", "retrain", "di")
    ]


def test_two_methods_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "di.py").write_text(toy.METHOD, encoding="utf-8")
    shutil.copy(tmp_path / "di.py", tmp_path / "none.py")
    path = toy.write(tmp_path)
    for name in ("di", "none"):
        with pytest.raises(SuiteError) as error:
            toy.work(path, "di", str(tmp_path / f"{name}.py"))
        said = f"{tmp_path / name}.py: another method is called '{name}'"
        assert toy.line(error.value).startswith(said)


def test_columns_name_their_formula_and_version(tmp_path: Path) -> None:
    formulas = runs(tmp_path)["di-0"].formulas
    assert formulas["accuracy"].startswith("exact_memorization@")
    assert set(formulas) == set(toy.tree()["metrics"])
