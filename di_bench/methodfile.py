"""A method before it is imported: its name, its settings, whether its code changed.

Planning asks here, so it neither imports torch nor executes a stranger's code.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from di_bench.errors import MethodError, nearest
from di_bench.method import Method
from di_bench.model import recipe_changes
from di_bench.recipe import Recipe
from di_bench.search import Space, Tuned
from di_bench.spec import PlaceError, Tree, complaint, merged

CHECKPOINT = "checkpoint:"
"""What stands before a model unlearned elsewhere, where a method may be named."""
PACKAGED = Path(__file__).parent / "baselines"
if not PACKAGED.is_dir():  # a checkout; the wheel carries the baselines inside the package
    PACKAGED = Path(__file__).parent.parent / "baselines"


@dataclass(frozen=True)
class MethodFile:
    """A method before it is imported."""

    path: Path
    brings: str = ""
    """The content of a model that comes unlearned (see `checkpoint.py`); none for a method."""
    on_target: bool = False
    """Whether what it brings is an adapter on the target."""

    @classmethod
    def find(cls, name: str) -> MethodFile:
        """A packaged method by its bare name, or any path that ends in `.py`."""
        if name.startswith(CHECKPOINT):
            raise MethodError(
                f"{name}: give a checkpoint after `di-bench run SUITE` or `plan SUITE`"
            )
        path = Path(name)
        if path.suffix != ".py" and path.parent == Path():
            path = PACKAGED / f"{name}.py"
            if not path.is_file():
                hint = nearest(name, [file.stem for file in PACKAGED.glob("*.py")])
                if Path(f"{name}.py").is_file():
                    hint = f"did you mean ./{name}.py?"
                raise MethodError(f"no packaged method {name!r}; {hint}")
        return cls(path)

    @property
    def name(self) -> str:
        """The file's stem is the method's name, everywhere."""
        return self.path.stem

    @cached_property
    def _tree(self) -> ast.Module:
        try:
            return ast.parse(self.path.read_text(encoding="utf-8"))
        except SyntaxError as error:
            raise MethodError(
                f"{self.path}:{error.lineno or 1}: not valid Python: {error.msg}"
            ) from error
        except (OSError, ValueError) as error:  # not there, or not text
            why = error.strerror if isinstance(error, OSError) else error
            raise MethodError(f"{self.path}: cannot be read: {why}") from error

    @cached_property
    def _class(self) -> ast.ClassDef:
        found = [
            node
            for node in self._tree.body
            if isinstance(node, ast.ClassDef)
            and any(
                getattr(base, "id", getattr(base, "attr", "")) == "Method" for base in node.bases
            )
        ]
        if len(found) != 1:
            raise MethodError(
                f"{self.path}: expected one class that subclasses Method, found {len(found)}; "
                "a file holds one method"
            )
        if not any(isinstance(n, ast.FunctionDef) and n.name == "unlearn" for n in found[0].body):
            raise MethodError(
                f"{self.path}:{found[0].lineno}: {found[0].name} has no unlearn(self, lm, fit); "
                "add it"
            )
        return found[0]

    @cached_property
    def _assigned(self) -> dict[str, ast.expr | None]:
        """The names with a type in the class' body, and what they are set to."""
        return {
            node.target.id: node.value
            for node in self._class.body
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
        }

    @property
    def watches(self) -> tuple[str, ...]:
        """The held-out texts its stop rule reads."""
        for node in self._class.body:
            if isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                if any(isinstance(one, ast.Name) and one.id == "watches" for one in targets):
                    return self._names(node.value)
        return ()

    def _names(self, node: ast.expr | None) -> tuple[str, ...]:
        try:
            said = ast.literal_eval(node) if node else None
        except ValueError:
            said = None
        if not isinstance(said, tuple):
            mend = 'watches: ClassVar[tuple[str, ...]] = ("text",)'
            raise MethodError(f"{self.path}: write out what the stop rule reads: `{mend}`")
        return said

    @property
    def summary(self) -> str:
        """The first line of the file's docstring."""
        return (ast.get_docstring(self._tree) or "").partition("\n")[0]

    @cached_property
    def code(self) -> object:
        """The shape of the code, without comments, docstrings or layout: what a key depends on."""
        return _shape(self._tree)

    @property
    def decodes(self) -> bool:
        """Whether it changes predictions while they are read: its model is more than weights."""
        names = (node for node in ast.walk(self._tree) if isinstance(node, ast.Name))
        return any(node.id == "decoding" for node in names)

    @cached_property
    def tuned(self) -> Tuned:
        """The YAML beside it."""
        return Tuned(self.path.with_suffix(".yaml"))

    @property
    def search(self) -> Space:
        """What tuning may try of its settings. Raises MethodError where nobody wrote it."""
        named = [f"recipe.{name}" for name in get_type_hints(Recipe)]
        fields = [name for name in self._fields if name != "recipe"]
        return self.tuned.space(fields + (named if "recipe" in self._fields else []))

    @property
    def _fields(self) -> list[str]:
        return [name for name in self._assigned if name != "watches"]

    def settings(
        self, model: str, recipe: Tree, own: Tree, *, tuned: bool = True, told: Tree | None = None
    ) -> Tree:
        """The settings laid over the class' defaults.

        From below: the suite's recipe, the tuned file (unless `tuned` is false), what the command
        line told of the recipe, `own`. Raises MethodError when a setting is none of the class'
        fields.
        """
        fields = self._fields
        tree: Tree = {"recipe": recipe} if recipe and "recipe" in fields else {}
        tree = merged(tree, self.tuned.settings(model)) if tuned else tree
        if told and "recipe" in fields:
            tree = merged(tree, {"recipe": told})
        tree = merged(tree, own)
        for key in tree:
            if key not in fields:
                raise MethodError(
                    f"{self.path}: unknown setting {key}; {nearest(str(key), fields)}"
                )
        if "recipe" not in tree:
            return tree
        if not isinstance(tree["recipe"], dict):
            raise MethodError(f"{self.path}: setting recipe: write it as {{lr: 1.0e-4}}")
        try:
            return tree | {"recipe": recipe_changes(tree["recipe"])}
        except PlaceError as error:
            raise MethodError(f"{self.path}: setting recipe.{error.place[0]}: {error}") from error

    def load(self, settings: Tree) -> Method:
        """Import the file and build its method. Raises MethodError when a value does not fit."""
        method = getattr(_import(self.path), self._class.name)
        default = next((f.default for f in _fields(method) if f.name == "recipe"), None)
        if isinstance(default, Recipe) and "recipe" in settings:
            settings = {**settings, "recipe": {**asdict(default), **settings["recipe"]}}
        try:
            built = TypeAdapter(method).validate_python(settings)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise MethodError(f"{self.path}: setting {place}: {complaint(first)}") from error
        if not isinstance(built, Method):
            raise MethodError(f"{self.path}: {self._class.name} must subclass di_bench.api.Method")
        return built


def _fields(method: Any) -> tuple[Any, ...]:  # noqa: ANN401 - a dataclass, checked when it is built
    return tuple(getattr(method, "__dataclass_fields__", {}).values())


def _import(path: Path) -> object:
    name = f"di_bench_method_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise MethodError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        raise MethodError(f"{path}: cannot be imported: {why}") from error
    return module


def _shape(node: object) -> object:
    """An AST as plain lists, without empty fields: which there are differs by Python version."""
    if isinstance(node, ast.AST):
        fields = {k: _shape(v) for k, v in ast.iter_fields(node) if v not in (None, [])}
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            fields["body"] = [_shape(part) for part in node.body if not _is_text(part)]
        fields.pop("kind", None)
        return [type(node).__name__, fields]
    if isinstance(node, list):
        return [_shape(part) for part in node]
    return node if isinstance(node, str | int | None) else [type(node).__name__, repr(node)]


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
