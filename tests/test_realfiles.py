"""The field's own files from end to end: LUME's rows, and the extraction challenge's token ids."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from numpy.typing import NDArray
from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel
from typer.testing import CliRunner

from di_bench import probe
from di_bench.asks import Read, Write
from di_bench.cli import app
from di_bench.corpus import Corpus, Item
from di_bench.lm import LM
from di_bench.source import CorpusSpec
from di_bench.template import Template
from di_bench.transcript import Row, Rows
from tests.conftest import SHARED, load
from tests.grading import value

DATA = SHARED / "data"
ARRAYS = ["val_preprefix.npy", "val_prefix.npy", "val_suffix.npy"]
END = 50256
ROWS = 3
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="no ../shared/data: real files absent")
runner = CliRunner()


def lume(split: str, limit: int | None = None) -> dict[str, Any]:
    """LUME's completions, then its questions, each by its document."""
    source = {
        "file": f"{split}.jsonl",
        "fields": {"prompt": "input", "answer": "output", "group": "id"},
        "group_pattern": r'^"?(.+?)"?(?:sc|qa)\d+$',
    } | ({"limit": limit} if limit else {})
    kinds = {"completion": r".*sc\d+", "qa": r".*qa\d+"}
    return {"parts": [source | {"kind": k, "where": {"id": ids}} for k, ids in kinds.items()]}


@needs_data
def test_every_row_of_lume_is_an_item_of_its_document() -> None:
    splits = {name: lume(name) for name in ("forget", "retain")}
    tree = {"name": "LUME", "path": DATA / "lume" / "lume", "splits": splits}
    corpus = CorpusSpec.model_validate(tree).open()
    for name, count in {"forget": 2732, "retain": 2734}.items():
        rows = [
            json.loads(line)
            for line in (DATA / f"lume/lume/{name}.jsonl").read_text("utf-8").splitlines()
        ]
        items = corpus[name]
        assert len(items) == len(rows) == count
        assert {(i.prompt, i.answer) for i in items} == {(r["input"], r["output"]) for r in rows}
        assert len({item.id for item in items}) == count
        begun = [item for item in items if item.kind == "completion"]
        assert len({item.group for item in items}) == len({item.group for item in begun})
        assert not [item.group for item in items if '"' in item.group or item.group[-3:-1] == "qa"]


@needs_data
def test_lume_runs_from_its_files_to_a_record(tmp_path: Path) -> None:
    tree = {
        "name": "lume",
        "title": "LUME protocol",
        "corpus": {
            "name": "LUME",
            "path": str(DATA / "lume" / "lume"),
            "splits": {"forget": lume("forget", 4), "retain": lume("retain", 4)},
        },
        "models": [str(DATA / "models" / "stories260K")],
        "methods": ["none", "ga"],
        "recipe": {"lr": 1e-3, "epochs": 1, "batch_size": 4},
        "grow": {"memorize": {"lr": 1e-3, "epochs": 2, "batch_size": 8}},
        "max_tokens": 128,
        "seeds": [0],
        "grow_seeds": [0],
        "probes": {
            "forget": {"ask": "read", "split": "forget"},
            "answers": {"ask": "write", "split": "forget", "new_tokens": 8, "limit": 2},
        },
        "metrics": {"accuracy": {"exact_memorization": "forget"}, "rouge": {"rouge": "answers"}},
    }
    path = tmp_path / "lume.yaml"
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    folders = ["--results", str(tmp_path / "results"), "--cache", str(tmp_path / "cache")]
    done = runner.invoke(app, ["run", str(path), "--workers", "1", *folders])
    assert done.exit_code == 0, done.output
    (record,) = (tmp_path / "results").rglob("ga-0.json")
    scores = json.loads(record.read_text(encoding="utf-8"))["scores"]
    assert 0 < scores["accuracy"] < 1


# The extraction challenge: 200 tokens a row, read, written on, and graded by hand


def challenge(rows: int) -> Corpus:
    """The first rows of the challenge, whole."""
    splits = {"forget": {"arrays": ARRAYS, "limit": rows}}
    tree = {"name": "challenge", "path": DATA / "extraction", "splits": splits}
    return CorpusSpec.model_validate(tree).open()


@pytest.fixture(scope="module")
def documents() -> NDArray[np.int64]:
    """(3, 200) the first rows, straight from the files."""
    if not DATA.is_dir():
        pytest.skip("no ../shared/data: real files absent")
    parts = [np.load(DATA / "extraction" / name)[:ROWS] for name in ARRAYS]
    return np.concatenate(parts, axis=1).astype(np.int64)


@pytest.fixture(scope="module")
def half_known(documents: NDArray[np.int64], tmp_path_factory: pytest.TempPathFactory) -> LM:
    """A tiny model of GPT-2's vocabulary that knows which token followed which in these rows."""
    torch.manual_seed(0)
    config = GPT2Config(n_positions=256, n_embd=64, n_layer=1, n_head=1, tie_word_embeddings=False)
    made: Any = GPT2LMHeadModel
    model = made(config).eval()
    ids = torch.tensor(documents)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "c_proj" in name or "wpe" in name:  # what is left is a state for each token
                weight.zero_()
        states = model.transformer(ids).last_hidden_state[:, :-1]
        model.lm_head.weight.zero_().index_add_(0, ids[:, 1:].flatten(), states.flatten(0, 1))
    loader: Any = AutoTokenizer
    tokenizer = loader.from_pretrained(DATA / "models" / "gpt2_tokenizer")
    folder = tmp_path_factory.mktemp("gpt2") / "model"
    LM(model, tokenizer, Template()).save(folder)
    return load(folder)


def greedy(lm: LM, prefix: Sequence[int], room: int) -> list[int]:
    """Token by token, by the likeliest."""
    ids = [*prefix]
    while len(ids) < len(prefix) + room and (len(ids) == len(prefix) or ids[-1] != END):
        with torch.no_grad():
            state = lm.model.transformer(torch.tensor([ids])).last_hidden_state[0, -1]
            ids.append(int((lm.model.lm_head.weight @ state).argmax()))
    return ids[len(prefix) :]


def grams(ids: Sequence[int], n: int) -> list[tuple[int, ...]]:
    return [tuple(ids[at : at + n]) for at in range(len(ids) - n + 1)]


def ask(lm: LM, items: Sequence[Item], **how: int) -> Rows:
    asked = Write(ask="write", split="forget", **how)
    return probe.write(lm, asked, items, 0, lambda _: None)


def test_memorization_of_ready_ids_is_the_papers(
    half_known: LM, documents: NDArray[np.int64]
) -> None:
    lm, items = half_known, challenge(ROWS)["forget"]
    rows = probe.read(lm, Read(ask="read", split="forget"), items, 512, lambda _: None)
    with torch.no_grad():
        first = lm.model(torch.tensor(documents)).logits[:, :-1].argmax(-1).numpy()
    right = first == documents[:, 1:]
    assert 0.1 < right.mean() < 0.9
    assert value("exact_memorization@jang", rows) == pytest.approx(right.mean(1).mean())
    after = right[:, [39, 79, 119, 159]]  # the tokens after 40, 80, 120 and 160
    assert value("exact_memorization@di-paper", rows) == pytest.approx(after.mean())


def test_extraction_of_ready_ids_is_the_papers(
    half_known: LM, documents: NDArray[np.int64]
) -> None:
    lm, items = half_known, challenge(ROWS)["forget"]
    rows = ask(lm, items, stride=40, new_tokens=200)
    said: dict[tuple[int, int], list[int]] = {}
    for number, ids in enumerate(documents.tolist()):
        for cut in (41, 81, 121, 161):  # a stride counts predicted tokens, and the first is not
            said[number, cut] = greedy(lm, ids[:cut], 200 - cut)
    assert [row.answer_ids for row in rows] == [tuple(ids) for ids in said.values()]
    rests = {place: documents[place[0], place[1] :].tolist() for place in said}
    assert [row.truth_ids for row in rows] == [tuple(ids) for ids in rests.values()]
    for n in (3, 5, 10):
        jang, papers = [], []
        for place, written in said.items():
            true = set(grams(rests[place], n))
            jang.append(sum(g in true for g in grams(written, n)) / (len(rests[place]) - n + 1))
            mine = set(grams(written, n))
            papers.append(len(mine & true) / len(mine) if mine else 0.0)
        assert value(f"el_{n}@jang", rows) == pytest.approx(np.mean(jang))
        assert value(f"el_{n}@di-paper", rows) == pytest.approx(np.mean(papers))
        assert n > 3 or 0 < np.mean(papers) < 1


def test_what_is_extractable_is_what_follows_150_tokens(
    half_known: LM, documents: NDArray[np.int64]
) -> None:
    lm, items = half_known, challenge(ROWS)["forget"]
    rows = ask(lm, items, prompt_tokens=149, new_tokens=50)
    assert [len(row.truth_ids) for row in rows] == [50] * ROWS
    written = [greedy(lm, ids[:150], 50) for ids in documents.tolist()]
    found = [ids == row[150:].tolist() for ids, row in zip(written, documents, strict=True)]
    assert value("extractable", rows) == np.mean(found)
    told = [Row(row.item, truth_ids=row.truth_ids, answer_ids=row.truth_ids) for row in rows]
    assert value("extractable", told) == 1


@needs_data
def test_ids_that_a_model_does_not_know_are_one_line_before_any_training(tmp_path: Path) -> None:
    splits = {
        "forget": {"arrays": ARRAYS, "limit": 2},
        "retain": {"arrays": ARRAYS, "skip": 2, "limit": 2},
    }
    tree = {
        "name": "ids",
        "title": "Ready ids",
        "corpus": {"name": "challenge", "path": str(DATA / "extraction"), "splits": splits},
        "models": [str(DATA / "models" / "stories260K")],
        "methods": ["ga"],
        "seeds": [0],
        "grow_seeds": [0],
        "probes": {"forget": {"ask": "read", "split": "forget"}},
        "metrics": {"accuracy": {"exact_memorization": "forget"}},
    }
    path = tmp_path / "ids.yaml"
    folders = ["--results", str(tmp_path / "results"), "--cache", str(tmp_path / "cache")]
    for models, known in ((tree["models"], 512), (["builtin/nano"], 1024)):
        path.write_text(yaml.safe_dump(tree | {"models": models}), encoding="utf-8")
        done = runner.invoke(app, ["run", str(path), "--workers", "1", *folders])
        said = " ".join(done.output.split())
        assert done.exit_code == 2, said
        assert "challenge: item 'val_preprefix/" in said
        assert f"knows ids below {known}; ready ids need the model whose tokenizer made" in said
    assert not list((tmp_path / "results").rglob("*.json"))
    assert not list((tmp_path / "cache").rglob("*.safetensors"))
