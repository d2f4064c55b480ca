"""A board by size: which models stand where, which values an axis holds, what is said of gaps."""

import csv
from collections.abc import Sequence
from pathlib import Path

import pytest

from di_bench import suite as suites
from di_bench.board import boards
from di_bench.errors import StoreError
from di_bench.leaderboard import pages
from di_bench.line import Cell
from di_bench.record import Record
from di_bench.render import chosen, render
from di_bench.scaling import Scaling, axis, scaling, scalings, short
from di_bench.size import size
from di_bench.suite import Suite
from tests import toy

SIZES = {
    "builtin--nano": size("builtin/nano").parameters,
    "builtin--micro": size("builtin/micro").parameters,
    "far": 124_000_000,
}


def of(model: str, method: str = "di", value: float | None = 0.5, seed: int = 0) -> Record:
    """A record of a model of a known size; `far` is a stranger's that was counted."""
    return toy.record(
        model={"name": model, "id": model.replace("--", "/")},
        parameters=SIZES["far"] if model == "far" else None,
        method=method,
        seed=seed,
        scores=toy.record().scores | {"kept": value},
    )


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    models = ["far/far", "builtin/micro", "builtin/nano"]
    return suites.load(toy.write(tmp_path, {"models": models, "seeds": [0, 1]}))


def turned(records: list[Record], suite: Suite) -> Scaling:
    (board,) = boards(records, suite)
    return scaling(board)


def cells(*pairs: tuple[float, float]) -> list[Cell]:
    """Cells of a mean and a standard deviation."""
    return [Cell((mean - sd / 2**0.5, mean + sd / 2**0.5), 2) for mean, sd in pairs]


def test_models_stand_by_size_whatever_the_suites_order(suite: Suite) -> None:
    one = turned([of(model) for model in ("far", "builtin--micro", "builtin--nano")], suite)
    assert dict(one.models) == SIZES
    assert list(one.models) == list(SIZES)
    assert one.sizes == sorted(SIZES.values())
    assert one.is_ladder


def test_a_model_nobody_counted_is_left_out_by_name(suite: Suite) -> None:
    stranger = toy.record(model={"name": "llama-1234", "id": "llama-1234"})
    one = turned([of("far"), of("builtin--nano"), stranger], suite)
    assert (list(one.models), one.unknown) == (["builtin--nano", "far"], ("llama-1234",))
    assert not one.is_ladder


def test_a_curve_has_gaps_where_a_row_or_its_value_lacks(suite: Suite) -> None:
    records = [of("builtin--nano", value=0.1), of("builtin--micro", value=None)]
    one = turned([*records, of("far", "none")], suite)
    nano, micro, far = one.curve("di", "kept")
    assert (nano[0], nano[1] and nano[1].mean) == (SIZES["builtin--nano"], 0.1)
    assert (micro, far) == ((SIZES["builtin--micro"], None), (SIZES["far"], None))
    assert one.methods == ["di"]
    assert one.curve("retrain", "kept") == [(size, None) for size in SIZES.values()]


def test_rows_keep_the_boards_order_where_a_model_lacks_some(suite: Suite) -> None:
    given = {"builtin--nano": ["npo", "wga"], "far": ["none", "di", "wga", "x"]}
    one = turned([of(model, name) for model, names in given.items() for name in names], suite)
    assert list(one.rows) == ["none", "di", "npo", "wga", "x"]


def test_a_second_row_of_a_method_on_a_model_has_a_name_of_its_own(suite: Suite) -> None:
    other = of("far").model_copy(update={"settings": {"strength": 3.0}})
    one = turned([of("builtin--nano"), of("far"), other], suite)
    assert {row: list(lines) for row, lines in one.rows.items()} == {
        "di": ["builtin--nano", "far"],
        "di (2)": ["far"],
    }


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        (40_000, "0.040M"), (260_856, "0.26M"), (923_008, "0.92M"), (4_217_600, "4.2M"),
        (124_439_808, "124M"), (1_235_814_400, "1.2B"), (70_000_000_000, "70B"),
    ],
)  # fmt: skip
def test_a_size_is_short(weights: int, said: str) -> None:
    assert short(weights) == said


def test_one_size_is_refused_in_one_line_with_the_mend(suite: Suite) -> None:
    stranger = toy.record(model={"name": "llama-1234", "id": "llama-1234"})
    with pytest.raises(StoreError) as error:
        scalings(boards([of("builtin--nano"), stranger], suite))
    assert toy.line(error.value) == (
        "Toy protocol, toy secrets: builtin/nano, llama-1234: a figure against size needs models "
        "of two sizes, and has builtin/nano of 0.26M, llama-1234 of unknown size (run it again); "
        "add another with `di-bench run SUITE --model NAME`"
    )
    with pytest.raises(StoreError, match=r"no records: .* and has none; add"):
        render([], suite, "svg")


@pytest.mark.parametrize(
    "pairs",
    [
        [(0.2, 0.1), (0.9, 0.2)],
        [(0.0, 0.0), (0.0, 0.0)],
        [(1.0, 0.0)],
        [(-90.0, 5.0), (80.0, 1.0)],
        [(1.8, 0.1), (2.2, 0.1), (9.0, 12.0)],
        [(1e-9, 0.0), (1.0, 0.0)],
        [(250.0, 3.0)],
        [],
    ],
)
def test_an_axis_holds_its_values_in_order_and_has_round_ticks(
    pairs: Sequence[tuple[float, float]],
) -> None:
    made = axis(cells(*pairs))
    means = sorted(mean for mean, _ in pairs)
    places = [made.at(mean) for mean in means]
    assert places == sorted(places)
    assert all(0 < place < 1 for place in places)
    assert 1 <= len(made.ticks) <= 7
    assert all(made.low <= tick <= made.high for tick in made.ticks)
    assert all(len(f"{tick:g}".strip("-").replace(".", "").strip("0")) <= 3 for tick in made.ticks)


def test_shares_stay_linear_and_exploding_values_are_held_at_the_edge() -> None:
    assert not axis(cells((1e-9, 0), (1, 0))).log
    made = axis(cells((1.8, 0.1), (2.0, 0.1), (2.2, 0.1), (9.0, 1.0), (1e10, 1e9)))
    assert made.log
    assert made.high < 30
    assert made.at(1e10) == 1
    assert made.at(9.0) < 1
    assert made.at(-5.0) == 0  # where a whisker may end
    assert 2 in made.ticks


def test_a_ladder_has_tables_and_a_figure_and_two_sizes_have_not(suite: Suite) -> None:
    two = [of("far", value=0.25), of("far", "none"), of("builtin--nano", value=0.75)]
    assert list(pages(two, suite)) == ["LEADERBOARD.md"]
    assert "Against size" not in render(two, suite, "md")
    three = [*two, of("builtin--micro", value=None)]
    made = pages(three, suite)
    assert list(made) == ["LEADERBOARD.md", "SCALING.svg"]
    table = made["LEADERBOARD.md"].partition("### kept ↑\n\n")[2].splitlines()[:4]
    assert table == [
        "| method | builtin/nano, 0.26M | builtin/micro, 0.92M | far, 124M |",
        "| --- | ---: | ---: | ---: |",
        "| none | - | - | 0.500 (1) |",
        "| di | 0.750 (1) | - | 0.250 (1) |",
    ]
    assert "Against size" not in render(three, suite, "text")


def test_some_methods_are_chosen_with_their_references(suite: Suite) -> None:
    records = [of("far", method) for method in ("none", "retrain", "di", "npo")]
    variant = records[2].model_copy(update={"variant": "+strength=3"})
    kept = chosen([*records, variant], ["di"])
    assert [record.row for record in kept] == ["none", "retrain", "di", "di+strength=3"]
    assert [record.row for record in chosen([*records, variant], ["di+strength=3"])][2:] == [
        "di+strength=3"
    ]
    with pytest.raises(StoreError, match="no records of 'np'; did you mean 'npo'"):
        chosen(records, ["np"])


def test_every_number_says_how_many_weights_its_model_has(suite: Suite) -> None:
    table = csv.DictReader(render([of("far"), of("builtin--nano")], suite, "csv").splitlines())
    assert {(row["model"], row["parameters"]) for row in table} == {
        ("far", "124000000"),
        ("builtin/nano", str(SIZES["builtin--nano"])),
    }
