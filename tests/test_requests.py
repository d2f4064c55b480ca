"""Requests in turn, through the command line: each step trains what the one before it left."""

import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor

from di_bench.errors import DivergedError
from di_bench.pipeline import Pipeline
from di_bench.run import Run
from di_bench.store import Store
from di_bench.work import Choice, Work
from tests.conftest import FORGET
from tests.test_cli import NAN, change, cli, records, run, spawned, times
from tests.test_export import adapted, add, plain, says, show

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")

REQUESTS = ("first", "second", "third")
LORA = {"rank": 4, "alpha": 8}


@pytest.fixture
def suite(suite_file: Path) -> Path:
    """The suite over the byte model with three requests, of four, two and two items; one seed."""
    rows = {"file": "forget.jsonl", "group_size": 2}
    cuts = ({"limit": 4}, {"skip": 4, "limit": 2}, {"skip": 6})
    tree = yaml.safe_load(suite_file.read_text(encoding="utf-8"))
    del tree["corpus"]["splits"]["forget"]
    tree["corpus"]["splits"] |= {n: rows | cut for n, cut in zip(REQUESTS, cuts, strict=True)}
    tree["probes"]["newest"] = {"ask": "read", "split": "request"}
    tree["metrics"]["newest"] = {"exact_memorization": "newest"}
    tree |= {"requests": [*REQUESTS], "seeds": [0], "grow_seeds": [0]}
    suite_file.write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")
    return suite_file


def cells(suite: Path, folders: list[str], method: str | Path = "di") -> tuple[Pipeline, list[Run]]:
    """A pipeline, and the steps of a method."""
    store = Store(Path(folders[1]), Path(folders[3]))
    work = Work.lay_out(Choice(str(suite)), [str(method)], store, "cache")
    return Pipeline(store), [r for r in work.runs if r.method.name == Path(method).stem]


def weights(pipeline: Pipeline, run: Run) -> list[Tensor]:
    return [*pipeline.unlearned(run).model.state_dict().values()]


def test_steps_have_records_and_boards_of_their_own(suite: Path, folders: list[str]) -> None:
    done = run(suite, folders)
    assert done.exit_code == 0, done.output
    found = records(folders)
    assert sorted(found) == sorted(
        f"{method}+request={n}-0" for method in ("none", "retrain", "di") for n in (1, 2, 3)
    )
    steps = [found[f"di+request={n}-0"] for n in (1, 2, 3)]
    assert [step["parts"]["quality"]["n"] for step in steps] == [4, 6, 8]
    assert steps[0]["scores"]["newest"] == steps[0]["scores"]["accuracy"]
    assert steps[2]["scores"]["newest"] != steps[2]["scores"]["accuracy"]
    assert [*steps[1]["corpus"]] == ["name", "forget", "retain", *REQUESTS, "asked"]
    again = run(suite, folders)
    assert "9 cells: 9 done in" in again.output
    titles = [line for line in again.output.splitlines() if line.startswith("Toy protocol")]
    assert [title.partition(", request ")[2][:6] for title in titles] == [
        "1 of 3", "2 of 3", "3 of 3",
    ]  # fmt: skip
    assert cli("board", suite, "--check", *folders[:2]).exit_code == 0
    reference = Path(folders[1]) / "toy" / "default"
    assert "0 not comparable" in cli("check", reference, "--against", reference).output
    record = next(reference.rglob("di+request=2-0.json"))
    assert '"axis": "request=2"' in cli("show", record).output
    trained = times(folders[3], "*.safetensors")
    change(suite, probes={"kept": {"ask": "read", "split": "retain"}})
    change(suite, metrics={"kept": {"probability": "kept"}})
    assert cli("plan", suite, *folders).output.count("trained") == 3
    assert run(suite, folders).exit_code == 0
    assert times(folders[3], "*.safetensors") == trained
    assert "9 of 9 cells graded" in cli("grade", suite, *folders).output


@pytest.mark.parametrize("peft", [None, LORA])
def test_a_step_starts_from_the_model_that_the_one_before_it_left(
    suite: Path, folders: list[str], tmp_path: Path, peft: dict[str, Any] | None
) -> None:
    add(suite, peft=peft)
    pipeline, (one, two, _) = cells(suite, folders)
    left, start = pipeline.unlearned(one), pipeline.start(two)
    said = [says(lm.model, lm.tokenizer) for lm in (left, start)]
    torch.testing.assert_close(said[0], said[1], rtol=1e-4, atol=1e-5)
    first = says(pipeline.start(one).model, left.tokenizer)
    assert not torch.allclose(said[0], first, rtol=1e-3)
    assert run(suite, folders).exit_code == 0
    record = next(Path(folders[1]).rglob("di+request=2-0.json"))
    to = tmp_path / "out"
    made = show(record, suite, to, folders)
    assert made.exit_code == 0, made.output
    own = pipeline.unlearned(two)
    model = adapted(to) if peft else plain(to)[0]
    assert torch.equal(says(model, own.tokenizer), says(own.model, own.tokenizer))


def test_a_method_is_given_the_newest_request_alone(suite: Path, folders: list[str]) -> None:
    pipeline, steps = cells(suite, folders)
    for run_, items in zip(steps, (FORGET[:4], FORGET[4:6], FORGET[6:]), strict=True):
        asked = [item.prompt for item in run_.corpus[run_.part.due]]
        assert asked == [item.prompt for item in items]
    pipeline.unlearned(steps[2])  # makes all that comes before it
    tokens = [pipeline.store.path("cost", step.weights_key) / "cost.json" for step in steps]
    assert len({path.read_text(encoding="utf-8") for path in tokens}) == 3


def test_a_run_killed_between_steps_ends_with_the_same_records(
    suite: Path, folders: list[str], tmp_path: Path
) -> None:
    process = spawned(suite, folders)
    while process.poll() is None and not list(Path(folders[3]).glob("unlearned/*")):
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert run(suite, folders).exit_code == 0
    other = ["--results", str(tmp_path / "r2"), "--cache", str(tmp_path / "c2")]
    assert run(suite, other).exit_code == 0
    assert records(folders) == records(other)


def test_steps_after_a_diverged_one_say_so(suite: Path, folders: list[str], tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text(NAN, encoding="utf-8")
    result = run(suite, folders, broken)
    assert result.exit_code == 0, result.output
    found = records(folders)
    own = "loss is nan at step 0 (epoch 1)"
    later = f"request=1 before it diverged: {own}"
    assert [found[f"broken+request={n}-0"]["error"] for n in (1, 2, 3)] == [own, later, later]
    assert {found[f"broken+request={n}-0"]["status"] for n in (1, 2, 3)} == {"diverged"}
    assert "0 to do" in run(suite, folders, broken).output


def test_a_target_that_diverged_is_no_fault_of_a_step(suite: Path, folders: list[str]) -> None:
    change(suite, grow={"memorize": {"lr": 1e30, "epochs": 9}})
    pipeline, (_, two, three) = cells(suite, folders)
    for step in (two, three):
        with pytest.raises(DivergedError, match=r"^the target could not be grown: "):
            pipeline.unlearned(step)


def test_steps_after_a_failed_one_fail_and_are_tried_again(
    suite: Path, folders: list[str], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.py"
    wait = tmp_path / "mended"
    code = NAN.replace("        def loss", f"        open({str(wait)!r})\n\n        def loss")
    broken.write_text(code.replace('float("nan")', "1.0"), encoding="utf-8")
    result = run(suite, folders, broken)
    assert result.exit_code == 1
    found = records(folders)
    own = found["broken+request=1-0"]["error"]
    assert own.startswith("FileNotFoundError: ")
    for n in (2, 3):
        assert found[f"broken+request={n}-0"]["status"] == "failed"
        assert found[f"broken+request={n}-0"]["error"] == f"request=1 before it failed: {own}"
    wait.touch()
    assert run(suite, folders, broken).exit_code == 0
    assert all(record["status"] == "done" for record in records(folders).values())


def test_predictions_changed_in_secret_cannot_be_gone_on_from(
    suite: Path, folders: list[str], tmp_path: Path
) -> None:
    secret = tmp_path / "secret.py"
    code = NAN.replace("import LM", "import decoding as d, LM")
    code = code.replace("return fit(lm, loss, self.recipe)", "return d(lm, lambda own: own)")
    secret.write_text(code, encoding="utf-8")
    result = run(suite, folders, secret)
    assert result.exit_code == 2
    said = "secret.py: changes predictions beside weights, and a next request can start from"
    assert said in result.output
    assert not [name for name in records(folders) if name.startswith("secret+request=2")]
