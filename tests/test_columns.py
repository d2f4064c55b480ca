"""Which column is what: by its name, as the user says, or one line that says what is there."""

import json
from pathlib import Path
from typing import Any

import pytest

from di_bench.columns import Columns, mapping, recognised
from di_bench.errors import CorpusError


def of(folder: Path, *rows: Any, **given: str) -> Columns:  # noqa: ANN401 - JSON
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return recognised(path, given)


@pytest.mark.parametrize(
    ("names", "kind", "fields"),
    [
        ("question answer", "qa", {"prompt": "question", "answer": "answer"}),
        ("prompt completion", "completion", {"prompt": "prompt", "answer": "completion"}),
        ("prompt response", "qa", {"prompt": "prompt", "answer": "response"}),
        ("prompt output", "qa", {"prompt": "prompt", "answer": "output"}),
        ("input output", "qa", {"prompt": "input", "answer": "output"}),
        ("instruction response id", "qa", {"prompt": "instruction", "answer": "response"}),
        ("Question Answer", "qa", {"prompt": "Question", "answer": "Answer"}),
        ("text", "document", {"answer": "text"}),
        ("title document", "document", {"answer": "document"}),
        ("url CONTENT", "document", {"answer": "CONTENT"}),
    ],
)
def test_names_say_what_columns_are(
    tmp_path: Path, names: str, kind: str, fields: dict[str, str]
) -> None:
    found = of(tmp_path, dict.fromkeys(names.split(), "x"))
    assert (found.kind, found.fields) == (kind, fields)


def test_further_answers_are_used_under_tofus_names_where_they_are_texts(tmp_path: Path) -> None:
    row = {"question": "q", "answer": "a", "paraphrased_answer": "b", "perturbed_answer": ["c"]}
    pair = {"prompt": "question", "answer": "answer"}
    also = {"paraphrase": "paraphrased_answer", "perturbed": "perturbed_answer"}
    assert of(tmp_path, row).fields == pair | also
    assert of(tmp_path, row, prompt="question", answer="answer").fields == also | pair
    assert of(tmp_path, row, answer="answer").fields == {"answer": "answer"}
    wrong = {"perturbed_answer": [3], "choices": {"text": ["a"]}, "paraphrased_answer": ["b"]}
    assert of(tmp_path, row | wrong).fields == pair
    assert of(tmp_path, row | {"choices": ["a"]}).fields["choices"] == "choices"


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ("instruction input output", "instruction and input and output could mean several things"),
        ("question answer text", "question and answer and text could mean several things"),
        ("text content", "text and content could mean several things"),
        ("answer", "answer could mean several things"),
        ("frage antwort", "none is known"),
    ],
)
def test_what_is_not_clear_is_asked_in_one_line(tmp_path: Path, names: str, said: str) -> None:
    with pytest.raises(CorpusError) as error:
        of(tmp_path, dict.fromkeys(names.split(), "x"))
    columns = ", ".join(map(repr, names.split()))
    assert str(error.value).startswith(f"{tmp_path / 'rows.jsonl'}: columns {columns}: {said}; say")
    assert "--field answer=COLUMN --field prompt=COLUMN" in str(error.value)


def test_what_the_user_says_goes_before_names(tmp_path: Path) -> None:
    row = {"instruction": "i", "input": "", "output": "o"}
    found = of(tmp_path, row, prompt="instruction", answer="output")
    assert (found.kind, found.fields) == ("qa", {"prompt": "instruction", "answer": "output"})
    assert of(tmp_path, row, answer="output").kind == "document"
    assert of(tmp_path, {"text": "t"}, answer="antwort").fields == {"answer": "text"}


def test_rows_are_numbered_and_blank_ones_left_out(tmp_path: Path) -> None:
    found = of(tmp_path, {"text": "a"}, {"text": " "}, {"text": "b"})
    assert list(found.rows()) == [(1, "", "a"), (3, "", "b")]
    found = of(tmp_path, {"question": "q", "answer": "a"})
    assert list(found.texts()) == [(1, "q\na")]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"question": "q"}, "row 2: no field 'answer' (it has 'question'); add it to the row"),
        ({"question": "q", "answer": None}, "row 2: no field 'answer'"),
        ({"question": "q", "answer": 3}, "row 2: answer: expected text, found int; write it as"),
        (["q", "a"], "row 2: a row must be an object with named fields"),
    ],
)
def test_a_row_that_cannot_be_read_is_named(tmp_path: Path, row: object, said: str) -> None:
    found = of(tmp_path, {"question": "q", "answer": "a"}, row)
    with pytest.raises(CorpusError) as error:
        list(found.rows())
    assert said in str(error.value)


def test_an_empty_file_and_a_first_row_without_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"rows\.jsonl: is empty; give a file with rows"):
        of(tmp_path)
    with pytest.raises(CorpusError, match="row 1: a row must be an object"):
        of(tmp_path, ["q"])
    with pytest.raises(CorpusError, match="columns none: none is known"):
        of(tmp_path, {})


def test_a_mapping_is_field_and_column() -> None:
    assert mapping(["prompt=q", "answer=a=b"]) == {"prompt": "q", "answer": "a=b"}
    for text in ("answer", "answer=", "=a", "reply=a"):
        with pytest.raises(CorpusError, match="write it as answer=COLUMN; the fields are prompt"):
            mapping([text])
    with pytest.raises(CorpusError, match="say also which column is the answer"):
        mapping(["prompt=q"])
