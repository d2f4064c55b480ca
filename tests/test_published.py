"""What others published: every figure has a meaning here, a number and a source."""

import csv
import math
from pathlib import Path
from typing import Any

import pytest

from di_bench import methodfile
from di_bench import suite as suites
from di_bench.metrics import VERSIONS
from di_bench.published import (
    BENCHMARKS,
    FILE,
    METHODS,
    METRICS,
    MODELS,
    SPLITS,
    column,
    figures,
    forget_set,
    known,
    why_none,
)
from di_bench.suite import Suite
from tests.conftest import SHARED

LLAMA = "meta-llama/Llama-3.2-1B-Instruct"


def packaged(name: str, profile: str = "default") -> Suite:
    return suites.load(name, profile)


def test_every_figure_has_a_known_metric_a_number_and_a_source() -> None:
    assert len(figures()) > 1000
    for one in figures():
        assert one.metric in METRICS, one
        assert math.isfinite(one.value), one
        assert len(one.source) > 10, one
        assert one.source == one.source.strip(), one
        assert one.benchmark in BENCHMARKS.values(), one
        assert one.split in SPLITS.values(), one
        assert one.model in MODELS.values(), one
        assert one.method in METHODS or one.method == "GROM", one
    keys = [
        (o.benchmark, o.split, o.model, o.method, o.config, o.metric, o.source) for o in figures()
    ]
    assert len(set(keys)) == len(keys)


def test_the_file_is_small_and_says_nothing_of_how_it_was_found() -> None:
    assert FILE.stat().st_size < 300_000
    text = FILE.read_text(encoding="utf-8")
    for word in ("index id", "survey", "stored", "/work", "http"):
        assert word not in text, word


def test_the_tables_name_what_there_is_and_nothing_else() -> None:
    assert {meaning.formula for meaning in METRICS.values()} <= set(VERSIONS)
    packaged_methods = {file.stem for file in methodfile.PACKAGED.glob("*.py")}
    assert set(METHODS.values()) <= packaged_methods
    assert set(BENCHMARKS) <= {file.stem for file in suites.PACKAGED.glob("*.yaml")}
    assert {one.metric for one in figures()} == set(METRICS)
    assert {one.method for one in figures()} >= set(METHODS)


@pytest.mark.skipif(not SHARED.exists(), reason="the collection of published figures is not here")
def test_the_figures_are_those_of_the_collection() -> None:
    with (SHARED / "data" / "published_results.csv").open(encoding="utf-8", newline="") as file:
        there = {
            (
                row["benchmark"],
                row["split"],
                row["metric"].removeprefix("UDSboard_"),
                float(row["value"]),
            )
            for row in csv.DictReader(file)
        }
    for one in figures():
        assert (one.benchmark, one.split, one.metric, one.value) in there, one


@pytest.mark.parametrize(
    ("name", "profile", "axis", "split"),
    [
        ("tofu", "llama-3.2-1b", "", "forget10"),
        ("tofu", "llama-3.2-1b-forget05", "", "forget05"),
        ("tofu", "llama-3.2-1b-forget01", "", "forget01"),
        ("muse", "news-hub", "", "News"),
        ("muse", "books-hub", "", "Books"),
        ("muse", "books-files", "", "Books"),
        ("muse", "news-hub-scale", "size=1", None),
        ("muse", "news-hub-sequence", "request=1", None),
        ("extraction", "arrays", "", None),
        ("tofu", "default", "", None),
        ("tofu", "sizes", "size=05", None),
        ("tofu", "text", "", None),
    ],
)
def test_a_split_is_known_by_where_it_comes_from(
    name: str, profile: str, axis: str, split: str | None
) -> None:
    assert SPLITS.get(forget_set(packaged(name, profile), axis)) == split


def forgetting(suite: Suite, **changes: Any) -> Suite:  # noqa: ANN401 - fields of Split
    """The suite with another forget set."""
    split = suite.corpus.splits["forget"].model_copy(update=changes)
    splits = {**suite.corpus.splits, "forget": split}
    return suite.model_copy(update={"corpus": suite.corpus.model_copy(update={"splits": splits})})


def test_a_part_of_a_split_is_another_split() -> None:
    whole = packaged("tofu", "llama-3.2-1b")
    for part in ({"limit": 40}, {"skip": 1}, {"where": {"answer": "a.*"}}):
        assert forget_set(forgetting(whole, **part)) == ""
    train = ("train_preprefix.npy", "train_prefix.npy", "train_suffix.npy")
    rows = forgetting(packaged("extraction", "arrays"), arrays=train)
    assert SPLITS[forget_set(rows)] == "15k train"
    both = forgetting(whole, parts=(whole.corpus.splits["retain"],), split=None)
    assert forget_set(both) == ""


def test_only_the_same_model_on_the_same_split_is_put_beside() -> None:
    suite = packaged("tofu", "llama-3.2-1b")
    found = known(suite, "", [LLAMA, "builtin/nano", "EleutherAI/gpt-neo-125m"])
    assert list(found) == [LLAMA]
    assert {(o.benchmark, o.split, o.model) for o in found[LLAMA]} == {
        ("TOFU", "forget10", "Llama-3.2-1B-Instruct")
    }
    assert known(packaged("tofu"), "", ["builtin/nano", LLAMA]) == {}
    assert known(packaged("lume"), "", [LLAMA]) == {}


@pytest.mark.parametrize(
    ("metric", "place"),
    [
        ("forget_quality", "forget_quality"),
        ("model_utility", "utility"),
        ("forget_truth_ratio", "forget_truth_ratio"),
        ("forget_Q_A_Prob", "forget_prob"),
        ("1-ROUGE", "forget_rouge"),
        ("one_minus_es", "extraction_strength"),
        ("one_minus_em", "forget_accuracy"),
        ("s_mink", "s_mia"),
        ("el_3", "el_3"),
        ("wikitext_mauve", "mauve"),
        ("VerbMem_f", None),
    ],
)
def test_a_metric_has_its_column_of_the_board(metric: str, place: str | None) -> None:
    assert column(packaged("tofu", "llama-3.2-1b"), metric) == place


def test_a_column_of_the_same_formula_and_side_is_preferred() -> None:
    muse, extraction = packaged("muse", "news-hub"), packaged("extraction", "arrays")
    assert column(muse, "KnowMem_f") == "knowmem_forget"
    assert column(muse, "KnowMem_r") == "knowmem_retain"
    assert column(muse, "PrivLeak") == "privleak"
    assert column(extraction, "ma") == "paper_accuracy"
    assert column(extraction, "el_10") == "paper_el_10"


def test_numbers_come_to_our_scale() -> None:
    assert METRICS["VerbMem_f"].ours(58.4) == pytest.approx(0.584)
    assert METRICS["one_minus_es"].ours(0.3208) == pytest.approx(0.6792)
    assert METRICS["PrivLeak"].ours(-99.8) == -99.8


@pytest.mark.parametrize(
    ("name", "profile", "models", "said"),
    [
        (
            "lume",
            "default",
            ["builtin/micro"],
            "no figures for the suite lume; there are some for tofu",
        ),
        ("tofu", "default", ["builtin/nano"], "no figures of built-in models"),
        (
            "tofu",
            "text",
            [LLAMA],
            "no figures for what this suite forgets; there are some for forget01",
        ),
        (
            "tofu",
            "gpt-neo-125m",
            ["EleutherAI/gpt-neo-125m"],
            "no figures of EleutherAI/gpt-neo-125m",
        ),
    ],
)
def test_why_there_are_none_is_one_line(
    name: str, profile: str, models: list[str], said: str
) -> None:
    line = why_none(packaged(name, profile), [""], models)
    assert line.startswith(said)
    assert "\n" not in line


def test_the_readme_counts_them() -> None:
    readme = Path(__file__).parents[1] / "README.md"
    assert f" {len(figures()):,} of TOFU, MUSE and DI's paper" in readme.read_text(encoding="utf-8")
