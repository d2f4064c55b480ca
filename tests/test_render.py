"""What a board says of how sure it is, in every form: marks, ranks, warnings, a schema."""

import json
import random
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from di_bench import suite as suites
from di_bench.board import Board, boards
from di_bench.record import Record
from di_bench.render import Format, render
from di_bench.stats import Part
from di_bench.store import Store
from di_bench.suite import Suite
from di_bench.tally import Tallies
from di_bench.work import Choice
from tests import toy

ROOT = Path(__file__).parents[1]
UNITS = tuple(f"author-{n:02}" for n in range(12))
SURE = {"ga": 0.2, "npo": 0.21, "di": 0.6, "none": 0.05, "retrain": 0.9}
"""Means of `kept`: ga and npo are near each other, di is far above, references do not compete."""


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return suites.load(toy.write(tmp_path, {"models": ["builtin/nano"], "seeds": [0, 1, 2]}))


def graded(
    means: dict[str, float], seeds: int = 3, units: int = 12
) -> tuple[list[Record], Tallies]:
    """Records of methods whose items scatter around a mean, and the items."""
    rng = np.random.default_rng(0)
    records, tallies = [], {}
    shared = rng.normal(scale=0.05, size=units)
    for method, mean in means.items():
        for seed in range(seeds):
            items = mean + shared + rng.normal(scale=0.03, size=units)
            scores = toy.record().scores | {"kept": float(items.mean()), "ratio": mean + seed / 100}
            records.append(toy.record(method=method, seed=seed, scores=scores))
            tallies[records[-1].name] = {"kept": Part(UNITS[:units], items)}
    return records, tallies


def only(suite: Suite, means: dict[str, float], **shape: int) -> Board:
    records, tallies = graded(means, **shape)
    (board,) = boards(records, suite, tallies)
    return board


def column(board: Board, name: str) -> dict[str, Any]:
    return {line.method: line.cells[name] for line in board.lines}


def test_methods_compete_and_references_stand_beside_them(suite: Suite) -> None:
    kept = column(only(suite, SURE), "kept")
    assert {method: cell.mark for method, cell in kept.items()} == {
        "none": "", "retrain": "", "ga": "", "npo": "", "di": "*",
    }  # fmt: skip
    assert {m: str(cell.place) for m, cell in kept.items() if cell.place} == {
        "ga": "2-3", "npo": "2-3", "di": "1",
    }  # fmt: skip
    assert {cell.how for cell in kept.values()} == {"crossed"}
    assert str(kept["di"]).endswith(" *")
    near = column(only(suite, SURE | {"di": 0.19}), "kept")
    assert [near[method].mark for method in ("ga", "npo", "di")] == ["=", "*", "="]


def test_nearer_to_gold_is_better_where_a_column_is_of_distance(suite: Suite) -> None:
    # the mean plus the same for each seed: gold .9, so di (.6) is nearest, ga (.2) farthest
    ratio = column(only(suite, SURE), "ratio")
    assert [ratio[method].mark for method in ("ga", "npo", "di")] == ["", "", "*"]
    assert [str(ratio[method].place) for method in ("ga", "npo", "di")] == ["3", "2", "1"]
    alone = column(only(suite, {m: v for m, v in SURE.items() if m != "retrain"}), "ratio")
    assert {cell.place for cell in alone.values()} == {None}


def test_one_method_alone_has_no_mark(suite: Suite) -> None:
    board = only(suite, {"none": 0.1, "di": 0.2})
    assert {cell.mark for cell in column(board, "kept").values()} == {""}
    assert board.ranks() == []


def test_what_is_too_little_to_tell_is_said(suite: Suite) -> None:
    assert only(suite, SURE, seeds=1).notes() == [
        "1 seed (every row): intervals are of items alone and say nothing of other seeds"
    ]
    few = only(suite, SURE, seeds=2, units=9).notes()
    assert few[0] == "2 seeds (every row): hardly any difference can be told"
    assert few[1] == "few authors, documents or tasks, which say little of others: kept (9)"
    assert few[2].startswith("intervals of seeds alone, no means of items: accuracy, quality")
    records, tallies = graded(SURE)
    fewer = [r for r in records if r.method != "npo" or r.seed == 0]
    (board,) = boards(fewer, suite, tallies)
    assert board.notes()[0].startswith("1 seed (npo): intervals are of items alone")


def test_items_in_any_order_make_the_same_bytes(suite: Suite) -> None:
    records, tallies = graded(SURE)
    forms: tuple[Format, ...] = ("text", "md", "json", "latex")
    made = {form: render(records, suite, form, tallies) for form in forms}
    random.Random(0).shuffle(records)
    turned = dict(sorted(tallies.items(), reverse=True))
    assert {form: render(records, suite, form, turned) for form in forms} == made


def test_markdown_ends_with_a_table_of_ranks(suite: Suite) -> None:
    records, tallies = graded(SURE)
    ranks = render(records, suite, "md", tallies).partition("## Ranks")[2]
    assert "| builtin/nano | di | 1-3 | 1 | 1-3 | 1 | 1-3 |" in ranks
    assert "| none |" not in ranks


def test_latex_sets_the_best_bold_and_ties_with_a_dagger(suite: Suite) -> None:
    records, tallies = graded(SURE | {"npo": 0.61})
    text = render(records, suite, "latex", tallies)
    kept = column(only(suite, SURE | {"npo": 0.61}), "kept")
    best, tied = sorted(("npo", "di"), key=lambda method: -kept[method].mean)
    shown = {method: cell.text.replace("±", r"$\pm$") for method, cell in kept.items()}
    assert r"\textbf{" + shown[best] + "}" in text
    assert shown[tied] + r"$^{\dagger}$" in text
    assert "Bold: the best mean" in text


def test_latex_is_what_pdflatex_takes(suite: Suite, tmp_path: Path) -> None:
    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex is not installed")
    records, tallies = graded(SURE | {r"a_b & 100 % #{x}\~^|<$>": 0.3})
    loaded = Choice("tofu").loaded
    store = Store(ROOT / "results", tmp_path)
    mine = store.records(loaded)
    tables = [
        render(records, suite, "latex", tallies),
        render(mine, loaded, "latex", store.tallies(loaded, mine)),
    ]
    head = "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\n"
    (tmp_path / "board.tex").write_text(
        head + "\n".join(tables) + "\\end{document}\n", encoding="utf-8"
    )
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "board.tex"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "board.pdf").stat().st_size > 1000


SCHEMA = json.loads(files("di_bench").joinpath("board.schema.json").read_text(encoding="utf-8"))
TYPES: dict[str, Any] = {"string": str, "integer": int, "number": (int, float), "null": type(None)}


def faults(entry: dict[str, Any]) -> list[str]:
    """What an entry has against the schema, as far as the schema goes."""
    rules, found = SCHEMA["items"], []
    found += [f"no {name}" for name in rules["required"] if name not in entry]
    for name, value in entry.items():
        rule = rules["properties"].get(name)
        if rule is None:
            found.append(f"unknown {name}")
        elif "enum" in rule:
            found += [] if value in rule["enum"] else [f"{name}: {value}"]
        else:
            kinds = [rule["type"]] if isinstance(rule["type"], str) else rule["type"]
            fits = any(isinstance(value, TYPES[kind]) for kind in kinds)
            low = value is not None and "minimum" in rule and value < rule["minimum"]
            found += [] if fits and not low else [f"{name}: {value}"]
    return found


@pytest.mark.parametrize(
    ("name", "profile"), [("tofu", "default"), ("methods", "default"), ("tofu", "text")]
)
def test_json_is_what_its_schema_says(name: str, profile: str, tmp_path: Path) -> None:
    assert SCHEMA["type"] == "array"
    assert set(SCHEMA["items"]["required"]) <= set(SCHEMA["items"]["properties"])
    loaded, store = Choice(name, profile).loaded, Store(ROOT / "results", tmp_path)
    records = store.records(loaded)
    entries = json.loads(render(records, loaded, "json", store.tallies(loaded, records)))
    assert len(entries) > 100
    assert [fault for entry in entries for fault in faults(entry)] == []
    assert {"crossed", "items"} & {entry["how"] for entry in entries}
    assert {"best", "tied", None} == {entry["standing"] for entry in entries}
    for entry in entries:
        if entry["how"]:
            assert entry["low"] - 1e-9 <= entry["mean"] <= entry["high"] + 1e-9
        if entry["rank_low"]:
            assert entry["rank_low"] <= entry["rank_high"]
    assert faults({"board": 1, "colour": "red"})[-1] == "unknown colour"
