"""A board is arithmetic on records: checked by hand, the same every time, safe to publish."""

import io
import json
import random
import re
from pathlib import Path
from typing import Any, get_args

import pandas as pd
import pytest

from di_bench import suite as suites
from di_bench.board import NOTE, Board, boards, frame
from di_bench.record import Record
from di_bench.render import Format, render
from di_bench.suite import Suite
from tests import toy


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return suites.load(toy.write(tmp_path, {"models": ["builtin/nano"], "seeds": [0, 1, 2]}))


def seeds(values: list[float | None], column: str = "kept", **changes: Any) -> list[Record]:  # noqa: ANN401 - fields of Record
    """A row of a board: one record for each seed."""
    scores = toy.record().scores
    return [
        toy.record(seed=seed, scores=scores | {column: value}, **changes)
        for seed, value in enumerate(values)
    ]


def only(records: list[Record], suite: Suite) -> Board:
    (board,) = boards(records, suite)
    return board


def cells(records: list[Record], suite: Suite, column: str = "kept") -> list[str]:
    return [str(row.cells[column]) for row in only(records, suite).lines]


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([0.1, 0.2, 0.6], "0.300 ± 0.657"),  # 4.303 sd / sqrt(3), sd = sqrt((.04 + .01 + .09) / 2)
        ([0.5, 0.5, 0.5], "0.500 ± 0.000"),
        ([1.0, 2.0, None], "1.500 ± 6.353 (2)"),  # 12.706 sd / sqrt(2), sd = sqrt(1 / 2)
        ([1.0, 2.0], "1.500 ± 6.353 (2)"),
        ([2.0, None, None], "2.000 (1)"),
        ([2.0], "2.000 (1)"),
        ([None, None, None], "-"),
        ([123.4, 125.4, 127.4], "125 ± 4.968"),
        ([1e7, 1e7, 1e7], "1.0e+07 ± 0.000"),
        ([-1e-5, -1e-5, -1e-5], "0.000 ± 0.000"),
    ],
)
def test_a_cell_is_a_mean_and_half_of_its_interval(
    suite: Suite, values: list[float | None], shown: str
) -> None:
    assert cells(seeds(values), suite) == [shown]


def test_the_cost_is_shown_in_its_units_and_a_dash_where_nothing_was_trained(suite: Suite) -> None:
    records = seeds([0.5] * 3) + seeds([0.5] * 3, method="none", cost={"asking_seconds": 1.0})
    none, di = only(records, suite).rows()
    assert di[-3:] == ["2.000 ± 0.000", "3.000 ± 0.000", "5.000 ± 0.000"]
    assert none[-3:] == ["-", "-", "-"]


def test_a_gap_is_a_dash_with_one_footnote(suite: Suite) -> None:
    gap = {"gaps": {"quality": "no gold model to compare with"}}
    records = seeds([None] * 3, "quality", method="retrain", **gap)
    board = only(records, suite)
    assert str(board.lines[0].cells["quality"]) == "-"
    assert board.footnotes() == ["retrain, quality: no gold model to compare with"]


def test_a_diverged_seed_is_missing_in_its_row_and_said_below(suite: Suite) -> None:
    lost = toy.record(seed=2, status="diverged", error="the loss is nan\nat step 3", scores={})
    board = only([*seeds([1.0, 2.0]), lost], suite)
    assert str(board.lines[0].cells["kept"]) == "1.500 ± 6.353 (2)"
    assert board.footnotes() == ["di on builtin/nano: seed 2 diverged: the loss is nan at step 3"]


def test_answers_that_were_left_out_are_counted(suite: Suite) -> None:
    few, many = ({"kept": {"left_out": float(count)}} for count in (2, 5))
    board = only([toy.record(seed=0, parts=few), toy.record(seed=1, parts=many)], suite)
    assert board.footnotes() == [
        "kept: up to 5 answers of a run have no value (empty, or too short) and are left out"
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"corpus": {"name": "toy secrets", "forget": "F", "retain": "r", "asked": "a"}},
        {"formulas": toy.record().formulas | {"kept": "exact_memorization@2"}},
        {"formulas": {"kept": "exact_memorization@1"}},
        {"peft": {"kind": "lora", "rank": 8}},
    ],
)
def test_other_corpora_and_formulas_never_share_a_board(
    suite: Suite, change: dict[str, Any]
) -> None:
    records = seeds([0.1] * 3) + seeds([0.9] * 3, **change)
    made = boards(records, suite)
    assert sorted(str(board.lines[0].cells["kept"]) for board in made) == [
        "0.100 ± 0.000", "0.900 ± 0.000",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "change", [{"settings": {"strength": 3.0}}, {"model": {"name": "builtin--nano", "digest": "x"}}]
)
def test_other_settings_or_weights_are_another_row(suite: Suite, change: dict[str, Any]) -> None:
    (board,) = boards(seeds([0.1] * 3) + seeds([0.9] * 3, **change), suite)
    assert sorted(line.cells["kept"].text for line in board.lines) == [
        "0.100 ± 0.000",
        "0.900 ± 0.000",
    ]


def test_rows_stand_in_the_suites_order_and_strangers_after(suite: Suite) -> None:
    methods = ["stranger", "npo", "di", "another", "retrain", "none"]
    models = [{"name": name} for name in ("llama-1234", "builtin--nano")]
    records = [r for m in models for n in methods for r in seeds([0.5], method=n, model=m)]
    lines = only(records, suite).lines
    ordered = ["none", "retrain", "di", "npo", "another", "stranger"]
    assert [(line.model, line.method) for line in lines] == [
        (model, method) for model in ("builtin--nano", "llama-1234") for method in ordered
    ]


def test_the_title_names_protocol_corpus_profile_and_models(suite: Suite, tmp_path: Path) -> None:
    assert only(seeds([0.5]), suite).title == "Toy protocol, toy secrets: builtin/nano"
    path = toy.write(tmp_path, {"profiles": {"fast": {"seeds": [0]}}})
    title = only(seeds([0.5]), suites.load(path, "fast")).title
    assert title == "Toy protocol, toy secrets (profile fast): builtin/nano"


def test_arrows_say_where_a_column_improves(suite: Suite) -> None:
    header = only(seeds([0.5]), suite).header()
    assert header[2:7] == ["accuracy ↓", "kept ↑", "quality ↑", "ratio ≈", "likeness ↑"]
    assert "↓ lower is better, ↑ higher, ≈ nearer to the retrain row" in NOTE


def test_only_the_columns_of_the_board_are_shown(tmp_path: Path) -> None:
    suite = suites.load(toy.write(tmp_path, {"board": ["ratio", "kept"]}))
    assert only(seeds([0.5]), suite).header()[2:4] == ["ratio ≈", "kept ↑"]


@pytest.mark.parametrize("form", get_args(Format))
def test_the_same_records_in_any_order_make_the_same_bytes(suite: Suite, form: Format) -> None:
    other = {"name": "other", "forget": "x", "retain": "y", "asked": "z"}
    records = [
        *seeds([0.1, 0.2, None], gaps={"kept": "why"}),
        *seeds([0.3, 1 / 3, 0.7], method="none", corpus=other),
        *seeds([0.3, 0.5], settings={"strength": 1.0}),
        *seeds([0.3], model={"name": "llama-1234"}),
        *seeds([0.2, 0.4], model={"name": "builtin--micro", "id": "builtin/micro"}),
        *(toy.record(method="ga", seed=seed, error=f"lost at {seed}") for seed in range(3)),
    ]
    made = render(records, suite, form)
    assert made.endswith("\n")
    for shuffle in range(5):
        random.Random(shuffle).shuffle(records)
        assert render(records, suite, form) == made


HOSTILE = "a|b <script>_x_ `c` *d* [e](f) & 5% #g \\h {i}"


def hostile() -> list[Record]:
    return [
        toy.record(method=HOSTILE, seed=0, status="failed", error=f"{HOSTILE}\n| x |", scores={})
    ]


def test_markdown_escapes_what_a_stranger_wrote(suite: Suite) -> None:
    text = render(hostile(), suite, "md")
    row = next(line for line in text.splitlines() if "builtin/nano | a" in line)
    assert row.replace("\\|", "").count("|") == len(only(hostile(), suite).header()) + 1
    for raw in ("<script>", "_x_", "`c`", "*d*", "[e]"):
        assert not re.search(rf"(?<!\\){re.escape(raw)}", text)
    assert "\\<script>\\_x\\_ \\`c\\` \\*d\\* \\[e](f) \\& 5% #g \\\\h" in row
    assert "\n| x |" not in text


def test_latex_escapes_what_a_stranger_wrote_and_notes_it(suite: Suite) -> None:
    text = render(hostile(), suite, "latex")
    escaped = (
        r"a\textbar{}b \textless{}script\textgreater{}\_x\_ `c` *d* [e](f) \& 5\% \#g "
        r"\textbackslash{}h \{i\}"
    )
    assert escaped + " & - & - &" in text
    assert rf"\par {{\footnotesize {escaped} on builtin/nano: seed 0 failed: {escaped}" in text
    assert text.count("&") - text.count(r"\&") == 2 * (len(only(hostile(), suite).header()) - 1)
    for mark in ("↓", "↑", "≈", "±"):
        assert mark not in text


@pytest.mark.parametrize("form", ["text", "md", "latex", "csv", "json"])
def test_no_format_lets_a_record_speak_to_a_terminal(suite: Suite, form: Format) -> None:
    odd = "x\x1b[31m\x9b2J\u202e\x00\n::error::owned"
    records = [
        toy.record(
            title=odd, method=odd, model={"name": odd, "id": odd}, status=status, error=odd,
            corpus={"name": odd}, formulas=dict.fromkeys(toy.record().formulas, odd),
        )
        for status in ("done", "failed")
    ]  # fmt: skip
    text = render(records, suite, form)
    assert "owned" in text
    assert not [letter for letter in text if not letter.isprintable() and letter != "\n"]
    assert "\\u001b" not in text
    assert not re.search(r"(?m)^::", text)


def test_latex_has_a_rule_between_models(suite: Suite) -> None:
    records = seeds([0.5]) + seeds([0.5], model={"name": "llama-1234"})
    assert render(records, suite, "latex").count(r"\midrule") == 2
    assert r"\begin{tabular}{llrrrrrrrr}" in render(records, suite, "latex")


def test_text_and_markdown_hold_title_rows_and_notes(suite: Suite) -> None:
    records = seeds([None] * 3, gaps={"kept": "nothing was asked"})
    text, page = render(records, suite, "text"), render(records, suite, "md")
    assert text.startswith("Toy protocol, toy secrets: builtin/nano\n\nmodel ")
    assert f"{NOTE}\n* di, kept: nothing was asked\n* intervals of seeds alone" in text
    assert page.startswith("# Toy protocol, toy secrets: builtin/nano\n\n| model | method | ")
    assert "kept = `exact_memorization@1`" in page
    assert "\n\n- di, kept: nothing was asked\n- intervals of seeds alone" in page


def test_csv_and_json_come_back_with_every_digit(suite: Suite) -> None:
    third, rest = 1 / 3, 0.1 + 0.2
    records = seeds([third, rest], method='a,"b"\nc') + seeds([None] * 3, gaps={"kept": "why"})
    table = frame(records, suite)
    read = pd.read_csv(io.StringIO(render(records, suite, "csv")))
    pd.testing.assert_frame_equal(read, table, check_exact=True, check_dtype=False)
    rows = json.loads(render(records, suite, "json"))
    pd.testing.assert_frame_equal(pd.DataFrame(rows), table, check_exact=True)
    kept = next(r for r in rows if r["metric"] == "kept" and r["method"].startswith("a"))
    assert (kept["mean"], kept["seeds"], kept["better"]) == ((third + rest) / 2, 2, "higher")
    gap = next(r for r in rows if r["metric"] == "kept" and r["method"] == "di")
    assert (gap["mean"], gap["sd"], gap["seeds"]) == (None, None, 0)


@pytest.mark.parametrize(
    ("form", "empty"), [("text", ""), ("md", ""), ("latex", ""), ("json", "[]\n")]
)
def test_no_records_make_no_board(suite: Suite, form: Format, empty: str) -> None:
    assert render([], suite, form) == empty


def test_a_tuned_board_says_what_each_row_was_given_and_no_other_board_does(suite: Suite) -> None:
    shared = {"epochs": 5, "batch_size": 8}
    di = {"strength": 3.0, "recipe": {"lr": 2.29e-4, **shared}}
    npo = {"beta": 0.1, "recipe": {"lr": 3e-4, **shared}}
    rows = seeds([0.5] * 3, settings=di, trials=8) + seeds([0.5] * 3, method="npo", settings=npo)
    rows += seeds([0.9] * 3, method="none", settings={})
    page = render(rows, suite, "md")
    assert "- di on builtin/nano: strength 3, recipe.lr 0.000229\n" in page
    assert "- npo on builtin/nano: beta 0.1, recipe.lr 0.0003\n" in page
    assert "epochs" not in page
    assert "none on" not in page
    untuned = [row.model_copy(update={"trials": 0}) for row in rows]
    assert "Settings" not in render(untuned, suite, "md")
