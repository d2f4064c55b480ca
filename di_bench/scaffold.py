"""A method to start from: a file that runs as it is, and a test of it that passes as it is."""

import keyword
import sys
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

from di_bench.errors import DiBenchError, MethodError
from di_bench.methodfile import PACKAGED

METHOD = '''"""NAME: gradient difference to start from; say here what it does (Authors, year)."""

from dataclasses import dataclass

from torch import Tensor

from di_bench.api import LM, Fit, Method, Pair, Recipe, nll


@dataclass(frozen=True)
class CLASS(Method):
    retain: float = 1.0
    """Weight of the loss on retain.

    Every field is a setting: --set 'methods={./NAME.py: {retain: 2}}'.
    """
    recipe: Recipe = Recipe(lr=1e-5)

    def unlearn(self, lm: LM, fit: Fit) -> LM:
        def loss(lm: LM, batch: Pair) -> Tensor:
            return self.retain * nll(lm, batch.retain) - nll(lm, batch.forget)

        return fit(lm, loss, self.recipe)
'''

TEST = '''"""NAME forgets what it is told to, and takes no setting that it does not have."""

from pathlib import Path

import pytest

from di_bench.api import rehearse
from di_bench.errors import MethodError

METHOD = Path(__file__).with_name("NAME.py")


def test_the_loss_on_forget_rises() -> None:
    before, after = rehearse(METHOD).forget  # mean loss of a miniature, in nats a token
    assert after > before


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(MethodError, match="unknown setting"):
        rehearse(METHOD, {"no_such_setting": 1.0})
'''


def method(name: str, folder: Path) -> tuple[Path, Path]:
    """Write `<name>.py` and `test_<name>.py` into a folder, both or neither.

    Raises MethodError for a name that cannot be a method's, and DiBenchError where the files cannot
    be written.
    """
    if not name.isidentifier() or keyword.iskeyword(name):
        raise MethodError(f"{name!r} is no Python name; use letters, digits and _, as in my_method")
    if (PACKAGED / f"{name}.py").exists():
        raise MethodError(f"{name!r} is a packaged method; choose another name")
    places = folder / f"{name}.py", folder / f"test_{name}.py"
    if there := [place for place in places if place.exists()]:
        raise DiBenchError(f"{there[0]}: is there already; choose another name, or --to DIR")
    if _is_module(name):
        raise MethodError(f"{name!r} is the name of a Python module; choose another")
    title = "".join(part.capitalize() for part in name.split("_")) + "Unlearning"
    filled = [text.replace("CLASS", title).replace("NAME", name) for text in (METHOD, TEST)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(dict(zip(places, filled, strict=True)))
    except OSError as error:
        raise DiBenchError(
            f"{folder}: cannot be written to ({error.strerror}); choose another: --to DIR"
        ) from error
    return places


def _is_module(name: str) -> bool:
    """Whether a file of this name would hide a module: pytest looks in a test's folder first."""
    if name in sys.modules:
        return True
    found = find_spec(name)
    return found is not None and found.origin is not None  # a mere folder hides nothing


def _write(texts: dict[Path, str]) -> None:
    with ExitStack() as undo:
        for place, text in texts.items():
            with place.open("x", encoding="utf-8") as file:
                undo.callback(place.unlink)
                file.write(text)
        undo.pop_all()
