"""Judges and samples in a suite: what is refused, what keys and formulas hold, and a run of it."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from di_bench import suite
from di_bench.asks import Judge, Write, told
from di_bench.errors import ModelError, SuiteError
from di_bench.metrics.judged import humans, models
from di_bench.pipeline import Pipeline
from di_bench.run import Run
from di_bench.spec import merged
from di_bench.store import Store
from di_bench.work import Choice, Work
from tests import toy
from tests.conftest import FORGET, load
from tests.toy import line

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"probes": {"answers": {"samples": 2}}}, "probes.answers.samples: greedy answers are all"),
        ({"probes": {"stories": {"samples": 0}}}, "probes.stories.samples: must be greater than 0"),
        (
            {"probes": {"judged": {"keeps": "all"}}},
            "probes.judged.keeps: must be 'features' or 'likelihood', not 'all'",
        ),
        (
            {"probes": {"judged": {"model": "builtin/nano"}}},
            "probes.judged.model: give a hub id or a folder",
        ),
        (
            {"probes": {"judged": {"keeps": "likelihood"}}},
            "metrics.likeness: mauve needs a judge with `keeps: features`: judged has not",
        ),
        (
            {"metrics": {"new": {"fluency": "judged"}}},
            "metrics.new: fluency needs a judge with `keeps: likelihood`: judged has not",
        ),
        (
            {"metrics": {"new": {"coherence": "judged"}}},
            "metrics.new: coherence needs a judge with `prompts: true`: judged has not",
        ),
        (
            {"metrics": {}, "probes": {"judged": {"keeps": "likelihood", "prompts": True}}},
            "probes.judged.prompts: only features are kept of prompts",
        ),
    ],
)
def test_what_a_judge_or_a_writer_cannot_do_is_said_in_one_line(
    tmp_path: Path, changes: dict[str, Any], complaint: str
) -> None:
    path = tmp_path / "toy.yaml"
    path.write_text(yaml.safe_dump(merged(toy.tree(), changes)), encoding="utf-8")
    with pytest.raises(SuiteError) as error:
        suite.load(path)
    assert complaint in line(error.value)


def test_fields_at_their_default_are_in_no_key() -> None:
    asked = Judge(ask="judge", of="stories")
    assert told(asked) == {"ask": "judge", "of": "stories"}
    assert told(Judge(ask="judge", of="s", keeps="likelihood")) == {
        "ask": "judge", "of": "s", "keeps": "likelihood",
    }  # fmt: skip
    assert set(told(Write(ask="write", split="forget"))) == {
        "ask", "split", "limit", "new_tokens", "prompt_tokens", "stride", "top_p",
    }  # fmt: skip
    assert told(Write(ask="write", split="f", top_p=0.5, samples=4))["samples"] == 4


def test_similarity_should_fall_on_forget_and_stay_elsewhere(tmp_path: Path) -> None:
    for split, better in (("forget", "lower"), ("retain", "higher")):
        changes = {
            "probes": {"stories": {"split": split}},
            "metrics": {"s": {"similarity": "judged"}},
        }
        path = tmp_path / "toy.yaml"
        path.write_text(yaml.safe_dump(merged(toy.tree(), changes)), encoding="utf-8")
        assert suite.load(path).better("s") == better


def by_judge(folder: Path, model: str | None) -> dict[str, Run]:
    changes = {"probes": {"judged": {"model": model}}} if model else {}
    return toy.runs(toy.write(folder, changes))


def test_a_judge_is_known_by_its_content_and_its_name_stands_in_the_formula(tmp_path: Path) -> None:
    before = by_judge(tmp_path, None)["di-0"]
    assert before.formulas["likeness"] == "mauve@base-features"
    cells = {}
    for place, weights in (("one", b"judge"), ("two", b"judge"), ("three", b"other")):
        folder = toy.model(tmp_path / place / "reader", weights)
        cells[place] = by_judge(tmp_path, str(folder))["di-0"]
    one, two, three = cells.values()
    moved = {
        name for name, key in before.transcript_keys.items() if key != one.transcript_keys[name]
    }
    assert moved == {"judged"}
    assert one.weights_key == before.weights_key
    assert one.setup != before.setup
    for same in ("transcript_keys", "scores_key", "formulas", "setup"):
        assert getattr(one, same) == getattr(two, same)
    assert one.transcript_keys["judged"] != three.transcript_keys["judged"]
    assert one.setup != three.setup
    name = one.formulas["likeness"].removeprefix("mauve@").removesuffix("-features")
    assert name.startswith("reader-")
    assert len(name) == len("reader-") + 8
    assert str(tmp_path) not in str([one.asked("judged"), one.formulas, one.variant])
    assert one.formulas["ratio"] == before.formulas["ratio"]


def test_a_judge_given_on_the_command_line_is_named_and_not_placed(tmp_path: Path) -> None:
    path, folder = toy.write(tmp_path), toy.model(tmp_path / "reader")
    (run, *_) = toy.runs(path, changes=[f"probes.judged.model={folder}"]).values()
    assert run.variant == f"+probes.judged.model={run.judge('judged').name}"


def test_a_judge_of_the_hub_is_known_by_its_revision(tmp_path: Path) -> None:
    runs = [by_judge(tmp_path, f"org/gpt@{sha}")["none-0"] for sha in ("0123456789", "abc")]
    assert runs[0].formulas["likeness"] == "mauve@org/gpt@01234567-features"
    assert runs[0].judge("judged").digest == "org/gpt@0123456789"
    assert runs[0].transcript_keys["judged"] != runs[1].transcript_keys["judged"]


def test_a_sentence_embedder_is_known_by_all_of_its_parts(tmp_path: Path) -> None:
    folder = toy.model(tmp_path / "reader")
    (folder / "1_Pooling").mkdir()
    pooling = folder / "1_Pooling" / "config.json"
    pooling.write_text("{}", encoding="utf-8")
    keys = []
    for layout in (None, "[]"):
        if layout:
            (folder / "modules.json").write_text(layout, encoding="utf-8")
        for mode in ("{}", "{  }"):
            pooling.write_text(mode, encoding="utf-8")
            keys.append(by_judge(tmp_path, str(folder))["none-0"].transcript_keys["judged"])
    assert keys[0] == keys[1] != keys[2] != keys[3]


def test_a_judge_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="gone: not a model: no such folder"):
        by_judge(tmp_path, str(tmp_path / "gone"))
    with pytest.raises(ModelError) as error:
        path = toy.write(tmp_path, {"probes": {"judged": {"model": "nobody/nothing"}}})
        Work.lay_out(Choice(str(path)), (), toy.store(tmp_path), "cache")
    assert line(error.value).startswith("nobody/nothing: not in the Hugging Face cache")


def test_judges_in_a_run(tiny: Path, suite_tree: dict[str, Any], suite_file: Path) -> None:
    """The base and another judge read three samples; all comes back from the cache as it was."""
    other = suite_file.parent / "other"
    reader = load(tiny)
    with torch.no_grad():
        reader.model.model.embed_tokens.weight.mul_(1.1)
    reader.save(other)
    tree = merged(
        suite_tree,
        {
            "methods": {"none": {}},
            "seeds": [0],
            "probes": {
                "stories": {"ask": "write", "split": "forget", "top_p": 0.9, "samples": 3},
                "base": {"ask": "judge", "of": "stories", "prompts": True},
                "same": {"ask": "judge", "of": "stories", "model": str(tiny)},
                "another": {"ask": "judge", "of": "stories", "model": str(other)},
                "read": {
                    "ask": "judge", "of": "stories", "keeps": "likelihood", "model": str(other),
                },
            },
            "metrics": {
                "coherence": {"coherence": "base"},
                "similarity": {"similarity": "another"},
                "oracle": {"oracle_perplexity": "read"},
            },
        },
    )  # fmt: skip
    suite_file.write_text(yaml.safe_dump(tree | {"methods": ["none"]}), encoding="utf-8")
    store = Store(suite_file.parent / "results", suite_file.parent / "cache")
    work = Work.lay_out(Choice(str(suite_file)), ["none"], store, "plan")
    (run,) = (run for run in work.runs if run.name.endswith("none-0"))
    pipeline = Pipeline(store)
    pipeline.check(run)
    threads = torch.get_num_threads()
    asked = ("stories", "base", "same", "another", "read")
    rows = pipeline.transcripts(run, asked)
    assert torch.get_num_threads() == threads
    assert len(rows["base"]) == len(FORGET) * (3 + 1 + 1)
    assert rows["same"] == [row for row in rows["base"] if row.part == "answer"]
    assert rows["another"] != rows["same"]
    assert [len(side(rows["read"])) for side in (models, humans)] == [24, 8]
    assert all(math.isfinite(p) for row in rows["read"] for p in row.logprobs)
    assert Pipeline(store).transcripts(run, asked) == rows
    scores = {
        column: run.suite.reads(column)[0]([rows[p] for p in run.suite.reads(column)[1]])
        for column in ("coherence", "similarity", "oracle")
    }
    assert not [score.gap for score in scores.values() if score.value is None]
    assert run.formulas["coherence"] == "coherence@base-features"
    assert run.formulas["oracle"].startswith("oracle_perplexity@other-")
