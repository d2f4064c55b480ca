"""Two rows beside each other: what compares, how far they are apart, which is better."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import ttest_ind, ttest_rel

from di_bench import comparison, stats
from di_bench.comparison import Contrast, Side
from di_bench.errors import StoreError
from di_bench.metrics.metric import ItemScore
from tests import toy
from tests.toy import line

SEEDS = (0, 1, 2)
DI = ([0.2, 0.4], [0.3, 0.5], [0.1, 0.6])
NPO = ([0.5, 0.9], [0.6, 0.7], [0.4, 0.7])
"""Values of two items in three seeds."""
NEAR = {"accuracy": "gold"}


def keep(folder: Path, method: str, values: Sequence[Sequence[float]], **changes: Any) -> None:  # noqa: ANN401 - fields of Record
    """A row of the toy suite: `accuracy` is the mean of its items, `quality` is no mean of any."""
    models = {"models": ["builtin/nano"], "seeds": [*range(len(values))], "grow_seeds": [0]}
    work = toy.work(toy.write(folder, models))
    cells = [run for run in work.runs if run.method.name == method]
    for run, of in zip(cells, values, strict=True):
        mean = math.fsum(of) / len(of)
        fields = {"scores": {"accuracy": mean, "quality": mean**2}} | changes
        one = toy.record(method=method, seed=run.seed, **fields)
        items = [ItemScore(f"i/{n}", f"g/{n}", value) for n, value in enumerate(of)]
        work.store.keep(run, one, {"accuracy": items})


def find(folder: Path, name: str) -> Side:
    return comparison.find(folder / "results", f"toy/default/builtin--nano/{name}")


def columns(folder: Path, a: str = "di", b: str = "npo") -> Mapping[str, Contrast]:
    found = comparison.compare(find(folder, a), find(folder, b))
    return {one.column: one for one in found}


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    keep(tmp_path, "di", DI)
    keep(tmp_path, "npo", NPO)
    return tmp_path


def test_a_name_is_a_run_a_row_or_a_path(kept: Path) -> None:
    one, row = find(kept, "di-1"), find(kept, "di")
    assert (one.seeds, row.seeds) == ((1,), SEEDS)
    assert comparison.find(Path("nowhere"), str(one.paths[0])).records == one.records
    assert [path.name for path in row.paths] == ["di-0.json", "di-1.json", "di-2.json"]
    with pytest.raises(StoreError) as error:
        find(kept, "dii")
    assert line(error.value).endswith(
        "no run and no row of runs; did you mean 'di'? There are: di, npo"
    )
    with pytest.raises(StoreError, match=r"gone\.json: no such record"):
        comparison.find(kept, "gone.json")
    with pytest.raises(StoreError, match=r"no run and no row of runs$"):
        comparison.find(kept, "no/such/folder")


def test_a_row_is_not_mixed_with_one_whose_name_begins_alike(kept: Path) -> None:
    folder = find(kept, "di").paths[0].parent
    for stem in ("di-10", "di_retain-0", "di+recipe.lr=1e-05-0"):
        (folder / f"{stem}.json").write_text((folder / "di-0.json").read_text("utf-8"), "utf-8")
    assert len(find(kept, "di").paths) == 4
    assert [p.stem for p in find(kept, "di+recipe.lr=1e-05").paths] == ["di+recipe.lr=1e-05-0"]


def test_the_same_seeds_and_items_are_paired_and_crossed(kept: Path) -> None:
    one = columns(kept)["accuracy"]
    assert one.a == pytest.approx(0.35)
    assert one.b == pytest.approx(3.8 / 6)
    assert one.direction == "lower"
    samples = []
    for values in (DI, NPO):
        rows = {
            s: [(f"i/{n}", f"g/{n}", v) for n, v in enumerate(of)] for s, of in enumerate(values)
        }
        samples.append(stats.sample({s: math.fsum(of) / 2 for s, of in enumerate(values)}, rows))
    expected = stats.difference(samples[0], samples[1])
    assert one.apart == expected
    assert one.apart is not None
    assert one.apart.how == "paired"


def test_a_score_that_is_no_mean_of_items_uses_seeds_alone(kept: Path) -> None:
    one = columns(kept)["quality"]
    assert one.apart is not None
    mine, theirs = ([(math.fsum(of) / 2) ** 2 for of in rows] for rows in (DI, NPO))
    assert one.apart.p == pytest.approx(ttest_rel(mine, theirs).pvalue)
    assert one.apart.how == "paired seeds"


def shift(side: Side, by: int) -> None:
    """Give the records of a row other seeds."""
    for path, record in reversed(list(zip(side.paths, side.records, strict=True))):
        moved = path.with_name(f"{record.cell}-{record.seed + by}.json")
        one = record.model_copy(update={"seed": record.seed + by})
        moved.write_text(one.model_dump_json(), encoding="utf-8")
        path.with_suffix(".parquet").rename(moved.with_suffix(".parquet"))
        path.unlink()


def test_other_seeds_are_compared_by_welch(kept: Path) -> None:
    shift(find(kept, "npo"), 10)
    one = columns(kept)["quality"]
    assert one.apart is not None
    mine, theirs = ([(math.fsum(of) / 2) ** 2 for of in rows] for rows in (DI, NPO))
    assert one.apart.p == pytest.approx(ttest_ind(mine, theirs, equal_var=False).pvalue)
    assert (one.apart.how, one.why) == ("welch", "")


def test_seeds_that_both_have_are_paired_and_named(kept: Path) -> None:
    shift(find(kept, "npo"), 1)
    one = columns(kept)["quality"]
    assert one.apart is not None
    mine, theirs = ([(math.fsum(of) / 2) ** 2 for of in rows] for rows in (DI[1:], NPO[:2]))
    assert one.apart.p == pytest.approx(ttest_rel(mine, theirs).pvalue)
    assert one.apart.mean == pytest.approx(sum(mine) / 2 - sum(theirs) / 2)
    assert one.why == "A - B of the seeds both have: 1, 2"


def test_a_single_seed_is_told_by_its_items_alone(kept: Path) -> None:
    single = columns(kept, "di-0", "npo-0")
    apart = single["accuracy"].apart
    assert apart is not None
    assert (apart.how, apart.df) == ("items", 1)
    quality = single["quality"]
    assert (quality.apart, quality.compares, quality.better) == (None, True, "")
    assert quality.why == "one seed and no items: nothing tells how sure it is"


def test_numbers_beyond_floats_are_not_told_apart(tmp_path: Path) -> None:
    for method, by in (("di", 1.0), ("npo", 2.0)):
        keep(tmp_path, method, [[by * 1e140], [by * 1e149]])
    one = columns(tmp_path)["quality"]
    assert (one.apart, one.why, one.better) == (None, "numbers too large to be told apart", "")


def test_p_is_adjusted_over_the_columns_that_are_asked_for(kept: Path) -> None:
    both = columns(kept)
    raw = [one.apart.p for one in both.values() if one.apart]
    assert [one.p for one in both.values() if one.apart] == stats.holm(raw)
    surest = min(both.values(), key=lambda one: one.p)
    (alone,) = comparison.compare(find(kept, "di"), find(kept, "npo"), [surest.column])
    assert alone.apart is not None
    assert alone.p == alone.apart.p == surest.p / 2
    with pytest.raises(StoreError, match="no column 'qualty'; did you mean 'quality'"):
        comparison.compare(find(kept, "di"), find(kept, "npo"), ["qualty"])


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"corpus": {"name": "toy secrets", "forget": "F", "retain": "r", "asked": "a"}},
         "another corpus (forget)"),
        ({"model": {"name": "builtin--nano", "id": "builtin/nano", "dtype": "bfloat16"}},
         "another model (dtype)"),
        ({"setup": "t"}, "another setup (how models are grown or asked)"),
        ({"formulas": {"accuracy": "m@2", "quality": "forget_quality@ks-geo"}},
         "another formula (exact_memorization@1 and m@2)"),
        ({"scores": {"accuracy": None}, "gaps": {"accuracy": "no rows"}}, "no value in B: no rows"),
        ({"scores": {}, "status": "diverged", "error": "loss is nan"},
         "no value in B: loss is nan"),
    ],
)  # fmt: skip
def test_what_does_not_compare_is_said_for_the_column(
    tmp_path: Path, changes: dict[str, Any], why: str
) -> None:
    keep(tmp_path, "di", DI)
    keep(tmp_path, "npo", NPO, **changes)
    one = columns(tmp_path)["accuracy"]
    assert (one.compares, one.apart, one.better, one.why) == (False, None, "", why)
    assert math.isnan(one.p)
    if "formulas" in changes:  # the other column still compares
        assert columns(tmp_path)["quality"].compares


def test_a_row_of_several_kinds_does_not_compare_even_with_itself(kept: Path) -> None:
    path = find(kept, "di-2").paths[0]
    path.write_text(path.read_text("utf-8").replace('"setup": "s"', '"setup": "t"'), "utf-8")
    one = columns(kept, "di", "di")["accuracy"]
    assert one.why == "another setup (how models are grown or asked)"


@pytest.mark.parametrize(
    ("direction", "gold", "better", "why"),
    [
        ("lower", None, "A", ""),
        ("higher", None, "B", ""),
        ("gold", 0.9, "B", ""),
        ("gold", 0.1, "A", ""),
        ("gold", 0.5, "", "the gold's 0.5 lies between them"),
        ("gold", None, "", "no retrain run beside them to be near to"),
    ],
)
def test_the_better_one_has_the_better_end_or_the_gold_nearer(
    tmp_path: Path, direction: str, gold: float | None, better: str, why: str
) -> None:
    said = {"accuracy": direction}
    keep(tmp_path, "di", [[n / 100, (n + 2) / 100] for n in (29, 30, 31)], better=said)
    keep(tmp_path, "npo", [[n / 100, (n + 3) / 100] for n in (69, 70, 71)], better=said)
    if gold is not None:
        keep(tmp_path, "retrain", [[gold, gold]] * 3, better=said)
    (one,) = comparison.compare(find(tmp_path, "di"), find(tmp_path, "npo"), ["accuracy"])
    assert one.p < 0.05
    assert (one.better, one.why) == (better, why)
    unsure = comparison._judged(replace(one, p=0.05, better="", why=""), gold)
    assert (unsure.better, unsure.why) == ("", "")


def test_golds_of_another_kind_or_seed_are_no_golds(tmp_path: Path) -> None:
    keep(tmp_path, "di", DI, better=NEAR)
    keep(tmp_path, "npo", NPO, better=NEAR)
    keep(tmp_path, "retrain", [[0.1, 0.1]] * 3, better=NEAR, setup="other")
    assert comparison._golds(find(tmp_path, "di"), find(tmp_path, "npo")) == {}
    keep(tmp_path, "retrain", [[0.1, 0.1], [0.3, 0.3], [0.9, 0.9]], better=NEAR)
    golds = comparison._golds(find(tmp_path, "di-0"), find(tmp_path, "npo-1"))
    assert golds["accuracy"] == pytest.approx(0.2)


def test_lost_items_are_said_in_a_line(kept: Path) -> None:
    find(kept, "di-0").paths[0].with_suffix(".parquet").unlink()
    with pytest.raises(StoreError, match=r"di-0\.parquet: not there; run again"):
        columns(kept)
