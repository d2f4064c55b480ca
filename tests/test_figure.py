"""A figure is its records, byte for byte: well-formed, self-contained, and safe to publish."""

import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from di_bench import suite as suites
from di_bench.figure import apart
from di_bench.line import Cell
from di_bench.panel import LETTER, Panel, cut, ink
from di_bench.record import Record
from di_bench.render import render
from di_bench.scaling import Axis
from di_bench.suite import Suite
from tests import toy
from tests.test_scaling import of

SVG = "{http://www.w3.org/2000/svg}"
MODELS = ("builtin--nano", "builtin--micro", "far")
FIELD = [f"method_{number}" for number in range(27)]
HOSTILE = '<script>alert("1")</script> & ]]> \x00\x1b[31m \ud800 <!-- \'"/>'


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return suites.load(toy.write(tmp_path, {"models": ["builtin/nano"], "seeds": [0, 1]}))


def grid(methods: Sequence[str]) -> list[Record]:
    """Two seeds of every method on every model, no two alike."""
    dice = random.Random(0)
    every = [(model, method) for model in MODELS for method in methods]
    return [of(model, name, dice.random(), seed) for model, name in every for seed in (0, 1)]


def drawn(records: list[Record], suite: Suite) -> Xml.Element:
    return Xml.fromstring(render(records, suite, "svg"))


def words(root: Xml.Element) -> list[str]:
    return ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]


def test_the_same_records_in_any_order_make_the_same_bytes(suite: Suite) -> None:
    records = grid(["none", "retrain", *FIELD])
    made = render(records, suite, "svg")
    for shuffle in range(3):
        random.Random(shuffle).shuffle(records)
        assert render(records, suite, "svg") == made


def test_a_figure_needs_nothing_from_outside_and_says_what_it_is(suite: Suite) -> None:
    root = drawn(grid(["none", "retrain", "di"]), suite)
    assert (root.get("role"), root.get("aria-labelledby")) == ("img", "title about")
    title, about = root[0], root[1]
    assert (title.tag, title.get("id")) == (f"{SVG}title", "title")
    assert (title.text or "").startswith("Toy protocol, toy secrets: builtin/nano, builtin/micro")
    assert (about.tag, about.get("id")) == (f"{SVG}desc", "about")
    tags = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert tags == {"svg", "title", "desc", "style", "rect", "g", "defs", "use", "path", "text"}
    links = [value for e in root.iter() for key, value in e.items() if key.endswith("href")]
    ids = {e.get("id") for e in root.iter()}
    assert links
    assert {link.removeprefix("#") for link in links} <= ids
    assert "url(" not in (root.findtext(f"{SVG}style") or "")
    background = root.find(f"{SVG}rect")
    assert background is not None
    assert (background.get("fill"), background.get("height")) == ("#fff", root.get("height"))


def test_every_column_and_method_and_size_is_named(suite: Suite) -> None:
    shown = words(drawn(grid(["none", "retrain", *FIELD]), suite))
    for name in FIELD:
        assert shown.count(name) == len(suite.shown) + 1, name  # each panel's end, and its strip
    for column in ("accuracy ↓", "kept ↑", "quality ↑", "ratio ≈", "likeness ↑"):
        assert shown.count(column) == 2
    assert shown.count("0.26M") == shown.count("124M") == 2 * len(suite.shown)


def test_what_a_stranger_wrote_stays_text(suite: Suite) -> None:
    records = [r.model_copy(update={"title": HOSTILE}) for r in grid(["none", HOSTILE])]
    text = render(records, suite, "svg")
    root = Xml.fromstring(text)
    assert not list(root.iter(f"{SVG}script"))
    assert "<script" not in text
    assert "<!--" not in text
    assert text.isprintable() or set(filter(lambda c: not c.isprintable(), text)) == {"\n"}
    assert any(word.startswith("<script>") for word in words(root))


def lines(root: Xml.Element, name: str) -> tuple[int, int]:
    """How many pieces a row's first line is in, and how many marks it has."""
    group = next(g for g in root.iter(f"{SVG}g") if g.findtext(f"{SVG}title") == name)
    paths = {p.get("class"): p.get("d", "") for p in group.findall(f"{SVG}path")}
    return paths.get("l", "").count("M"), paths["m"].count("M")


@pytest.mark.parametrize(
    ("values", "pieces", "marks"),
    [([0.1, 0.2, 0.3], 1, 3), ([0.1, 0.2, None], 1, 2), ([0.1, None, 0.3], 2, 2)],
)
def test_a_gap_is_a_gap(
    tmp_path: Path, values: list[float | None], pieces: int, marks: int
) -> None:
    suite = suites.load(toy.write(tmp_path, {"board": ["kept"]}))
    records = [of(model, value=value) for model, value in zip(MODELS, values, strict=True)]
    found = lines(drawn([*records, *grid(["none"])], suite), "di")
    assert found == ((0 if values[1] is None else pieces), marks)


def test_a_row_without_any_value_is_an_empty_strip(suite: Suite) -> None:
    lost = [
        toy.record(model={"name": m, "id": m.replace("--", "/")}, status="diverged", scores={})
        for m in MODELS[:2]
    ]
    shown = words(drawn([*grid(["none"]), *lost], suite))
    assert shown.count("di") == 1


def test_a_value_beyond_its_axis_is_a_triangle_at_the_edge() -> None:
    panel = Panel(0, 0, 100, 100, [1, 10], Axis(0, 1, (0, 1)))
    (curve,) = panel.curve([(1, Cell((0.5,), 1)), (10, Cell((9.0,), 1))], "i0 d0", "di")
    assert "M94.0 0.0m0-1l" in curve
    assert "M6.0 50.0m-2.2" in curve


def test_names_at_the_ends_never_overlap_and_stay_in_order() -> None:
    wanted = [10.0, 10.0, 10.5, 50.0, 99.0, 99.0, 99.0]
    placed = apart(wanted, 9, 0, 100)
    assert all(b - a >= 9 for a, b in pairwise(placed))
    assert placed[-1] <= 100
    assert placed[3] == 50
    assert apart([], 9, 0, 100) == []


def test_no_two_of_28_methods_are_drawn_alike() -> None:
    many = [str(number) for number in range(28)]
    assert len({ink(name, many) for name in many}) == 28
    assert ink("none", []) == "none"


def test_words_keep_to_their_room(suite: Suite) -> None:
    long = "a_method_with_a_name_that_goes_on_and_on"
    assert cut(long, 80, 8) == "a_method_with_…"
    assert len(cut(long, 80, 8)) * 8 * LETTER <= 80
    root = drawn(grid(["none", "retrain", long]), suite)
    width = float(root.get("width", 0))
    size = {"t": 14.0, "h": 11.0}
    for text in root.iter(f"{SVG}text"):
        kinds = text.get("class", "").split()
        letters = len(text.text or "") * size.get(kinds[0] if kinds else "", 9) * 0.6
        left = float(text.get("x", 0))
        assert left + (0 if {"e", "c"} & set(kinds) else letters) <= width
