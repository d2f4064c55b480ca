"""What a board says first, on rows made by hand."""

from pathlib import Path
from typing import Any

import pytest

from di_bench import suite as suites
from di_bench.board import Board, boards
from di_bench.headline import grouped, headline
from di_bench.record import Record
from di_bench.render import render
from di_bench.suite import Suite
from tests import toy

Pairs = dict[str, tuple[float | None, float | None]]
ROWS: Pairs = {
    "none": (0.9, 0.9),
    "retrain": (0.4, 0.9),
    "ga": (0.1, 0.1),
    "di": (0.5, 0.8),
    "npo": (0.6, 0.7),
    "kl": (0.7, 0.6),
}
PAIR = ("accuracy", "kept")


def made(folder: Path, front: tuple[str, str] | None = PAIR, **changes: Any) -> Suite:  # noqa: ANN401 - YAML
    more = {"front": list(front)} if front else {}
    methods: dict[str, Any] = {name: {} for name in ROWS}
    tree = {"models": ["builtin/nano"], "methods": methods, "seeds": [0, 1], **more, **changes}
    return suites.load(toy.write(folder, tree))


def records(pairs: Pairs, front: tuple[str, str] = PAIR, **changes: Any) -> list[Record]:  # noqa: ANN401 - fields of Record
    """A row of two seeds for each method: a tenth off its means on either side."""
    scores = toy.record().scores
    return [
        toy.record(
            method=method,
            seed=seed,
            scores=scores | {c: v and v + d for c, v in zip(front, pair, strict=True)},
            **changes,
        )
        for method, pair in pairs.items()
        for seed, d in ((0, 0.1), (1, -0.1))
    ]


def said(records: list[Record], suite: Suite) -> list[str]:
    (board,) = boards(records, suite)
    return headline(board)


def test_members_stand_first_by_what_they_forgot_and_the_beaten_after(tmp_path: Path) -> None:
    first, model = said(records(ROWS), made(tmp_path))
    assert first.startswith("Front of accuracy ↓ against kept ↑, by means over seeds")
    assert model == (
        "builtin/nano: on the front, most forgotten first: ga (0.100, 0.100), di (0.500, 0.800); "
        "dominated: npo (by di), kl (by di). "
        "For reference: none (0.900, 0.900), retrain (0.400, 0.900)."
    )


def test_the_baselines_of_the_contract_are_no_members_and_beat_nobody(tmp_path: Path) -> None:
    _, model = said(records({"none": (0.2, 0.9), "retrain": (0.1, 0.9), "di": (0.9, 0.1)}),
                    made(tmp_path))  # fmt: skip
    assert "on the front, most forgotten first: di (0.900, 0.100). For reference: none" in model
    _, model = said(records({"none": (0.2, 0.9)}), made(tmp_path))
    assert (
        "on the front, most forgotten first: nobody. For reference: none (0.200, 0.900)." in model
    )


def test_a_gold_column_counts_by_its_distance_to_the_retrain_row(tmp_path: Path) -> None:
    front = ("ratio", "kept")
    pairs: Pairs = {"retrain": (0.6, 0.9), "ga": (0.9, 0.5), "di": (0.5, 0.6), "npo": (0.2, 0.7)}
    first, model = said(records(pairs, front), made(tmp_path, front))
    assert first.startswith("Front of ratio ≈ against kept ↑")
    assert "first: di (0.500, 0.600), npo (0.200, 0.700); dominated: ga (by di" in model
    without = [record for record in records(pairs, front) if record.method != "retrain"]
    assert said(without, made(tmp_path, front))[1] == (
        "builtin/nano: on the front, most forgotten first: nobody; without a value: di, npo, ga."
    )


def test_a_row_without_a_value_is_named_and_one_of_fewer_seeds_says_so(tmp_path: Path) -> None:
    rows = records({"ga": (0.1, None), "di": (0.5, 0.8)})
    lost = toy.record(method="npo", seed=1, status="diverged", error="nan", scores={})
    half = [record for record in records({"npo": (0.6, 0.8)}) if record.seed == 0]
    _, model = said([*rows, *half, lost], made(tmp_path))
    assert model == (
        "builtin/nano: on the front, most forgotten first: di (0.500, 0.800), "
        "npo (0.700, 0.900; 1 of 2 seeds); without a value: ga."
    )


def test_each_model_has_a_front_of_its_own(tmp_path: Path) -> None:
    other = records({"di": (0.1, 0.9)}, model={"name": "builtin--micro", "id": "builtin/micro"})
    _, nano, micro = said([*records(ROWS), *other], made(tmp_path))
    assert nano.startswith("builtin/nano: on the front, most forgotten first: ga")
    assert micro == "builtin/micro: on the front, most forgotten first: di (0.100, 0.900)."


def test_two_who_beat_a_method_are_named_and_more_are_counted(tmp_path: Path) -> None:
    above: Pairs = {f"m{n}": (0.1 * n, 0.1 * n) for n in range(1, 6)}
    _, model = said(records({**above, "di": (0.5, 0.05)}), made(tmp_path))
    assert "dominated: di (by m1, m2 and 3 more)." in model


def test_without_a_pair_a_board_says_nothing_first(tmp_path: Path) -> None:
    suite = made(tmp_path, None)
    assert said(records(ROWS), suite) == []
    title = "Toy protocol, toy secrets: builtin/nano\n\nmodel "
    assert render(records(ROWS), suite, "text").startswith(title)


def test_every_board_begins_with_it_whatever_columns_it_shows(tmp_path: Path) -> None:
    suite = made(tmp_path, board=["ratio"])
    text, page, tex = (render(records(ROWS), suite, form) for form in ("text", "md", "latex"))
    assert text.startswith("Toy protocol, toy secrets: builtin/nano\n\nFront of accuracy ↓ against")
    assert max(map(len, text.split("\nmodel")[0].splitlines())) <= 100
    assert page.startswith("# Toy protocol, toy secrets: builtin/nano\n\nFront of accuracy ↓")
    assert "ga (0.100, 0.100), di (0.500, 0.800)" in page.partition("| model")[0]
    assert r"Front of accuracy $\downarrow$ against kept $\uparrow$" in tex


def test_what_a_stranger_wrote_is_escaped(tmp_path: Path) -> None:
    rows = records({"a|<b> (c)\n\x1b[31m": (0.1, 0.9), "di": (0.5, 0.5)})
    page = render(rows, made(tmp_path), "md").partition("\n| model")[0]
    assert "a\\|\\<b> (c) ?\\[31m (0.100, 0.900)" in page
    assert "dominated: di (by a\\|\\<b> (c) ?\\[31m)." in page
    assert "\x1b" not in render(rows, made(tmp_path), "text")


@pytest.mark.parametrize("front", [None, PAIR])
def test_columns_are_told_by_group(tmp_path: Path, front: tuple[str, str] | None) -> None:
    suite = made(tmp_path, front, board=["likeness", "accuracy", "kept", "quality"])
    (board,) = boards(records(ROWS), suite)
    told = "forgetting (accuracy, quality), utility (kept), cost (the last columns)."
    assert grouped(board) == f"Groups: generation (likeness), {told}"
    assert f"\n\n{grouped(board)}\n\nFormulas: " in render(records(ROWS), suite, "md")
    assert isinstance(board, Board)
