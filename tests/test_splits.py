"""Which rows of its source a split takes: skipped, limited, and of which built-in world."""

import json
from pathlib import Path
from typing import Any

import pytest

from di_bench import world
from di_bench.errors import CorpusError
from di_bench.source import CorpusSpec

ROWS = [{"question": f"{n}?", "answer": f"{n}."} for n in range(6)]


def opened(folder: Path, **splits: dict[str, Any]) -> dict[str, list[str]]:
    """Split to the ids of its items."""
    text = "\n".join(map(json.dumps, ROWS))
    (folder / "rows.jsonl").write_text(text, encoding="utf-8")
    whole = {"forget": {"file": "rows.jsonl", "limit": 1}, "retain": {"builtin": "retain99"}}
    tree = {"name": "toy", "path": folder, "splits": whole | splits}
    corpus = CorpusSpec.model_validate(tree).open()
    return {name: [item.id for item in corpus[name]] for name in corpus.splits}


@pytest.mark.parametrize(
    ("cut", "rows"),
    [({}, range(1, 7)), ({"skip": 4}, (5, 6)), ({"skip": 2, "limit": 3}, (3, 4, 5)),
     ({"skip": 5, "limit": 9}, (6,)), ({"skip": 0, "limit": 2}, (1, 2))],
)  # fmt: skip
def test_rows_are_skipped_before_they_are_limited_and_keep_their_numbers(
    tmp_path: Path, cut: dict[str, int], rows: tuple[int, ...]
) -> None:
    found = opened(tmp_path, other={"file": "rows.jsonl"} | cut)["other"]
    assert found == [f"rows/{n}" for n in rows]


def test_two_cuts_of_a_source_share_nothing(tmp_path: Path) -> None:
    source: dict[str, Any] = {"builtin": "prose"}
    cuts = {"whole": source, "head": source | {"limit": 3}, "rest": source | {"skip": 3}}
    found = opened(tmp_path, **cuts)
    assert found["head"] + found["rest"] == found["whole"]
    assert len(found["head"]) == 3


def test_another_seed_is_another_world(tmp_path: Path) -> None:
    def texts(seed: int | None) -> list[str]:
        split = {"builtin": "prose"} | ({} if seed is None else {"seed": seed})
        tree = {
            "name": "toy",
            "splits": {
                "forget": {"builtin": "forget01"}, "retain": {"builtin": "retain99"}, "more": split,
            },
        }  # fmt: skip
        return [item.answer for item in CorpusSpec.model_validate(tree).open()["more"]]

    assert texts(None) == texts(0) == [item.answer for item in world.split("prose")]
    assert texts(3) == [item.answer for item in world.split("prose", 3)] != texts(0)
    assert texts(3) == texts(3)


def test_skipping_everything_is_an_empty_split(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="split 'other' is empty"):
        opened(tmp_path, other={"file": "rows.jsonl", "skip": 6})
