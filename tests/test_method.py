"""A method file is known before it runs: its name, settings and code, and what is wrong with it."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from di_bench.errors import MethodError
from di_bench.method import Method
from di_bench.methodfile import PACKAGED, MethodFile
from di_bench.recipe import Recipe
from tests.toy import METHOD, line


def method(
    folder: Path, text: str = METHOD, tuned: Mapping[str, object] | None = None
) -> MethodFile:
    path = folder / "calm.py"
    path.write_text(text, encoding="utf-8")
    if tuned:
        path.with_suffix(".yaml").write_text(yaml.safe_dump(tuned, sort_keys=False), "utf-8")
    return MethodFile(path)


TWO = METHOD + METHOD.partition("from di_bench")[2].partition("\n")[2].replace("Calm", "Other")
BAD = {
    "": "expected one class that subclasses Method, found 0; a file holds one method",
    "class Calm:\n    pass\n": "expected one class that subclasses Method, found 0",
    TWO: "expected one class that subclasses Method, found 2; a file holds one method",
    METHOD.replace("unlearn", "forget"): "Calm has no unlearn(self, lm, fit); add it",
    METHOD + "def f(:\n": "not valid Python: invalid syntax",
    "x = '\n": "not valid Python: unterminated string literal",
    "\x00": "source code string cannot contain null bytes",
}


@pytest.mark.parametrize("text", BAD)
def test_a_file_that_is_no_method_gets_one_line(tmp_path: Path, text: str) -> None:
    file = method(tmp_path, text)
    with pytest.raises(MethodError) as error:
        file.settings("builtin/nano", {}, {})
    assert line(error.value).startswith(f"{file.path}:")
    assert BAD[text] in line(error.value)


def test_a_syntax_error_names_its_line(tmp_path: Path) -> None:
    number = METHOD.count("\n") + 1
    with pytest.raises(MethodError, match=rf"calm\.py:{number}: not valid Python"):
        _ = method(tmp_path, METHOD + "def f(:\n").code


def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(MethodError, match=r"gone\.py: cannot be read: No such file or directory$"):
        _ = MethodFile.find(str(tmp_path / "gone.py")).code
    (tmp_path / "calm.py").write_bytes(b"# \xff")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MethodError, match=r"no packaged method 'calm'; did you mean \./calm\.py\?"):
        MethodFile.find("calm")
    with pytest.raises(MethodError, match=r"calm\.py: cannot be read"):
        _ = MethodFile(tmp_path / "calm.py").code


def test_a_bare_name_is_packaged_and_anything_else_a_path(tmp_path: Path) -> None:
    assert MethodFile.find("di").path == PACKAGED / "di.py"
    assert MethodFile.find(str(tmp_path / "mine.py")).name == "mine"
    assert MethodFile.find("mine.py").path == Path("mine.py")
    with pytest.raises(MethodError, match="no packaged method 'di_retian'; did you mean 'di_reta"):
        MethodFile.find("di_retian")


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ({"strenght": 3}, "unknown setting strenght; did you mean 'strength'? There are: recipe, "),
        ({"recipe": {"lrr": 1}}, "setting recipe.lrr: unknown setting of a recipe; did you mean"),
        ({"recipe": {"lr": "high"}}, "setting recipe.lr: must be a number, not 'high'"),
        ({"recipe": {"epochs": 1.5}}, "setting recipe.epochs: must be a whole number, not 1.5"),
        ({"recipe": {"schedule": "wavy"}}, "setting recipe.schedule: must be 'constant', "),
        ({"recipe": 3}, "setting recipe: write it as {lr: 1.0e-4}"),
    ],
)
def test_settings_that_do_not_fit_are_refused_without_running_the_file(
    tmp_path: Path, own: dict[str, object], said: str
) -> None:
    file = method(tmp_path, METHOD + "raise RuntimeError\n")
    with pytest.raises(MethodError) as error:
        file.settings("builtin/nano", {}, own)
    assert line(error.value).startswith(f"{file.path}: {said}")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"strength": "high"}, "setting strength: must be a number, not 'high'"),
        ({"strength": None}, "setting strength: must be a number, and nothing is there"),
        ({"recipe": {"epochs": "few"}}, "setting recipe.epochs: must be a whole number, not 'few'"),
    ],
)
def test_values_of_the_wrong_type_are_refused(
    tmp_path: Path, settings: dict[str, object], said: str
) -> None:
    file = method(tmp_path)
    with pytest.raises(MethodError) as error:
        file.load(settings)
    assert line(error.value) == f"{file.path}: {said}"


def test_a_file_that_cannot_be_imported_says_why(tmp_path: Path) -> None:
    with pytest.raises(
        MethodError,
        match=r"calm\.py: cannot be imported: ModuleNotFoundError: No module named 'gone'",
    ):
        method(tmp_path, METHOD + "import gone\n").load({})
    stranger = METHOD.replace("from di_bench.api import LM, Fit, Method, Recipe", "LM = Fit = str")
    local = stranger.replace(
        "@dataclass", "class Recipe:\n    lr = 0\n\n\nclass Method:\n    pass\n\n\n@dataclass"
    )
    local = local.replace("    recipe: Recipe = Recipe(lr=1e-4)\n", "")
    with pytest.raises(MethodError, match=r"Calm must subclass di_bench\.api\.Method"):
        method(tmp_path, local).load({})


def test_settings_reach_the_method_and_the_rest_keep_its_defaults(tmp_path: Path) -> None:
    built = method(tmp_path).load({"strength": 3, "recipe": {"epochs": 2}})
    assert isinstance(built, Method)
    assert vars(built) == {"strength": 3.0, "recipe": Recipe(lr=1e-4, epochs=2)}


def test_settings_are_laid_over_each_other_in_order(tmp_path: Path) -> None:
    suite = {"lr": 1e-3, "epochs": 5}
    tuned = {
        "builtin/nano": {"strength": 2.0},  # before the default, which still comes first
        "default": {"strength": 1.0, "recipe": {"lr": 1e-2}},
        "builtin/*": {"recipe": {"clip": 0.5}},
        "other": {"strength": 9.0},
    }
    file = method(tmp_path, tuned=tuned)
    assert file.settings("builtin/nano", suite, {}) == {
        "strength": 2.0,
        "recipe": {"lr": 1e-2, "epochs": 5, "clip": 0.5},
    }
    assert file.settings("gpt2", suite, {"strength": 7.0}) == {
        "strength": 7.0,
        "recipe": {"lr": 1e-2, "epochs": 5},
    }


def test_a_tuned_file_that_is_no_mapping_is_named(tmp_path: Path) -> None:
    with pytest.raises(MethodError, match=r"calm\.yaml: default: must map settings to values"):
        method(tmp_path, tuned={"default": 3}).settings("m", {}, {})
    (tmp_path / "calm.yaml").write_text("default: [", encoding="utf-8")
    with pytest.raises(MethodError, match=r"calm\.yaml:1: not valid YAML"):
        method(tmp_path).settings("m", {}, {})


def test_a_method_without_a_recipe_takes_none_from_the_suite() -> None:
    assert MethodFile.find("none").settings("builtin/nano", {"lr": 1.0}, {}) == {}


SAME = {
    "comment": METHOD.replace("strength:", "# how strong\n    strength:"),
    "layout": METHOD.replace("10.0", "(  10.0 )").replace("\n\n\n", "\n\n\n\n\n"),
    "docstring": METHOD.replace("Do nothing, twice.", "Do nothing at all."),
    "no docstring": METHOD.partition("\n")[2],
    "field docstring": METHOD.replace("= 10.0", '= 10.0\n    """How strong."""'),
    "method docstring": METHOD.replace("return lm", '"""Nothing."""\n        return lm'),
}
OTHER = {
    "default": METHOD.replace("10.0", "11.0"),
    "type of a constant": METHOD.replace("10.0", "'10.0'"),
    "whole number": METHOD.replace("10.0", "10"),
    "name": METHOD.replace("strength", "power"),
    "code": METHOD.replace("return lm", "return fit.gold()"),
    "decorator": METHOD.replace("frozen=True", "frozen=True, slots=True"),
}


@pytest.mark.parametrize("change", SAME)
def test_comments_docstrings_and_layout_are_no_change_of_code(tmp_path: Path, change: str) -> None:
    code = method(tmp_path).code
    assert method(tmp_path, SAME[change]).code == code


@pytest.mark.parametrize("change", OTHER)
def test_a_change_of_code_is_seen(tmp_path: Path, change: str) -> None:
    code = method(tmp_path).code
    assert method(tmp_path, OTHER[change]).code != code


def test_the_summary_is_the_first_line_of_the_docstring(tmp_path: Path) -> None:
    assert method(tmp_path).summary == "Do nothing, twice."
    assert method(tmp_path, METHOD.partition("\n")[2]).summary == ""


@pytest.mark.parametrize("path", sorted(PACKAGED.glob("*.py")), ids=lambda path: path.stem)
def test_every_packaged_method_says_what_it_is_and_takes_a_suite_recipe(path: Path) -> None:
    file = MethodFile.find(path.stem)
    assert file.summary.endswith((".", ")."))
    assert set(file.settings("builtin/nano", {"lr": 1e-3}, {})) <= {"recipe"}


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("", ()),
        ('watches: ClassVar[tuple[str, ...]] = ("text", "unseen")', ("text", "unseen")),
        ('watches = ("text",)', ("text",)),
    ],
)
def test_what_a_stop_rule_reads_is_known_before_it_runs(
    tmp_path: Path, text: str, read: tuple[str, ...]
) -> None:
    line_of = "    strength: float = 10.0\n"
    file = method(tmp_path, METHOD.replace(line_of, f"    {text}\n{line_of}"))
    assert file.watches == read


@pytest.mark.parametrize("text", ['watches = ("text")', "watches = NAMES", "watches: tuple"])
def test_what_a_stop_rule_reads_must_be_written_out(tmp_path: Path, text: str) -> None:
    line_of = "    strength: float = 10.0\n"
    file = method(tmp_path, METHOD.replace(line_of, f"    {text}\n{line_of}"))
    with pytest.raises(MethodError, match="write out what the stop rule reads"):
        _ = file.watches
