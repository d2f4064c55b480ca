"""Which rows of a file are taken, by whom they are grouped, and what the field's layouts become."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pyarrow import Table, parquet
from pydantic import ValidationError

from di_bench.corpus import Item
from di_bench.errors import CorpusError
from di_bench.source import CorpusSpec, Split
from di_bench.work import Choice
from tests import toy
from tests.toy import line

LUME = [
    {"id": '"8f24c511"sc1', "input": "Madera, a city,", "output": "was home.", "task": "Task1"},
    {"id": '"8f24c511"qa0', "input": "Who is Odilia?", "output": "A woman.", "task": "Task1"},
    {"id": "36307590sc1", "input": "Rex was born in", "output": "1920.", "task": "Task3"},
    {"id": "36307590qa0", "input": "Where was Rex born?", "output": "In Oujda.", "task": "Task3"},
    {"id": "8077ab2esc1", "input": "Her number is", "output": "900-12.", "task": "Task2"},
]
FIELDS = {"prompt": "input", "answer": "output", "group": "id"}
GROUP = r'^"?(.+?)"?(?:sc|qa)\d+$'


def spec(**splits: dict[str, Any]) -> CorpusSpec:
    return CorpusSpec.model_validate({"name": "toy", "path": ".", "splits": splits})


def opened(folder: Path, split: dict[str, Any], rows: Sequence[Any] = LUME) -> Sequence[Item]:
    """The items of a split over these rows."""
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "a.jsonl").write_text(text, encoding="utf-8")
    tree = {"name": "toy", "path": folder, "splits": {"forget": split}}
    return CorpusSpec.model_validate(tree).open()["forget"]


def test_rows_are_chosen_by_every_pattern_and_keep_their_numbers(tmp_path: Path) -> None:
    where = {"id": r".*qa\d+", "task": "Task[13]"}
    items = opened(tmp_path, {"file": "a.jsonl", "fields": FIELDS, "where": where})
    assert [(item.id, item.prompt) for item in items] == [
        ("a/2", "Who is Odilia?"), ("a/4", "Where was Rex born?")
    ]  # fmt: skip
    cut: dict[str, Any]
    cut = {"file": "a.jsonl", "fields": FIELDS, "where": where, "skip": 1, "limit": 1}
    assert [item.id for item in opened(tmp_path, cut)] == ["a/4"]


def test_a_pattern_matches_the_whole_value_as_text(tmp_path: Path) -> None:
    rows: list[dict[str, object]]
    rows = [{"question": "q", "answer": str(n), "n": n} for n in (1, 11, 111)]
    rows += [{"question": "q", "answer": "none", "n": None}]
    found = opened(tmp_path, {"file": "a.jsonl", "where": {"n": "11?"}}, rows)
    assert [item.answer for item in found] == ["1", "11"]
    both = opened(tmp_path, {"file": "a.jsonl", "where": {"answer": "[^1]*.?"}}, rows)
    assert [item.answer for item in both] == ["1", "none"]


def test_a_part_of_the_value_is_the_group(tmp_path: Path) -> None:
    split = {"file": "a.jsonl", "fields": FIELDS, "group_pattern": GROUP}
    groups = [item.group for item in opened(tmp_path, split)]
    assert groups == ["8f24c511", "8f24c511", "36307590", "36307590", "8077ab2e"]


def test_parts_lie_one_behind_the_other_each_of_its_own_kind(tmp_path: Path) -> None:
    source = {"file": "a.jsonl", "fields": FIELDS, "group_pattern": GROUP}
    parts = [
        source | {"kind": "completion", "where": {"id": r".*sc\d+"}},
        source | {"where": {"id": r".*qa\d+"}, "limit": 1},
    ]
    items = opened(tmp_path, {"parts": parts})
    assert [(item.id, item.kind) for item in items] == [
        ("a/1", "completion"), ("a/3", "completion"), ("a/5", "completion"), ("a/2", "qa"),
    ]  # fmt: skip
    assert items[3].group == items[0].group


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"where": {"task": "Task9"}}, "a.jsonl: `where: {task: Task9}` keeps none of 5 rows; a pat"),
    ({"where": {"kind": "qa"}}, "row 1: no column 'kind' to choose by (it has 'id', 'input', 'out"),
    ({"group_pattern": "^x(.)"}, "row 1: group '\"8f24c511\"sc1' holds no '^x(.)'; mend group_pat"),
]


@pytest.mark.parametrize(("more", "said"), WRONG)
def test_a_choice_that_cannot_be_meant_is_refused(
    tmp_path: Path, more: dict[str, Any], said: str
) -> None:
    with pytest.raises(CorpusError) as error:
        opened(tmp_path, {"file": "a.jsonl", "fields": FIELDS} | more)
    assert said in line(error.value)


IMPOSSIBLE: list[tuple[dict[str, Any], str]] = [
    ({"file": "a", "where": {"x": "("}}, "'(' is no pattern"),
    ({"file": "a", "fields": FIELDS, "group_pattern": "a+"}, "needs one `(...)`"),
    ({"file": "a", "group_pattern": "(a)"}, "needs a column for `group` in `fields`"),
    ({"file": "a", "fields": {"prompt": "p"}}, "name the column of `answer`, of `ids`, or of"),
    ({"builtin": "prose", "where": {"x": "y"}}, "`where` says nothing of `builtin`; leave it out"),
    ({"arrays": ["a.npy"], "fields": FIELDS}, "`fields` says nothing of `arrays`"),
    ({"parts": [{"file": "a"}], "limit": 3}, "`limit` says nothing of `parts`"),
    ({"parts": [{"file": "a"}], "file": "b"}, "name exactly one of `builtin`, `file`"),
    ({}, "name exactly one of `builtin`, `file`"),
]


@pytest.mark.parametrize(("split", "said"), IMPOSSIBLE)
def test_a_split_that_says_something_impossible_is_refused(
    split: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValidationError) as error:
        Split.model_validate(split)
    assert said in str(error.value)


def test_a_complaint_about_a_part_names_its_line(tmp_path: Path) -> None:
    parts = [{"file": "a.jsonl"}, {"file": "a.jsonl", "where": {"task": "["}}]
    path = toy.write(tmp_path, {"corpus": {"splits": {"forget": {"file": None, "parts": parts}}}})
    with pytest.raises(Exception, match=r"forget\.parts\.1\.where\.task: '\['") as error:
        _ = Choice(str(path)).loaded
    spot = int(str(error.value).split(":")[1])
    assert "task" in path.read_text("utf-8").splitlines()[spot - 1]


def test_hub_sources_in_parts_are_pinned_and_listed() -> None:
    both = {"parts": [{"split": "retain1", "config": "raw"}, {"split": "train", "hub": "o/other"}]}
    tree = {"name": "toy", "hub": "o/n", "splits": {"forget": {"split": "forget"}, "retain": both}}
    corpus = CorpusSpec.model_validate(tree)
    assert corpus.hubs == {"o/n", "o/other"}
    held = corpus.pinned({"o/n": "aa", "o/other": "bb"}).splits["retain"].sources
    assert [source.revision for source in held] == ["aa", "bb"]


# The layouts of other suites, as their data cards give them: WMDP, RWKU, MUSE


def test_wmdp_questions_are_choices_whose_answer_is_a_number(tmp_path: Path) -> None:
    rows = [
        {"answer": 2, "question": "Which?", "choices": ["a", "b", "c", "d"]},
        {"answer": 0, "question": "What?", "choices": ["e", "f", "g", "h"]},
    ]
    fields = {"prompt": "question", "choices": "choices", "correct": "answer"}
    split = {"file": "a.jsonl", "kind": "choice", "fields": fields}
    first, second = opened(tmp_path, split, rows)
    assert (first.prompt, first.answer, first.correct) == ("Which?", "c", 2)
    assert (second.choices, second.answer) == (("e", "f", "g", "h"), "e")
    with pytest.raises(CorpusError, match="row 1: correct is 4 of 4 choices; it counts from 0"):
        opened(tmp_path, split, [rows[0] | {"answer": 4}])


def test_wmdp_corpora_are_texts_with_more_columns(tmp_path: Path) -> None:
    rows = [{"title": "t", "abstract": "s", "text": "Body.", "doi": "10.1/x"}, {"text": "More."}]
    split = {"file": "a.jsonl", "kind": "document", "fields": {"answer": "text"}}
    assert [item.answer for item in opened(tmp_path, split, rows)] == ["Body.", "More."]


def test_rwku_probes_are_chosen_by_subject(tmp_path: Path) -> None:
    rows = [
        {"subject": who, "query": f"{who} wrote ___.", "level": level, "type": "cloze",
         "answer": "It"}
        for who in ("Stephen King", "Confucius") for level in (1, 2)
    ]  # fmt: skip
    split = {
        "file": "a.jsonl",
        "fields": {"prompt": "query", "answer": "answer", "group": "subject"},
        "where": {"subject": "Stephen King", "level": "1"},
    }
    (item,) = opened(tmp_path, split, rows)
    assert (item.id, item.group, item.kind) == ("a/1", "Stephen King", "qa")
    assert item.prompt == "Stephen King wrote ___."


def test_muses_corpora_are_parquet_files_of_texts_questions_and_continuations(
    tmp_path: Path,
) -> None:
    def put(name: str, **columns: list[str]) -> None:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        parquet.write_table(Table.from_pydict(columns), tmp_path / name)

    for split in ("forget", "retain1", "retain2"):
        put(f"raw/{split}-00000-of-00001.parquet", text=[f"{split} one.", f"{split} two."])
    put("knowmem/forget_qa-00000-of-00001.parquet", answer=["Ann"], question=["Who?"])
    put("verbmem/forget-00000-of-00001.parquet", prompt=["It was"], gt=["a dark night."])
    text = {"kind": "document", "fields": {"answer": "text"}}
    splits = {
        "forget": {"file": "raw/forget-00000-of-00001.parquet"} | text,
        "retain": {
            "parts": [
                {"file": f"raw/retain{n}-00000-of-00001.parquet", "limit": 3 - n} | text
                for n in (1, 2)
            ]
        },
        "knowmem": {
            "file": "knowmem/forget_qa-00000-of-00001.parquet",
            "fields": {"prompt": "question", "answer": "answer"},
        },
        "verbmem": {
            "file": "verbmem/forget-00000-of-00001.parquet",
            "kind": "completion",
            "fields": {"prompt": "prompt", "answer": "gt"},
        },
    }
    tree = {"name": "MUSE News", "path": tmp_path, "splits": splits}
    corpus = CorpusSpec.model_validate(tree).open()
    assert [i.answer for i in corpus["retain"]] == ["retain1 one.", "retain1 two.", "retain2 one."]
    assert len({i.id for i in corpus["retain"]}) == 3
    (asked,), (begun,) = corpus["knowmem"], corpus["verbmem"]
    assert (asked.kind, asked.prompt, asked.answer) == ("qa", "Who?", "Ann")
    assert (begun.kind, begun.prompt, begun.answer) == ("completion", "It was", "a dark night.")
