"""The field's tasks from local files: their layout, and our numbers against lm-eval's own."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from di_bench import nlu, suite, tasks
from di_bench.asks import Tasks
from di_bench.errors import CorpusError
from di_bench.lm import LM
from di_bench.metrics import metric
from di_bench.metrics.understanding import matthews
from di_bench.run import Run
from di_bench.template import Template
from tests import toy
from tests.conftest import SHARED, write_jsonl

REAL = SHARED / "data" / "nlu"
real = pytest.mark.skipif(not REAL.is_dir(), reason="no ../shared/data/nlu to agree with")
HELD = [
    *("cola", "sst2", "mrpc", "rte", "boolq", "cb", "copa", "wic", "wsc", "piqa", "arc_easy"),
    *("arc_challenge", "winogrande", "hellaswag", "lambada_openai", "pubmedqa"),
]
"""What ../shared/data/nlu holds."""


def pair(n: int) -> dict[str, Any]:
    return {"sentence1": f"The key is {n}.", "sentence2": f"It is {n * n}.", "label": n % 2}


def arc(n: int) -> dict[str, Any]:
    letters = ["A", "B", "C", "D", "E"][: 3 + n % 3]
    choices = {"text": [f"It is {n + i}." for i, _ in enumerate(letters)], "label": letters}
    return {"id": str(n), "question": f"Which key is {n}?", "choices": choices, "answerKey": "B"}


def exam(n: int) -> dict[str, Any]:
    choices = [f"It is {n + i}." for i in range(4)]
    return {"question": f"Which key is {n}?", "choices": choices, "answer": n % 4}


def wsc(n: int) -> dict[str, Any]:
    target = {"span1_index": 0, "span1_text": "ann", "span2_index": 4, "span2_text": "she"}
    said = {"text": f"Ann said {n} times that she slept.", "label": ("false", "true")[n % 2]}
    return said | {"target": target | {"span2_index": 5}}


CONTEXT = r"""{{'contexts': array(['Part {0}.',
       "It's\n more."], dtype=object), 'labels': array(['A', 'B'], dtype=object)}}"""
YES_NO = ("yes", "no", "maybe")
JSONL = {
    "glue/SST-2/validation.jsonl": lambda n: {"sentence": f"key {n} ", "label": n % 2},
    "glue/MRPC/validation.jsonl": pair,
    "glue/RTE/validation.jsonl": pair,
    "superglue/BoolQ/val.jsonl": lambda n: {
        "question": f"is the key {n}", "passage": f"It is {n}.", "label": ("false", "true")[n % 2],
    },
    "superglue/CB/val.jsonl": lambda n: {
        "premise": f"It is {n}.", "hypothesis": f"key {n}", "idx": n,
        "label": ("entailment", "contradiction", "neutral")[n % 3],
    },
    "superglue/RTE/val.jsonl": lambda n: {
        "premise": f"It is {n}.", "hypothesis": f"key {n}", "label": "not_entailment",
    },
    "superglue/COPA/val.jsonl": lambda n: {
        "premise": f"Key {n} fell.", "choice1": "It was wet.", "choice2": "No.",
        "question": ("cause", "effect")[n % 2], "label": n // 2 % 2,
    },
    "superglue/WiC/val.jsonl": lambda n: {
        "word": "key", "sentence1": f"A key {n}.", "sentence2": "The key.", "start1": 2,
        "end1": 5, "start2": 4, "end2": 7, "label": ("false", "true")[n % 2], "version": 1.1,
    },
    "superglue/WSC/val.jsonl": wsc,
    "piqa/dev.jsonl": lambda n: {"goal": f"key {n}", "sol1": f"It is {n}.", "sol2": "No."},
    "arc/ARC-Easy/validation.jsonl": arc,
    "arc/ARC-Challenge/validation.jsonl": arc,
    "winogrande/dev.jsonl": lambda n: {
        "sentence": f"Ann met Bo, for _ had key {n}.", "option1": "Ann", "option2": "Bo",
        "answer": "12"[n % 2],
    },
    "hellaswag/validation_olmes1000.jsonl": lambda n: {
        "ind": n, "query": f"Keys: at home: take  key {n}.",
        "choices": [" It is.", f"It is {n} . ", "No   more.", "No."], "label": n % 4,
    },
    "lambada/lambada_openai.jsonl": lambda n: {"context": f"It\nis {n},  is", "continuation": "it"},
    "wmdp/wmdp-bio.jsonl": exam, "wmdp/wmdp-chem.jsonl": exam, "wmdp/wmdp-cyber.jsonl": exam,
}  # fmt: skip


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Four made-up rows of every task, laid out as the field's files are."""
    folder = tmp_path / "nlu"
    for file, row in JSONL.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        write_jsonl(folder / file, [row(n) for n in range(4)])
    for area in (name.removeprefix("mmlu_") for name in nlu.leaves("mmlu")):
        (folder / "mmlu").mkdir(exist_ok=True)
        write_jsonl(folder / f"mmlu/{area}.jsonl", [exam(n) for n in range(2 + len(area) % 2)])
    texts = {
        "piqa/dev-labels.lst": "0\n1\n1\n0\n",
        "glue/CoLA/in_domain_dev.tsv": 'gj04\t1\t\tKey "one" is.\ngj04\t0\t*\tIs key one two\n',
        "glue/CoLA/out_of_domain_dev.tsv": "clc95\t0\t*\tIs.\nclc95\t1\t\tA key is one.",
        "glue/QNLI/dev.tsv": "index\tquestion\tsentence\tlabel\n"
        + "".join(f"{n}\tkey {n}?\tIt is {n}.\tnot_entailment\n" for n in range(4)),
        "glue/WNLI/dev.tsv": "index\tsentence1\tsentence2\tlabel\n"
        + "".join(f"{n}\tkey {n}.\tIt is {n}.\t{n % 2}\n" for n in range(4)),
        "pubmedqa/pubmed_qa.csv": "pubid,question,context,final_decision\n"
        + "".join(
            f'{n},key {n}?,"{CONTEXT.format(n).replace(chr(34), chr(34) * 2)}",{YES_NO[n % 3]}\n'
            for n in range(4)
        ),
    }
    for file, text in texts.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text, encoding="utf-8")
    return folder


def written(names: list[str], folder: Path, home: Path) -> Path:
    home.mkdir()
    for name in names:
        nlu.write(name, folder, home)
    return home


def test_rows_become_the_hubs(files: Path) -> None:
    def first(task: str) -> Mapping[str, Any]:
        return nlu.rows(task, files)[0]

    said = [(row["label"], row["sentence"]) for row in nlu.rows("cola", files)]
    assert said == [(1, 'Key "one" is.'), (0, "Is key one two"), (0, "Is."), (1, "A key is one.")]
    assert first("qnli") == {"question": "key 0?", "sentence": "It is 0.", "label": 1}
    assert [row["label"] for row in nlu.rows("wnli", files)] == [0, 1, 0, 1]
    assert [row["label"] for row in nlu.rows("cb", files)] == [0, 1, 2, 0]
    assert [row["label"] for row in nlu.rows("wic", files)] == [0, 1, 0, 1]
    assert [row["label"] for row in nlu.rows("piqa", files)] == [0, 1, 1, 0]
    assert first("sglue_rte")["label"] == 1
    assert first("wsc") == {
        "text": "Ann said 0 times that she slept.", "span1_index": 0, "span1_text": "Ann",
        "span2_index": 5, "span2_text": "she", "label": 0,
    }  # fmt: skip
    assert first("lambada_openai") == {"text": "It\nis 0,  is it"}
    assert first("pubmedqa") == {
        "QUESTION": "key 0?", "CONTEXTS": ["Part 0.", "It's\n more."], "final_decision": "yes",
    }  # fmt: skip
    assert first("wmdp_bio")["answer"] == 0


def cleaned(folder: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """HellaSwag as lm-eval's own code cleans what we give it, and as it is stored."""
    from datasets import Dataset
    from lm_eval.tasks.hellaswag.utils import process_docs

    raw = Dataset.from_list([dict(row) for row in nlu.rows("hellaswag", folder)])
    text = (folder / nlu.TASKS["hellaswag"].files[0]).read_text("utf-8")
    return list(process_docs(raw)), [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("source", ["made up", pytest.param("real", marks=real)])
def test_hellaswag_is_cleaned_to_what_is_stored(source: str, files: Path) -> None:
    for made, stored in zip(*cleaned(REAL if source == "real" else files), strict=True):
        assert made["query"] == stored["query"]
        assert made["choices"] == stored["choices"]
        assert made["gold"] == int(stored["label"])


@real
def test_the_real_files_are_understood() -> None:
    sizes = {name: len(nlu.rows(name, REAL)) for name in HELD}
    assert sizes["cola"] == 1043
    assert sizes["arc_easy"] == 570
    assert sizes["arc_challenge"] == 299
    assert sizes["pubmedqa"] == 500
    for row in nlu.rows("wsc", REAL):
        assert row["span1_text"] in row["text"]
        assert row["span2_text"] in row["text"]
    for task in ("boolq", "cb", "rte", "wic", "wsc", "piqa", "copa", "sst2", "mrpc"):
        labels = {row["label"] for row in nlu.rows(task, REAL)}
        assert labels == set(range(3 if task == "cb" else 2)), task


def theirs(model: str, task: str, folder: Path, limit: int) -> tuple[list[float], float]:
    """lm-eval alone: its own reader and definition, with only the data exchanged."""
    from datasets import Dataset
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.evaluator import evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks._yaml_loader import load_yaml

    data = Dataset.from_list([dict(row) for row in nlu.rows(task, folder)])
    config = load_yaml(nlu.definitions() / nlu.TASKS[task].yaml)
    config |= {"custom_dataset": lambda **_: dict.fromkeys(("train", "validation", "test"), data)}
    built = ConfigurableTask(config={k: v for k, v in config.items() if k != "tag"})
    reader = HFLM(pretrained=model, device="cpu", batch_size=3)
    report = evaluate(reader, {"tasks": {task: built}}, limit=limit, bootstrap_iters=0)
    rows = report["samples"][task]
    values = [float(r["acc"] if "acc" in r else r["mcc"][0] == r["mcc"][1]) for r in rows]
    figures = report["results"][task]
    return values, figures["acc,none" if "acc,none" in figures else "mcc,none"]


def agree(model: Path, names: list[str], folder: Path, home: Path, limit: int) -> None:
    lm = LM.load(model, Template(), dtype="float32")
    asked = Tasks(ask="tasks", tasks=tuple(names), limit=limit)
    rows = tasks.tasks(lm, asked, written(names, folder, home))
    score = metric("nlu")([rows])
    for name in names:
        values, figure = theirs(str(model), name, folder, limit)
        assert [row.value for row in rows if row.group == name] == values, name
        assert score.parts[name] == pytest.approx(figure, abs=1e-12), name
    assert score.value == pytest.approx(sum(score.parts.values()) / len(names))
    assert len({row.value for row in rows}) == 2


def test_made_up_rows_are_judged_as_by_lm_eval(tiny: Path, files: Path, tmp_path: Path) -> None:
    agree(tiny, [*nlu.TASKS], files, tmp_path / "home", 4)


@real
def test_real_rows_are_judged_as_by_lm_eval(tmp_path: Path) -> None:
    agree(SHARED / "data" / "models" / "stories260K", HELD, REAL, tmp_path / "home", 5)


@pytest.mark.parametrize("group", ["wmdp", "mmlu"])
def test_a_group_of_exams_is_one_task(lm: LM, files: Path, tmp_path: Path, group: str) -> None:
    home = written([group], files, tmp_path / "home")
    rows = tasks.tasks(lm, Tasks(ask="tasks", tasks=(group,)), home)
    score = metric("nlu")([rows])
    assert list(score.parts) == [group]
    assert {row.item.partition("/")[0] for row in rows} == set(nlu.leaves(group))
    assert len(rows) == sum(len(nlu.rows(task, files)) for task in nlu.leaves(group))
    assert score.value == pytest.approx(sum(row.value or 0 for row in rows) / len(rows))


@pytest.mark.parametrize(
    ("task", "file", "old", "new", "said"),
    [
        ("piqa", "piqa/dev.jsonl", '"sol1"', '"one"', "row 1 has no 'sol1'; each row needs goal"),
        ("cb", "superglue/CB/val.jsonl", "neutral", "odd", "row 3: label 'odd' is none of entail"),
        ("sst2", "glue/SST-2/validation.jsonl", '"label": 0', '"label": 2', "row 1: label 2 is"),
        ("piqa", "piqa/dev-labels.lst", "0\n", "", "holds 2 labels for 4 rows"),
        ("cola", "glue/CoLA/in_domain_dev.tsv", "\t*", "", "row 2 has 3 cells between tabs; it ne"),
        ("qnli", "glue/QNLI/dev.tsv", "\tlabel", "\tclass", "row 1 has 4 cells .* it needs 3: qu"),
        ("pubmedqa", "pubmedqa/pubmed_qa.csv", "contexts", "texts", "names no 'contexts'"),
        ("pubmedqa", "pubmedqa/pubmed_qa.csv", "array", "(", "row 1: .*; mend it: each row needs"),
        ("wsc", "superglue/WSC/val.jsonl", '"span1_index"', '"span1"', "row 1: 'span1_index'; m"),
        ("winogrande", "winogrande/dev.jsonl", "_", "x", "row 1: sentence has no gap"),
        ("winogrande", "winogrande/dev.jsonl", '"answer": "2"', '"answer": ""', "row 2: answer ''"),
        ("arc_easy", "arc/ARC-Easy/validation.jsonl", 'Key": "B"', 'Key": "Z"', "answerKey 'Z'"),
        ("lambada_openai", "lambada/lambada_openai.jsonl", '"it"', '"it is"', "is not one word"),
        ("hellaswag", "hellaswag/validation_olmes1000.jsonl", "take", "[take]", "'.take.' out"),
        ("wmdp_bio", "wmdp/wmdp-bio.jsonl", '"answer": 3', '"answer": "E"', "row 4: label 'E'"),
        ("boolq", "superglue/BoolQ/val.jsonl", '{"', '{', "BoolQ/val.jsonl:1: not valid JSON"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_understood_is_named_with_its_row(
    files: Path, task: str, file: str, old: str, new: str, said: str
) -> None:
    text = (files / file).read_text("utf-8")
    assert old in text
    (files / file).write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(CorpusError, match=said) as error:
        nlu.rows(task, files)
    assert toy.line(error.value).startswith(str(files / file))


def test_a_missing_or_empty_file_or_layout_is_named(files: Path) -> None:
    place = files / "piqa" / "dev-labels.lst"
    place.unlink()
    with pytest.raises(CorpusError, match="no such file; 'piqa' is read from it") as error:
        nlu.rows("piqa", files)
    assert str(error.value).startswith(str(place))
    (files / "superglue/CB/val.jsonl").write_text("", "utf-8")
    with pytest.raises(CorpusError, match="holds no row"):
        nlu.rows("cb", files)
    with pytest.raises(CorpusError, match=r"layout .* 'hellaswagg'; did you mean 'hellaswag'"):
        nlu.rows("hellaswagg", files)


def runs(folder: Path, names: list[str], data: Path | None, **probe: object) -> Run:
    told: dict[str, Any] = {"probes": {"nlu": {"ask": "tasks", "tasks": names, **probe}}}
    told |= {"nlu": {"path": str(data)}} if data else {}
    return toy.runs(toy.write(folder, told))["none-0"]


def test_keys_know_the_rows_and_not_the_path(files: Path, tmp_path: Path) -> None:
    names = ["di_cola", "cb", "wmdp"]
    before = runs(tmp_path, names, files).asked("nlu")
    assert str(files) not in json.dumps(before)
    moved = files.rename(tmp_path / "elsewhere")
    assert runs(tmp_path, names, moved).asked("nlu") == before
    hub = runs(tmp_path, names, None).asked("nlu")
    assert isinstance(hub, list)
    assert hub[1][1:] == ["cb", "wmdp"]  # by name alone
    built_in = [runs(tmp_path, ["di_cola"], data).asked("nlu") for data in (moved, None)]
    assert built_in[0] == built_in[1]
    for file in ("superglue/CB/val.jsonl", "wmdp/wmdp-chem.jsonl"):
        text = (moved / file).read_text("utf-8")
        (moved / file).write_text(text.replace("3", "30", 1), encoding="utf-8")
        assert runs(tmp_path, names, moved).asked("nlu") != before
        (moved / file).write_text(text, encoding="utf-8")
        assert runs(tmp_path, names, moved).asked("nlu") == before


def test_a_suite_names_the_folder_from_its_own_and_the_command_line_from_here(
    tmp_path: Path,
) -> None:
    path = toy.write(tmp_path, {"nlu": {"path": "rows"}})
    assert suite.load(path).nlu.path == tmp_path / "rows"
    assert suite.load(path, changes={"nlu": {"path": "rows"}}).nlu.path == Path("rows")
    given = toy.runs(path, changes=["nlu.path=rows"])
    assert [*given] == [*toy.runs(path)]  # the place is no setting of a cell


def test_a_folder_of_tasks_stands_beside_local_rows(files: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "file.yaml").write_text("task: mine\ndoc_to_text: x\n", encoding="utf-8")
    (own / "other.yaml").write_text('"group": "ours"\ntask:\n  - mine\n', encoding="utf-8")
    mixed = runs(tmp_path, ["mine", "ours", "cb"], files, path=str(own)).asked("nlu")
    alone = runs(tmp_path, ["mine", "ours"], files, path=str(own)).asked("nlu")
    assert isinstance(mixed, list)
    assert isinstance(alone, list)
    assert mixed[1] == [*alone[1], ["cb", nlu.content("cb", files)]]


def test_a_changed_file_is_read_anew(lm: LM, files: Path, tmp_path: Path) -> None:
    chosen = runs(tmp_path, ["copa"], files).suite
    probe = chosen.probes["nlu"]
    assert isinstance(probe, Tasks)
    store = toy.store(tmp_path)
    before = tasks.tasks(lm, probe, *tasks.folders(chosen, probe, store))
    assert tasks.folders(chosen, probe, store) == tasks.folders(chosen, probe, store)
    file = files / "superglue/COPA/val.jsonl"
    write_jsonl(file, [json.loads(file.read_text("utf-8").splitlines()[1])] * 2)
    after = tasks.tasks(lm, probe, *tasks.folders(chosen, probe, store))
    assert [row.value for row in after] == [before[1].value] * 2


def test_written_tasks_say_what_lm_evals_own_say(files: Path, tmp_path: Path) -> None:
    home = written(["copa", "wmdp"], files, tmp_path / "home")
    tree = yaml.safe_load((home / "copa.yaml").read_text("utf-8"))
    assert Path(tree["include"]).is_relative_to(nlu.definitions())
    assert set(tree) == {
        "include", "dataset_path", "dataset_name", "dataset_kwargs",
        "training_split", "validation_split", "test_split", "fewshot_split",
    }  # fmt: skip


def test_every_definition_is_there() -> None:
    named = [local.yaml for local in nlu.TASKS.values()]
    named += [file for group in nlu.GROUPS.values() for file in group]
    assert not [file for file in named if not (nlu.definitions() / file).is_file()]


@pytest.mark.parametrize(
    ("truth", "answers"),
    [("0110", "0110"), ("0110", "1001"), ("00110", "01010"), ("0122", "0212"), ("000", "010"),
     ("0101", "1111"), ("0120120", "0110220")],
)  # fmt: skip
def test_the_correlation_is_that_of_lm_evals_library(truth: str, answers: str) -> None:
    from sklearn.metrics import matthews_corrcoef  # type: ignore[import-untyped]

    assert matthews(truth, answers) == pytest.approx(matthews_corrcoef(list(truth), list(answers)))
