"""Whose formulas a suite uses: what the tables name, what a key holds, and grading anew by them."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from di_bench import suite
from di_bench.errors import SuiteError
from di_bench.metrics import METRICS, VERSIONS, metric
from di_bench.metrics.definitions import DEFINITIONS
from di_bench.run import Run
from di_bench.spec import changes_of
from tests import toy
from tests.test_cli import cli, records, run, times

OU = "tofu@open-unlearning"
CELLS = ("none-0", "retrain-0", "di-0")


# The tables


@pytest.mark.parametrize("name", DEFINITIONS)
def test_every_definition_names_versions_that_there_are(name: str) -> None:
    assert DEFINITIONS[name]
    for entry, version in DEFINITIONS[name].items():
        assert entry in METRICS
        assert f"{entry}@{version}" in VERSIONS
        assert metric(entry, name) is VERSIONS[f"{entry}@{version}"]


@pytest.mark.parametrize("name", METRICS)
def test_versions_of_a_metric_ask_the_same_questions(name: str) -> None:
    """So that a suite may change whose formulas it uses and nothing else."""
    alike = [entry for entry in VERSIONS.values() if entry.name == name]
    assert len({(entry.asks, entry.needs, entry.better, entry.averages) for entry in alike}) == 1


def test_a_bare_name_means_the_first_version() -> None:
    assert metric("truth_ratio").version == "geo"
    assert metric("exact_memorization").version == "1"
    assert metric("el_3").version == "1"
    assert metric("exact_memorization", "jang").version == "jang"
    assert metric("probability", "jang").version == "1"  # not in its table


def test_a_version_that_is_named_wins_over_definitions() -> None:
    assert metric("truth_ratio@geo", "tofu@paper") is metric("truth_ratio")
    assert metric("truth_ratio@arith").version == "arith"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("truth_ratio@arit", "did you mean 'truth_ratio@arith'?"),
        ("mia_mink@1", "did you mean 'mia_min_k@1'?"),
        ("truth_ration", "did you mean 'truth_ratio'?"),
    ],
)
def test_an_unknown_version_names_the_nearest(name: str, said: str) -> None:
    with pytest.raises(SuiteError, match="unknown metric") as error:
        metric(name)
    assert said in toy.line(error.value)


# A suite that takes them


def test_a_suite_takes_definitions(tmp_path: Path) -> None:
    path = toy.write(tmp_path, {"definitions": "tofu@paper"})
    loaded = suite.load(path)
    found = {column: loaded.reads(column)[0].formula for column in loaded.metrics}
    assert found == {
        "accuracy": "exact_memorization@1",
        "kept": "exact_memorization@1",
        "quality": "forget_quality@ks-arith",
        "ratio": "truth_ratio@arith",
        "likeness": "mauve@base-features",
    }
    assert toy.runs(path)["di-0"].formulas == found


def test_a_column_may_name_its_own_version(tmp_path: Path) -> None:
    columns = {
        "ours": {"truth_ratio@geo": "forget"},
        "jangs": {"exact_memorization@jang": "forget"},
    }
    path = toy.write(tmp_path, {"definitions": "tofu@paper", "metrics": columns})
    formulas = toy.runs(path)["di-0"].formulas
    assert formulas["ours"] == "truth_ratio@geo"
    assert formulas["ratio"] == "truth_ratio@arith"
    assert formulas["jangs"] == "exact_memorization@jang"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"definitions": "tofu@papre"}, "definitions: unknown definitions 'tofu@papre'; "
         "did you mean 'tofu@paper'?"),
        ({"definitions": "x"}, "definitions: unknown definitions 'x'; There are: "),
        ({"definitions": 3}, "definitions: must be text, not 3; quote it"),
        ({"metrics": {"new": {"truth_ratio@aritm": "forget"}}},
         "metrics.new: unknown metric 'truth_ratio@aritm'; did you mean 'truth_ratio@arith'?"),
    ],
)  # fmt: skip
def test_what_is_unknown_gets_one_line_with_file_and_place(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    path = toy.write(tmp_path, changes)
    with pytest.raises(SuiteError) as error:
        suite.load(path)
    where, _, told = toy.line(error.value).removeprefix(f"{path}:").partition(": ")
    assert where.isdecimal()
    assert told.startswith(said)


def test_an_unknown_one_on_the_command_line_is_one_line_too(tmp_path: Path) -> None:
    result = cli("plan", toy.write(tmp_path), "--set", "definitions=tofu@papre")
    assert result.exit_code == 2
    assert "did you mean 'tofu@paper'?" in result.output
    assert len(result.output.strip().splitlines()) == 1


# What they change in a run


def keys(cell: Run) -> dict[str, str]:
    return {"weights": cell.weights_key, **cell.transcript_keys}


def test_set_definitions_names_the_cell_and_changes_its_scores_alone(tmp_path: Path) -> None:
    path = toy.write(tmp_path)
    before, after = toy.runs(path), toy.runs(path, changes=[f"definitions={OU}"])
    for cell in CELLS:
        method, _, seed = cell.rpartition("-")
        own, other = before[cell], after[f"{method}+definitions=tofu_open-unlearning-{seed}"]
        assert other.variant == "+definitions=tofu_open-unlearning"
        assert own.variant == ""
        assert keys(other) == keys(own)
        assert other.setup == own.setup
        assert other.scores_key != own.scores_key
        assert other.formulas["accuracy"] == "exact_memorization@open-unlearning"


def test_definitions_of_the_file_need_no_name(tmp_path: Path) -> None:
    before = toy.runs(toy.write(tmp_path))
    after = toy.runs(toy.write(tmp_path, {"definitions": OU}))
    assert before.keys() == after.keys()
    for cell in CELLS:
        assert keys(after[cell]) == keys(before[cell])
        assert after[cell].scores_key != before[cell].scores_key


def test_definitions_that_change_no_formula_change_no_key(tmp_path: Path) -> None:
    before = toy.runs(toy.write(tmp_path))
    for none in (None, "muse@paper"):
        after = toy.runs(toy.write(tmp_path, {"definitions": none}))
        assert {name: cell.scores_key for name, cell in after.items()} == {
            name: cell.scores_key for name, cell in before.items()
        }


@pytest.mark.parametrize("name", DEFINITIONS)
def test_every_packaged_suite_takes_every_definition(name: str) -> None:
    for path in sorted(suite.PACKAGED.glob("*.yaml")):
        loaded = suite.load(path.stem, changes=changes_of([f"definitions={name}"]))
        assert all(loaded.reads(column)[0].formula in VERSIONS for column in loaded.metrics)


# Through the command line


def test_grade_scores_stored_transcripts_by_other_formulas(
    suite_file: Path, folders: list[str]
) -> None:
    result = run(suite_file, folders, "none")
    assert result.exit_code == 0, result.output
    before, cache = records(folders), cached(folders)
    graded = cli("grade", suite_file, "none", "--set", f"definitions={OU}", *folders)
    assert graded.exit_code == 0, graded.output
    assert "4 of 4 cells graded" in graded.output
    assert cached(folders) == cache  # nothing trained, nothing asked
    after = records(folders)
    assert {name: after[name] for name in before} == before
    own, other = before["none-0"], after["none+definitions=tofu_open-unlearning-0"]
    assert other["keys"]["weights"] == own["keys"]["weights"]
    assert other["keys"]["scores"] != own["keys"]["scores"]
    assert own["formulas"]["strength"] == "extraction_strength@1"
    assert other["formulas"]["strength"] == "extraction_strength@open-unlearning"
    assert other["formulas"]["rouge"] == own["formulas"]["rouge"]
    assert other["scores"]["rouge"] == own["scores"]["rouge"]
    assert other["scores"]["accuracy"] != own["scores"]["accuracy"]
    assert other["scores"]["strength"] > 0


def cached(folders: list[str]) -> dict[Path, int]:
    """Every file of the cache but locks, and when it was written."""
    found = times(folders[3], "*")
    return {path: when for path, when in found.items() if "locks" not in path.parts}


def test_grade_says_what_was_never_answered(suite_file: Path, folders: list[str]) -> None:
    graded = cli("grade", suite_file, "none", "--set", f"definitions={OU}", *folders)
    assert graded.exit_code == 0
    assert "0 of 4 cells graded; the cache has nothing" in graded.output
    assert records(folders) == {}


def test_a_file_with_definitions_has_them_in_its_records(
    suite_file: Path, folders: list[str]
) -> None:
    tree = yaml.safe_load(suite_file.read_text(encoding="utf-8"))
    tree |= {"definitions": "tofu@paper", "seeds": [0], "grow_seeds": [0]}
    suite_file.write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")
    result = run(suite_file, folders, "none")
    assert result.exit_code == 0, result.output
    found = records(folders)
    assert set(found) == {"none-0", "retrain-0"}
    assert found["none-0"]["formulas"]["quality"] == "forget_quality@ks-arith"
