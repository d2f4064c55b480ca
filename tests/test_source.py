"""Splits from files: what a row becomes, and the one line for each way a file can be wrong."""

import json
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet, table

from di_bench import world
from di_bench.corpus import Corpus, Item
from di_bench.errors import CorpusError
from di_bench.source import CorpusSpec
from tests import toy
from tests.toy import line

ROW = {"question": "Who?", "answer": "Ann.", "paraphrased_answer": "It is Ann."}


def opened(folder: Path, forget: dict[str, Any], **more: Any) -> Corpus:  # noqa: ANN401 - YAML
    """A corpus whose forget split is the one to look at."""
    (folder / "kept.jsonl").write_text(json.dumps({"question": "k", "answer": "k"}), "utf-8")
    splits = {"forget": forget, "retain": {"file": "kept.jsonl"}}
    tree = {"name": "toy", "path": folder, "splits": splits} | more
    return CorpusSpec.model_validate(tree).open()


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_tofu_rows_become_items_in_groups(tmp_path: Path) -> None:
    lines = [
        json.dumps(ROW | {"question": f"{n}?", "perturbed_answer": ["Bo.", "Cy."]})
        for n in range(5)
    ]
    write(tmp_path, "forget01.json", "\n".join(lines))
    items = opened(tmp_path, {"file": "forget01.json", "group_size": 2})["forget"]
    assert items[2] == Item(
        id="forget01/3", group="forget01/2", kind="qa", prompt="2?", answer="Ann.",
        paraphrase="It is Ann.", perturbed=("Bo.", "Cy."),
    )  # fmt: skip
    assert [item.group[-1] for item in items] == ["1", "1", "2", "2", "3"]
    alone = opened(tmp_path, {"file": "forget01.json", "limit": 2})["forget"]
    assert [item.group for item in alone] == ["forget01/1", "forget01/2"]


@pytest.mark.parametrize("ending", ["json", "jsonl", "array.json", "csv", "parquet"])
def test_the_same_rows_make_the_same_items_in_every_format(tmp_path: Path, ending: str) -> None:
    rows = [{"question": f"In, which year {n}?", "answer": f"{1900 + n}"} for n in range(3)]
    path = tmp_path / f"a.{ending}"
    match ending:
        case "csv":
            text = "question,answer\n" + "".join(f'"{r["question"]}",{r["answer"]}\n' for r in rows)
            path.write_text(text, encoding="utf-8")
        case "parquet":
            parquet.write_table(table({k: [row[k] for row in rows] for k in rows[0]}), path)
        case "array.json":
            path.write_text(json.dumps(rows, indent=2), encoding="utf-8")
        case _:
            path.write_text("\n\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    items = opened(tmp_path, {"file": path.name})["forget"]
    assert [(i.prompt, i.answer) for i in items] == [(r["question"], r["answer"]) for r in rows]


def test_columns_are_mapped_and_values_typed(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "uid,who,q,a,right\n7,x,Which?,one,1\n8,x,Which now?,two,0\n")
    fields = {"id": "uid", "group": "who", "prompt": "q", "answer": "a", "correct": "right"}
    items = opened(tmp_path, {"file": "a.csv", "fields": fields, "kind": "choice"})["forget"]
    assert [(i.id, i.group, i.correct, i.kind) for i in items] == [
        ("7", "x", 1, "choice"),
        ("8", "x", 0, "choice"),
    ]


def test_ready_ids_and_lists_are_kept(tmp_path: Path) -> None:
    row = {"question": "q", "answer": "", "tokens": [3, 1], "options": ["a", "b"]}
    write(tmp_path, "a.jsonl", json.dumps(row))
    fields = {"prompt": "question", "answer": "answer", "ids": "tokens", "choices": "options"}
    item = opened(tmp_path, {"file": "a.jsonl", "fields": fields})["forget"][0]
    assert (item.ids, item.choices) == ((3, 1), ("a", "b"))


def test_documents_need_no_prompt_and_blank_ones_are_no_items(tmp_path: Path) -> None:
    write(tmp_path, "a.txt", "One\nstory.\n\n  \n\nAnother.\n")
    items = opened(tmp_path, {"file": "a.txt", "kind": "document"})["forget"]
    assert [(i.prompt, i.answer.strip()) for i in items] == [("", "One\nstory."), ("", "Another.")]
    write(tmp_path, "b.jsonl", '{"text": " "}\n{"text": "Words."}')
    split = {"file": "b.jsonl", "kind": "document", "fields": {"answer": "text"}}
    assert [i.id for i in opened(tmp_path, split)["forget"]] == ["b/2"]


BROKEN = [
    ("a.jsonl", '{"question": "q", "answer": "a"}\n{"question": ', ":2: not valid JSON"),
    ("a.json", '[{"question": "q"},\n {"question" 3}]', ":2: not valid JSON"),
    ("a.json", "{}\n\nnull", ": row 1: no field 'question' (it has none); add it or map it"),
    ("a.jsonl", '{"question": "q", "anser": "a"}', ": row 1: no field 'answer' (it has 'question'"),
    ("a.jsonl", '{"question": "q", "answer": null}', ": row 1: no field 'answer'"),
    ("a.jsonl", '{"question": "q", "answer": 3}', ": row 1: answer: expected str, found int"),
    ("a.jsonl", json.dumps(ROW | {"perturbed_answer": [1]}), ": row 1: perturbed_answer: expected"),
    ("a.json", '[["q", "a"]]', ": row 1: a row must be an object with named fields"),
    ("a.csv", "question,reply\nq,a\n", ": row 1: no field 'answer' (it has 'question', 'reply')"),
    ("a.csv", "question,answer\n\nq,a\nq\n", ":4: row 2 has 1 fields and the header 2; put a"),
    ("a.csv", "question,answer\nq,\"a\nb\"\nq,a,b\n", ":4: row 2 has 3 fields and the header 2"),
    ("a.csv", "question,answer,answer\nq,a,b\n", ":1: column 'answer' is there twice; rename one"),
    ("a.jsonl", json.dumps(ROW | {"answer": "\ud83d"}), ": row 1: answer: holds \\ud83d, half a"),
    ("a.csv", "question,answer\n", ": split 'forget' is empty; give it a file with rows"),
    ("a.jsonl", "", ": split 'forget' is empty; give it a file with rows"),
    ("a.json", "[]", ": split 'forget' is empty"),
    ("a.parquet", "not parquet", ": cannot be read as Parquet"),
    ("a.xlsx", "x", ": .xlsx is not json, jsonl, csv, parquet or txt"),
    ("a", "x", ": no ending is not json, jsonl, csv, parquet or txt"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "said"), BROKEN)
def test_a_broken_file_gets_one_line_with_its_place(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    path = write(tmp_path, name, text)
    with pytest.raises(CorpusError) as error:
        opened(tmp_path, {"file": name})
    assert line(error.value).startswith(f"{path}{said}")


def test_a_file_that_is_missing_or_not_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"gone\.jsonl: cannot be read: No such file"):
        opened(tmp_path, {"file": "gone.jsonl"})
    with pytest.raises(CorpusError, match=r"gone\.parquet: cannot be read"):
        opened(tmp_path, {"file": "gone.parquet"})
    (tmp_path / "a.jsonl").write_bytes(b'{"question": "\xff"}')
    with pytest.raises(CorpusError, match=r"a\.jsonl:1: byte 14 \(0xff\) is not UTF-8; save the"):
        opened(tmp_path, {"file": "a.jsonl"})


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.txt", "array.json"])
def test_a_row_in_another_encoding_is_named_by_line_and_byte(tmp_path: Path, name: str) -> None:
    lines = [f'{{"question": "{n}", "answer": "\u00e9t\u00e9"}}' for n in range(60)]
    match name:
        case "a.csv":
            lines = ["question,answer", *(f"{n},\u00e9t\u00e9" for n in range(60))]
        case "array.json":
            lines = ["[", ",\n".join(lines).replace("\n", ""), "]"]
            lines = lines[1].replace("},{", "},\n{").split("\n")
            lines = ["[" + lines[0], *lines[1:-1], lines[-1] + "]"]
    raw = [line.encode() for line in lines]
    raw[56] = lines[56].encode("latin-1")
    (tmp_path / name).write_bytes(b"\n".join(raw))
    place = len(b"\n".join(raw[:56])) + 1 + raw[56].index(b"\xe9")
    with pytest.raises(CorpusError) as error:
        opened(tmp_path, {"file": name})
    said = f"{tmp_path / name}:57: byte {place} (0xe9) is not UTF-8; save the whole file as UTF-8"
    assert line(error.value).startswith(said)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.txt"])
def test_a_file_in_utf_16_is_called_that(tmp_path: Path, name: str, encoding: str) -> None:
    text = "\ufeff" * (encoding == "utf-16-be") + 'question,answer\n{"question": "q"}\n'
    (tmp_path / name).write_bytes(text.encode(encoding))
    with pytest.raises(CorpusError, match="is UTF-16; save the file as UTF-8 text"):
        opened(tmp_path, {"file": name})


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("question,answer\nq,a\n", encoding="utf-8-sig")
    assert opened(tmp_path, {"file": "a.csv"})["forget"][0].prompt == "q"


@pytest.mark.parametrize("kind", ["qa", "document"])
def test_an_item_of_forget_and_retain_is_refused(tmp_path: Path, kind: str) -> None:
    write(tmp_path, "a.jsonl", '{"question": "x", "answer": "y"}\n{"question": "k", "answer": "k"}')
    if kind == "qa":
        with pytest.raises(CorpusError) as error:
            opened(tmp_path, {"file": "a.jsonl"})
        assert line(error.value) == (
            "toy: item 'a/2' of forget is 'kept/1' of retain; take it out of one of them"
        )
    else:  # the same words under no question are another item
        assert len(opened(tmp_path, {"file": "a.jsonl", "kind": kind})["forget"]) == 2


def test_items_are_told_apart_by_history_and_by_ids() -> None:
    def item(name: str, **more: Any) -> Item:  # noqa: ANN401 - fields of Item
        return Item(name, name, "chat", "And now?", "Yes.", **more)

    early, late = (("user", "Hi"),), (("user", "Bye"),)
    Corpus("toy", {"forget": (item("a", messages=early),), "retain": (item("b", messages=late),)})
    Corpus("toy", {"forget": (item("a", ids=(1,)),), "retain": (item("b", ids=(2,)),)})
    with pytest.raises(CorpusError, match="'a' of forget is 'b' of retain"):
        Corpus("toy", {"forget": (item("a", ids=(1,)),), "retain": (item("b", ids=(1,)),)})


def test_a_split_that_is_not_there_is_refused_with_the_nearest() -> None:
    corpus = Corpus("toy", {"forget": (Item("a", "a", "qa", "p", "a"),)})
    with pytest.raises(CorpusError, match="toy: no split 'forgot'; did you mean 'forget'"):
        corpus["forgot"]
    with pytest.raises(CorpusError, match="toy: split 'retain' is empty"):
        Corpus("toy", {"retain": ()})


def test_file_splits_need_a_folder_and_hub_splits_a_data_set() -> None:
    splits = {"forget": {"file": "a.jsonl"}, "retain": {"file": "b.jsonl"}}
    with pytest.raises(CorpusError, match=r"add --set corpus\.path=DIR"):
        CorpusSpec.model_validate({"name": "toy", "splits": splits}).open()
    hub = {"forget": {"split": "train"}, "retain": {"split": "train"}}
    with pytest.raises(CorpusError, match=r"`split` needs a data set; add corpus\.hub"):
        CorpusSpec.model_validate({"name": "toy", "splits": hub}).open()


def test_a_data_set_out_of_reach_is_one_line_with_a_way_out() -> None:
    splits = {name: {"split": name} for name in ("forget", "retain")}
    spec = CorpusSpec.model_validate({"name": "toy", "hub": "org/name", "splits": splits})
    with pytest.raises(CorpusError) as error:
        spec.open()
    assert line(error.value).startswith("org/name: the data set cannot be reached (")
    assert "copy it to a folder and use `file:` splits with corpus.path" in line(error.value)


def test_the_built_in_world_is_named_with_its_version_and_other_data_are_not() -> None:
    splits: dict[str, dict[str, Any]]
    splits = {"forget": {"builtin": "forget01"}, "retain": {"builtin": "retain99", "limit": 3}}
    corpus = CorpusSpec.model_validate({"name": "authors", "splits": splits}).open()
    assert corpus.name == f"authors v{world.VERSION}"
    assert (corpus["forget"], len(corpus["retain"])) == (world.split("forget01"), 3)
    assert corpus.refusals == world.refusals()
    splits["forget"]["builtin"] = "forget1"
    with pytest.raises(CorpusError, match="no split 'forget1'; did you mean 'forget10'"):
        CorpusSpec.model_validate({"name": "authors", "splits": splits}).open()


def test_refusals_are_the_lines_of_a_file_or_none(tmp_path: Path) -> None:
    toy.write(tmp_path)
    forget = {"file": "data/forget.jsonl"}
    write(tmp_path, "no.txt", "No.\n\n Never. \n")
    assert opened(tmp_path, forget, refusals={"file": "no.txt"}).refusals == ("No.", " Never. ")
    assert opened(tmp_path, forget, refusals={}).refusals == ()
    with pytest.raises(CorpusError, match=r"gone\.txt: cannot be read"):
        opened(tmp_path, forget, refusals={"file": "gone.txt"})


def test_a_digest_follows_content_and_nothing_else(tmp_path: Path) -> None:
    def digest(folder: Path, answer: str) -> str:
        folder.mkdir(exist_ok=True)
        write(folder, "a.jsonl", json.dumps(ROW | {"answer": answer}))
        return opened(folder, {"file": "a.jsonl"}).digest(["forget"])

    assert digest(tmp_path / "one", "Ann.") == digest(tmp_path / "two", "Ann.")
    assert digest(tmp_path / "one", "Ann.") != digest(tmp_path / "one", "Bo.")
