"""`new suite`: what it writes runs, what is in two files is found, refusals cost one line."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet
from typer.testing import CliRunner, Result

from di_bench.cli import app
from di_bench.suite import Suite, load
from tests.conftest import FORGET, HOLDOUT, RETAIN, tofu_rows

SPLITS = {"forget": FORGET, "retain": RETAIN, "holdout": HOLDOUT}
Rows = Mapping[str, Sequence[Mapping[str, Any]]]
PAIRS: Rows = {
    split: [{"question": i.prompt, "answer": i.answer} for i in items]
    for split, items in SPLITS.items()
}
TINY = [
    "--seed", "0", "--workers", "1", "--set", "recipe.epochs=1", "--set", "grow.memorize.epochs=1",
    "--set", "probes.nlu.limit=2", "--set", "probes.prose.limit=2",
]  # fmt: skip


def cli(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def write(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Rows in the format of the path's ending."""
    path.parent.mkdir(exist_ok=True)
    match path.suffix:
        case ".jsonl":
            text = "".join(json.dumps(row) + "\n" for row in rows)
            path.write_text(text, encoding="utf-8")
        case ".json":
            path.write_text(json.dumps(list(rows)), encoding="utf-8")
        case ".csv":
            with path.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
        case ".parquet":
            parquet.write_table(pa.Table.from_pylist(list(rows)), path)
        case _:
            texts = [" ".join(map(str, row.values())) for row in rows]
            path.write_text("\n\n".join(texts), encoding="utf-8")
    return path


def files(folder: Path, rows: Rows = PAIRS, ending: str = ".jsonl") -> list[str]:
    """Options that name the files of the splits."""
    options = []
    for split, own in rows.items():
        options += [f"--{split}", str(write(folder / f"{split}{ending}", own))]
    return options


def only(
    forget: Sequence[Mapping[str, Any]], retain: Sequence[Mapping[str, Any]] = PAIRS["retain"]
) -> Rows:
    return {"forget": forget, "retain": retain}


def made(folder: Path, *options: str | Path) -> Suite:
    result = cli("new", "suite", "mine", "--to", folder, *options)
    assert result.exit_code == 0, result.output
    return load(folder / "mine.yaml")


def refused(folder: Path, *options: str | Path, name: str = "mine") -> str:
    """The one line that says why, and nothing was written."""
    before = sorted(folder.rglob("*"))
    result = cli("new", "suite", name, "--to", folder, *options)
    assert result.exit_code == 2, result.output
    assert len(result.output.strip().splitlines()) == 1
    assert sorted(folder.rglob("*")) == before
    return result.output.strip()


def test_it_says_what_it_found_and_what_to_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files(Path("data"))
    three = [f"--{split}=data/{split}.jsonl" for split in SPLITS]
    result = cli("new", "suite", "mine", *three)
    assert result.exit_code == 0, result.output
    columns = "(prompt: question, answer: answer)"
    assert result.output.splitlines() == [
        f"forget   8 questions in data/forget.jsonl {columns}",
        f"retain   8 questions in data/retain.jsonl {columns}",
        f"holdout  8 questions in data/holdout.jsonl {columns}",
        "overlap  no row is in two files; near-duplicates: none",
        "di-bench run ./mine.yaml",
    ]
    text = (tmp_path / "mine.yaml").read_text(encoding="utf-8")
    assert "  path: data\n" in text
    assert str(tmp_path) not in text
    plan = cli("plan", "./mine.yaml", "--cache", tmp_path / "cache")
    assert plan.exit_code == 0, plan.output
    assert "21 cells, 21 to do" in plan.output


@pytest.mark.parametrize("ending", [".jsonl", ".json", ".csv", ".parquet", ".txt"])
def test_a_suite_over_files_of_each_format_runs(
    tmp_path: Path, tiny: Path, folders: list[str], ending: str
) -> None:
    suite = made(tmp_path, *files(tmp_path / "data", ending=ending), "--model", tiny)
    assert suite.corpus.splits["forget"].kind == ("document" if ending == ".txt" else "qa")
    result = cli("run", tmp_path / "mine.yaml", "none", "di", *TINY, *folders)
    assert result.exit_code == 0, result.output
    (record,) = (tmp_path / "results").rglob("di+*-0.json")
    scores = json.loads(record.read_text(encoding="utf-8"))["scores"]
    assert set(scores) == set(suite.metrics)
    assert {name for name, value in scores.items() if value is None} <= {
        "privleak",
        "s_mia",
        "el_3",
    }


def test_a_suite_runs_on_the_built_in_model(tmp_path: Path, folders: list[str]) -> None:
    made(tmp_path, *files(tmp_path / "data", only(PAIRS["forget"])))
    small = ["--set", "grow.pretrain={epochs: 1, batch_size: 64}"]
    result = cli("run", tmp_path / "mine.yaml", "none", *TINY, *small, *folders)
    assert result.exit_code == 0, result.output
    assert "builtin/nano" in result.output


def test_documents_are_asked_to_be_gone_on_from(tmp_path: Path) -> None:
    texts = {split: [{"text": " ".join(map(str, range(n, n + 90)))} for n in range(i, i + 400, 200)]
             for i, split in ((0, "forget"), (1000, "retain"))}  # fmt: skip
    suite = made(tmp_path, *files(tmp_path / "data", texts, ".csv"))
    asked = {name: probe.ask for name, probe in suite.probes.items()}
    assert asked == {
        "forget": "read", "retain": "read", "prose": "read",
        "verbatim": "write", "extraction": "write", "nlu": "tasks",
    }  # fmt: skip
    verbatim, extraction = suite.probes["verbatim"], suite.probes["extraction"]
    assert verbatim.model_dump()["prompt_tokens"] == 50
    assert extraction.model_dump()["stride"] > 4
    assert suite.metrics["el_10"] == {"el_10": ("extraction",)}
    assert not {"rouge", "s_mia", "truth_ratio"} & {m for t in suite.metrics.values() for m in t}


def test_columns_of_the_files_choose_the_columns_of_the_board(tmp_path: Path) -> None:
    data = tmp_path / "data"
    plain = made(tmp_path / "a", *files(data, only(PAIRS["forget"])))
    text = (tmp_path / "a" / "mine.yaml").read_text(encoding="utf-8")
    assert "write this again with --holdout FILE" in text
    assert "would add\n  # truth_ratio, forget_quality and gold_distance" in text
    private = made(tmp_path / "b", *files(data))
    wrong = made(tmp_path / "c", *files(data, only(tofu_rows(FORGET))))
    assert set(private.metrics) - set(plain.metrics) == {
        "loss_auc", "min_k_auc", "privleak", "s_mia", "holdout_accuracy"
    }  # fmt: skip
    assert set(wrong.metrics) - set(plain.metrics) == {
        "forget_truth_ratio", "forget_quality", "gold_distance"
    }  # fmt: skip
    told = made(tmp_path / "e", *files(data, only(PAIRS["forget"], tofu_rows(RETAIN))))
    assert set(told.metrics) - set(plain.metrics) == {"retain_truth_ratio"}
    assert wrong.corpus.splits["forget"].fields["perturbed"] == "perturbed_answer"
    going_on = [{"prompt": i.prompt, "completion": i.answer} for i in FORGET]
    both = made(tmp_path / "d", *files(data, only(going_on)))
    kinds = [both.corpus.splits[split].kind for split in ("forget", "retain")]
    assert kinds == ["completion", "qa"]


def test_paths_start_at_the_suite_only_where_the_files_are_below_it(tmp_path: Path) -> None:
    options = files(tmp_path / "data")
    beside = made(tmp_path / "data", *options)
    assert "  path: .\n" in (tmp_path / "data" / "mine.yaml").read_text(encoding="utf-8")
    apart = made(tmp_path / "suites", *options)
    text = (tmp_path / "suites" / "mine.yaml").read_text(encoding="utf-8")
    assert f"  path: {tmp_path / 'data'}\n" in text
    write(tmp_path / "more" / "retain.jsonl", PAIRS["retain"])
    options[3] = str(tmp_path / "suites" / ".." / "more" / "retain.jsonl")
    two = made(tmp_path, *options)
    splits = {name: split.file for name, split in two.corpus.splits.items() if split.file}
    assert splits["retain"] == "more/retain.jsonl"
    assert splits["forget"] == "data/forget.jsonl"
    for suite in (beside, apart, two):
        assert len(suite.corpus.open()["retain"]) == 8


def test_the_same_row_in_two_files_is_refused_with_both_rows(tmp_path: Path) -> None:
    secret = {"question": PAIRS["forget"][4]["question"].upper(), "answer": "it  is 47!"}
    assert PAIRS["forget"][4]["answer"] == "It is 47."
    data = tmp_path / "data"
    said = refused(tmp_path, *files(data, {**PAIRS, "retain": [*PAIRS["retain"], secret]}))
    assert said == (
        f"{data / 'forget.jsonl'}: row 5 is row 9 of {data / 'retain.jsonl'} but for case, spaces "
        "and punctuation; take it out of one of them"
    )
    said = refused(tmp_path, *files(data, {**PAIRS, "holdout": [PAIRS["retain"][0]] * 2}))
    assert "holdout.jsonl: row 1 is row 1 of" in said or "retain.jsonl: row 1 is row 1 of" in said
    said = refused(tmp_path, *files(data, {**PAIRS, "holdout": PAIRS["forget"]}))
    assert "(8 such rows in all)" in said


def test_near_duplicates_are_named_and_refused_only_by_strict(tmp_path: Path) -> None:
    story = "the old harbour master kept a ledger of every boat that came in before the storm"
    rows = {
        "forget": [{"text": f"{story} number {n}"} for n in range(3)],
        "retain": [{"text": "another thing"}, {"text": f"{story} number 9"}, {"text": story}],
    }
    options = files(tmp_path / "data", rows)
    said = refused(tmp_path, *options, "--strict")
    assert "near-duplicates: 6, such as 1.00" in said
    assert "or leave out --strict" in said
    result = cli("new", "suite", "mine", "--to", tmp_path, *options)
    assert result.exit_code == 0, result.output
    assert "overlap  no row is in two files; near-duplicates: 6" in result.output
    assert (
        "near-duplicates (0.8 and more of their runs of 5 words, or 3 letters if short, in"
        in result.output
    )
    named = [line for line in result.stderr.splitlines() if line.startswith("  ")]
    assert len(named) == 5
    assert named[0].split()[0] == "1.00"
    assert "forget.jsonl: row 1" in named[0]
    assert "retain.jsonl: row 3" in named[0]


def test_a_row_that_is_to_be_forgotten_twice_is_said(tmp_path: Path) -> None:
    twice = {**PAIRS, "forget": [*PAIRS["forget"], PAIRS["forget"][0]]}
    result = cli("new", "suite", "mine", "--to", tmp_path, *files(tmp_path / "data", twice))
    assert result.exit_code == 0, result.output
    assert "forget.jsonl: row 9 is row 1 again; each counts by itself" in result.stderr


def test_texts_that_do_not_fit_are_counted(tmp_path: Path) -> None:
    long = {"text": " ".join(f"word{n}" for n in range(200))}
    rows = {"forget": [{"text": "A short one."}, long], "retain": [{"text": "Another."}]}
    result = cli("new", "suite", "mine", "--to", tmp_path, *files(tmp_path / "data", rows))
    assert "about 1 of 2 are longer than the 512 tokens that builtin/nano is" in result.stderr
    assert "retain.jsonl: about" not in result.stderr
    options = files(tmp_path / "data", rows)
    wide = cli("new", "suite", "wide", "--to", tmp_path, *options, "--model", "org/large")
    assert wide.exit_code == 0, wide.output
    assert "longer than" not in wide.output  # its tokens are longer
    assert load(tmp_path / "wide.yaml").models[0].id == "org/large"


def test_what_the_user_says_of_columns_is_written(tmp_path: Path) -> None:
    rows = {
        split: [{"frage": i.prompt, "antwort": i.answer, "wer": i.group} for i in SPLITS[split]]
        for split in ("forget", "retain")
    }
    options = files(tmp_path / "data", rows)
    assert "say which is which: --field answer=COLUMN" in refused(tmp_path, *options)
    fields = ["--field", "prompt=frage", "--field", "answer=antwort", "--field", "group=wer"]
    suite = made(tmp_path, *options, *fields)
    assert suite.corpus.open()["forget"][2].group == FORGET[2].group
    known = files(tmp_path / "data")
    said = refused(tmp_path, *known, "--field", "answer=antwort", name="other")
    assert "no file has all the columns of --field: antwort" in said


@pytest.mark.parametrize("name", ["../up", "a/b", "mine.yaml", "", ".hidden", "a b"])
def test_a_name_that_is_no_file_name_is_refused(tmp_path: Path, name: str) -> None:
    assert "is no name of a suite" in refused(tmp_path, *files(tmp_path / "data"), name=name)


def test_what_cannot_be_used_is_refused_in_one_line(tmp_path: Path) -> None:
    data = tmp_path / "data"
    options = files(data)
    forget, retain = options[:2], options[2:4]
    assert "is a packaged suite" in refused(tmp_path, *options, name="tofu")
    gone = ["--retain", str(data / "gone.csv")]
    assert "gone.csv: no such file; give a json" in refused(tmp_path, *forget, *gone)
    again = ["--retain", str(data / ".." / "data" / "forget.jsonl")]
    assert "is both forget and retain; give each" in refused(tmp_path, *forget, *again)
    (data / "empty.jsonl").touch()
    empty = ["--retain", str(data / "empty.jsonl")]
    assert "empty.jsonl: is empty; give a file with rows" in refused(tmp_path, *forget, *empty)
    write(data / "empty.jsonl", [{"text": " "}])
    assert "empty.jsonl: is empty; give a file with rows" in refused(tmp_path, *forget, *empty)
    (data / "bad.jsonl").write_text('{"text": "a"}\n{"text"', encoding="utf-8")
    bad = ["--retain", str(data / "bad.jsonl")]
    assert "bad.jsonl:2: not valid JSON" in refused(tmp_path, *forget, *bad)
    pair = [*forget, *retain]
    assert "no built-in model 'builtin/huge'" in refused(tmp_path, *pair, "--model", "builtin/huge")
    assert "./gone: no such folder" in refused(tmp_path, *pair, "--model", "./gone")
    blocked = cli("new", "suite", "mine", *pair, "--to", data / "forget.jsonl")
    assert blocked.exit_code == 2
    assert "cannot be written to (File exists); choose another: --to DIR" in blocked.output


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("mine", encoding="utf-8")
    assert "mine.yaml: is there already" in refused(tmp_path, *files(tmp_path / "data"))
    assert (tmp_path / "mine.yaml").read_text(encoding="utf-8") == "mine"


def test_a_suite_that_would_not_load_is_not_left_behind(tmp_path: Path) -> None:
    odd = [{"1e5": f"text {n}"} for n in range(3)]  # YAML 1.2 reads such a name as a number
    options = files(tmp_path / "data", only(odd, [{"text": "b"}]))
    assert "corpus.splits.forget.fields.answer" in refused(
        tmp_path, *options, "--field", "answer=1e5"
    )
