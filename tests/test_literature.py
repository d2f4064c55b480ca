"""Published figures under a board of a hub model, or a line where there is nothing to compare."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from di_bench import literature
from di_bench.cli import app
from di_bench.store import Store
from di_bench.work import Choice, Work
from tests import toy


def write(folder: Path, suite: str, profile: str, changes: tuple[str, ...] = ()) -> None:
    """Records of every cell, as if its models had been here."""
    store = Store(folder / "results", folder / "cache")
    choice = Choice(suite, profile, changes=changes)
    work = Work.lay_out(choice, ["none", "retrain", "npo"], store, "plan")
    columns, one = work.suite.metrics, work.suite
    for run in work.runs:
        record = toy.record(
            suite=one.name,
            profile=profile,
            title=one.title,
            model={"name": run.base.name, "id": run.base.id},
            method=run.method.name,
            axis=run.part.name,
            seed=run.seed,
            formulas={column: one.reads(column)[0].formula for column in columns},
            better={column: one.better(column) for column in columns},
            scores=dict.fromkeys(columns, 0.25),
        )
        store.keep(run, record, {})


def board(folder: Path, *arguments: str) -> Result:
    place = ["--results", str(folder / "results"), "--against", "published"]
    return CliRunner().invoke(app, ["board", *arguments, *place])


@pytest.fixture
def llama(tmp_path: Path) -> Path:
    write(tmp_path, "tofu", "llama-3.2-1b", ("seeds=[0]",))
    return tmp_path


def test_a_table_below_has_method_value_and_source(llama: Path) -> None:
    told = board(llama, "tofu", "--profile", "llama-3.2-1b")
    assert told.exit_code == 0, told.output
    ours, _, theirs = told.output.partition(
        "Published: TOFU forget10, meta-llama/Llama-3.2-1B-Inst"
    )
    assert "0.250" in ours
    rows = [line.split() for line in theirs.splitlines() if "docs/repro.md" in line]
    (npo,) = (row for row in rows if row[0] == "NPO")
    assert npo[:4] == ["NPO", "npo", "defaults", "-"]
    assert {"0.7", "0.02", "0.46"} <= set(npo)
    assert rows[0][:2] == ["Finetuned", "none"]
    full = next(line for line in theirs.splitlines() if line.startswith("full "))
    assert {"0.9681", "0.6792", "0.6009"} <= set(full.split())  # two of them turned
    assert full.endswith("docs/data/method_results.json @fc31639")
    assert (
        "* utility: MU is model_utility@9-geo if it is open-unlearning's; model_utility is"
        in theirs
    )
    assert (
        "exact_memorization@open-unlearning (ours: exact_memorization@1), published as 1" in theirs
    )
    assert "they say where our numbers should lie" in theirs


def test_each_forget_size_has_the_figures_of_its_own_split(tmp_path: Path) -> None:
    sizes = ", ".join(
        f'"{size}": {{forget: {{config: forget{size}_perturbed, split: train, group_size: 20}}}}'
        for size in ("01", "10")
    )
    changes = (
        "seeds=[0]", "models=[meta-llama/Llama-3.2-1B-Instruct]", f"forget_sizes={{{sizes}}}",
    )  # fmt: skip
    write(tmp_path, "tofu", "llama-3.2-1b", changes)
    suite = Choice("tofu", "llama-3.2-1b", changes=changes).loaded
    records = Store(tmp_path / "results", tmp_path / "cache").records(suite)
    told = literature.below(suite, records, ["npo"], "text")
    titles = [line for line in told.splitlines() if line.startswith("Published: ")]
    model = "meta-llama/Llama-3.2-1B-Instruct"
    assert titles == [
        f"Published: TOFU forget01, {model}, forget size 01",
        f"Published: TOFU forget10, {model}, forget size 10",
    ]


def test_methods_and_columns_of_the_board_choose_and_markdown_is_escaped(llama: Path) -> None:
    chosen = ["--method", "npo", "--column", "forget_quality", "--format", "md"]
    told = board(llama, "tofu", "--profile", "llama-3.2-1b", *chosen)
    assert told.exit_code == 0, told.output
    table = told.output.partition("## Published: TOFU forget10")[2].splitlines()
    head, _, *rows = [line for line in table if line.startswith("|")]
    assert head == "| as published | ours | settings | source | forget quality |"
    assert {row.split(" | ")[1] for row in rows} == {"none", "retrain", "npo"}
    assert "| NPO | npo | lr5e-5 a1 b.1 ep10 | model cards Naahraf27/npo\\_\\*" in told.output
    assert "- \\[1] untuned" in told.output


def test_another_definition_is_said_in_place_of_a_formula_of_ours(tmp_path: Path) -> None:
    tree = tmp_path / "tofu.yaml"
    text = (Path(__file__).parents[1] / "suites" / "tofu.yaml").read_text(encoding="utf-8")
    tree.write_text(text.replace("title:", "definitions: tofu@paper\ntitle:", 1), encoding="utf-8")
    write(tmp_path, str(tree), "llama-2-7b", ("seeds=[0]",))
    told = board(tmp_path, str(tree), "--profile", "llama-2-7b", "--column", "utility")
    assert "model_utility(TR arithmetic) is model_utility@9-arith as ours" in told.output
    assert "model_utility is model_utility@9-geo (ours: model_utility@9-arith)" in told.output


def test_per_cents_and_models_without_figures(tmp_path: Path) -> None:
    write(tmp_path, "muse", "books-hub")
    told = board(tmp_path, "muse", "--profile", "books-hub").output
    (target,) = [line for line in told.splitlines() if line.startswith("Target ")]
    assert target.split()[6:10] == ["0.998", "0.594", "-57.5", "0.669"]
    assert "VerbMem_f is verbmem@muse as ours, published in per cent" in told
    models = ("seeds=[0]", "models=[meta-llama/Llama-3.2-1B-Instruct, org/other]")
    write(tmp_path, "tofu", "llama-3.2-1b", models)
    both = board(tmp_path, "tofu", "--profile", "llama-3.2-1b").output
    assert both.endswith("published: no figures of org/other to put beside it\n")
    assert "Published: TOFU forget10" in both


@pytest.mark.parametrize("form", ["text", "md"])
def test_a_built_in_model_is_never_put_beside_another(form: str) -> None:
    committed = ["--results", str(Path(__file__).parents[1] / "results")]
    arguments = ["board", "tofu", "--against", "published", "--format", form]
    told = CliRunner().invoke(app, [*arguments, *committed])
    assert told.exit_code == 0
    assert told.output.splitlines()[-1] == (
        "published: no figures of built-in models, and those of others are never put beside them"
    )
    assert "arXiv" not in told.output


def test_other_forms_are_refused_in_a_line(llama: Path) -> None:
    told = board(llama, "tofu", "--profile", "llama-3.2-1b", "--format", "csv")
    assert (told.exit_code, told.output.count("\n")) == (2, 1)
    assert "--against published is written as text or md, not as csv" in told.output


def test_a_method_nobody_published_says_so(llama: Path) -> None:
    told = board(llama, "tofu", "--profile", "llama-3.2-1b", "--column", "nlu")
    assert told.output.endswith("published: no figures of these methods or columns\n")
