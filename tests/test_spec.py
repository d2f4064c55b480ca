"""YAML as this project reads it, and complaints that a person can act on."""

from pathlib import Path
from typing import Literal

import pytest

from di_bench.errors import MethodError, SuiteError
from di_bench.spec import PlaceError, Spec, changes_of, merged, parse, read_yaml
from tests.toy import line


class Inner(Spec):
    size: int = 1
    word: Literal["old", "new"] = "old"


class Outer(Spec):
    name: str
    inner: Inner = Inner()
    many: dict[str, Inner] = {}
    several: tuple[int, ...] = ()
    rate: float | None = None


def yaml_file(folder: Path, text: str) -> Path:
    path = folder / "a.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("off", "off"),
        ("yes", "yes"),
        ("No", "No"),
        ("y", "y"),
        ("true", True),
        ("False", False),
        ("1e-5", 1e-5),
        ("1E5", 1e5),
        ("3.0e-4", 3e-4),
        (".5", 0.5),
        ("-3", -3),
        ("0", 0),
        ("010", 10),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("2024-07-26", "2024-07-26"),
        ("26 Jul 2024", "26 Jul 2024"),
        ("~", None),
        ("'1'", "1"),
    ],
)
def test_plain_words_are_not_booleans_dates_or_texts_of_numbers(
    tmp_path: Path, text: str, value: object
) -> None:
    read = read_yaml(yaml_file(tmp_path, f"a: {text}"), SuiteError)["a"]
    assert read == value
    assert isinstance(read, bool) == isinstance(value, bool)


def test_a_word_that_was_a_boolean_may_be_a_key(tmp_path: Path) -> None:
    assert read_yaml(yaml_file(tmp_path, "on: 1\nyes: 2"), SuiteError) == {"on": 1, "yes": 2}


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("a: 1\nb: 2\na: 3", ":3", "'a' is given twice"),
        ("a: {b: 1, b: 2}", ":1", "'b' is given twice"),
        ("a: 1\nb: [", ":2", "not valid YAML"),
        ("a: 1\n\tb: 2", ":2", "not valid YAML"),
        ("a:\n\tb: 2", ":2", "indent with spaces, YAML knows no tabs"),
        ("? [a]\n: 1", ":1", "a key must be"),
        ("a: !!python/object:os.system x", ":1", "not valid YAML"),
        ("a: \x00", "", "not valid YAML"),
        ("- 1", "", "must be a mapping"),
        ("", "", "must be a mapping"),
    ],
)
def test_broken_yaml_names_file_and_line(tmp_path: Path, text: str, place: str, said: str) -> None:
    path = yaml_file(tmp_path, text)
    with pytest.raises(SuiteError) as error:
        read_yaml(path, SuiteError)
    assert line(error.value).startswith(f"{path}{place}: ")
    assert said in line(error.value)


def test_a_file_that_is_not_there_or_not_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        MethodError, match=r"gone\.yaml: cannot be read: No such file or directory$"
    ):
        read_yaml(tmp_path / "gone.yaml", MethodError)
    (tmp_path / "b.yaml").write_bytes(b"a: \xff")
    with pytest.raises(SuiteError, match=r"b\.yaml: cannot be read"):
        read_yaml(tmp_path / "b.yaml", SuiteError)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: a\ninnr: {}", ":2: innr: unknown key; did you mean 'inner'?"),
        ("nam: a", ":1: nam: unknown key; did you mean 'name'?"),
        ("inner: {}", ": name: missing; add it"),
        ("name: 3", ":1: name: must be text, not 3; quote it"),
        ("name:", ":1: name: must be text, and nothing is there"),
        ("name: a\ninner:\n  size: big", ":3: inner.size: must be a whole number, not 'big'"),
        ("name: a\ninner:\n  size: 1.5", ":3: inner.size: must be a whole number, not 1.5"),
        ("name: a\ninner: {word: neu}", ":2: inner.word: must be 'old' or 'new', not 'neu'"),
        ("name: a\ninner: 3", ":2: inner: must be a mapping of keys to values, not 3"),
        ("name: a\nmany:\n  x:\n    sise: 1", ":4: many.x.sise: unknown key; did you mean 'size'?"),
        ("name: a\nseveral: 3", ":2: several: must be a list, not 3"),
        ("name: a\nseveral:\n- 1\n- x", ":4: several.1: must be a whole number, not 'x'"),
        ("name: a\nrate: fast", ":2: rate: must be a number, not 'fast'"),
        ("name: a\nmany: {1: {}}", ":2: many.1: must be text, not 1; quote it"),
    ],
)
def test_a_complaint_has_file_line_place_and_mend(tmp_path: Path, text: str, said: str) -> None:
    path = yaml_file(tmp_path, text)
    with pytest.raises(SuiteError) as error:
        parse(Outer, read_yaml(path, SuiteError), path, SuiteError)
    assert line(error.value).startswith(f"{path}{said}")


def test_the_line_is_that_of_the_uppermost_layer_which_says_most(tmp_path: Path) -> None:
    path = yaml_file(tmp_path, "inner:\n  size: 1\nabove:\n  inner:\n    size: big\nname: 3\n")
    tree = {"name": "a", "inner": {"size": "big"}}
    layers = ((), ("above",))
    with pytest.raises(SuiteError, match=r"a\.yaml:5: inner\.size"):
        parse(Outer, tree, path, SuiteError, layers)
    with pytest.raises(SuiteError, match=r"a\.yaml:6: name"):
        parse(Outer, {"name": 3}, path, SuiteError, layers)


def test_a_place_error_is_a_value_error_with_a_place() -> None:
    error = PlaceError(("a", 0), "no")
    assert isinstance(error, ValueError)
    assert (error.place, str(error)) == (("a", 0), "no")


def test_mappings_merge_and_lists_are_replaced() -> None:
    below = {"a": {"x": 1, "y": [1, 2]}, "b": [1], "c": {"z": 1}}
    above = {"a": {"y": [3]}, "b": [2], "c": 5, "d": {"new": None}}
    assert merged(below, above) == {
        "a": {"x": 1, "y": [3]},
        "b": [2],
        "c": 5,
        "d": {"new": None},
    }
    assert below == {"a": {"x": 1, "y": [1, 2]}, "b": [1], "c": {"z": 1}}


def test_assignments_become_a_tree_of_yaml_values() -> None:
    given = ["recipe.lr=1e-4", "recipe.epochs=3", "seeds=[0, 1]", "title=a=b", "corpus.path=/x"]
    assert changes_of(given) == {
        "recipe": {"lr": 1e-4, "epochs": 3},
        "seeds": [0, 1],
        "title": "a=b",
        "corpus": {"path": "/x"},
    }
    assert changes_of([]) == {}


@pytest.mark.parametrize("text", ["recipe.lr", "=3", "seeds=[0", "a={b: 1, b: 2}"])
def test_an_assignment_without_key_or_value_is_refused(text: str) -> None:
    with pytest.raises(SuiteError) as error:
        changes_of([text])
    assert line(error.value).startswith(f"--set {text}: ")


def test_values_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Inner().size = 2  # type: ignore[misc]  # that is the point
