"""The action and the workflows: what strangers' code may do there, and that a table comes out."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
import yaml

from tests.test_cli import change, cli
from tests.toy import METHOD

CLAIMS = "require:\n  di: [accuracy <= 0.01 of none]\n"
ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ACTION = ROOT / "action.yml"
OWN = {"checkout", "setup-python", "upload-artifact"}
"""GitHub's own actions that we use; a step may use nothing else from outside."""


def shown() -> Iterator[tuple[str, str]]:
    """Name and text of every workflow and action, the README's among them."""
    for file in [ACTION, *sorted((ROOT / ".github").rglob("*.y*ml"))]:
        if file.name != "gate.yaml":
            yield file.relative_to(ROOT).as_posix(), file.read_text(encoding="utf-8")
    section = README.partition("\n## In CI")[2].partition("\n## ")[0]
    for number, block in enumerate(re.findall(r"```yaml\n(name:.*?)```", section, re.DOTALL)):
        yield f"README block {number}", block


EVERY = dict(shown())
WORKFLOWS = [name for name, text in EVERY.items() if "\njobs:" in text]


def tree(name: str) -> dict[Any, Any]:
    read: dict[Any, Any] = yaml.safe_load(EVERY[name])
    return read


def triggers(name: str) -> dict[str, Any]:
    on = tree(name)[True]  # YAML 1.1 reads `on` as true
    assert isinstance(on, dict), name
    return on


def steps(name: str) -> list[dict[str, Any]]:
    read = tree(name)
    if "runs" in read:
        found: list[dict[str, Any]] = read["runs"]["steps"]
        return found
    return [step for job in read["jobs"].values() for step in job["steps"]]


def test_all_are_looked_at() -> None:
    named = {"action.yml", ".github/comment/action.yml", "README block 0", "README block 1"}
    own = {f".github/workflows/{name}.yml" for name in ("ci", "methods", "comment")}
    assert set(EVERY) == named | own
    assert len(WORKFLOWS) == 5


@pytest.mark.parametrize("name", EVERY)
def test_nothing_reaches_a_shell_but_through_the_environment(name: str) -> None:
    assert "pull_request_target" not in EVERY[name]
    assert "secrets." not in EVERY[name]
    for step in steps(name):
        if "run" in step:
            assert "${{" not in step["run"], step
            assert "\n" not in step["run"].strip(), "more than a line belongs in a script"
            assert "runs" not in tree(name) or step["shell"] == "bash"


@pytest.mark.parametrize("name", EVERY)
def test_nobody_elses_actions_are_used(name: str) -> None:
    for used in (step["uses"] for step in steps(name) if "uses" in step):
        ours = r"\./(\.github/comment)?|OWNER/di-bench(/\.github/comment)?@COMMIT"
        theirs = re.fullmatch(r"actions/([\w-]+)@v\d+", used)
        assert re.fullmatch(ours, used) or (theirs and theirs[1] in OWN), used


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_has_few_rights_and_little_time(name: str) -> None:
    read = tree(name)
    assert "concurrency" in read
    assert all("timeout-minutes" in job for job in read["jobs"].values())
    for step in steps(name):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False
            assert "ref" not in step["with"], "the merge commit, or the default branch"


@pytest.mark.parametrize("name", WORKFLOWS)
def test_who_runs_a_pull_request_may_not_write_and_who_writes_runs_none(name: str) -> None:
    read, on = tree(name), triggers(name)
    jobs = list(read["jobs"].values())
    if "workflow_run" not in on:
        assert set(on) <= {"push", "pull_request"}
        assert read["permissions"] == {"contents": "read"}
        assert not any("permissions" in job for job in jobs)
        assert "GH_TOKEN" not in EVERY[name]
        return
    assert set(on) == {"workflow_run"}
    assert read["permissions"] == {}
    (job,) = jobs
    assert job["permissions"].pop("pull-requests") == "write"
    assert set(job["permissions"].values()) == {"read"}
    assert job["if"] == "github.event.workflow_run.event == 'pull_request'"
    commenting = re.compile(r"actions/checkout@v\d+|(\.|OWNER/di-bench)/\.github/comment(@COMMIT)?")
    assert all(commenting.fullmatch(step.get("uses", "")) for step in steps(name))


@pytest.mark.parametrize("name", [name for name in WORKFLOWS if "workflow_run:" in EVERY[name]])
def test_a_comment_waits_for_a_workflow_that_is_there(name: str) -> None:
    (waited,) = triggers(name)["workflow_run"]["workflows"]
    assert waited in [tree(other)["name"] for other in WORKFLOWS]


def test_every_input_is_used_and_said() -> None:
    text, inputs = EVERY["action.yml"], tree("action.yml")["inputs"]
    assert set(re.findall(r"inputs\.([\w-]+)", text)) == set(inputs)
    for step in steps("action.yml"):
        bare = {key: value for key, value in step.items() if key not in ("env", "with")}
        assert "inputs." not in str(bare), step
    for workflow in WORKFLOWS:
        for step in steps(workflow):
            if re.fullmatch(r"\./|OWNER/di-bench@COMMIT", step.get("uses", "")):
                assert set(step["with"]) <= set(inputs)


def git(folder: Path, *arguments: str) -> None:
    named = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *named, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def checkout(suite_file: Path) -> Path:
    """A toy suite's folder as `actions/checkout` leaves it: the merge of a request for two methods.

    One is new and one is changed; one more was there before, and another came into main since.
    """
    folder = suite_file.parent
    methods = folder / "baselines"
    methods.mkdir()
    for name in ("old", "changed"):
        (methods / f"{name}.py").write_text(METHOD, encoding="utf-8")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "baselines", "toy.yaml", "data")
    git(folder, "commit", "-qm", "before")
    git(folder, "checkout", "-qb", "request")
    (methods / "calm.py").write_text(METHOD, encoding="utf-8")
    (methods / "changed.py").write_text(METHOD.replace("10.0", "9.0"), encoding="utf-8")
    git(folder, "add", "baselines")
    git(folder, "commit", "-qm", "two methods")
    git(folder, "checkout", "-q", "main")
    (methods / "since.py").write_text(METHOD, encoding="utf-8")
    git(folder, "add", "baselines")
    git(folder, "commit", "-qm", "since then")
    git(folder, "merge", "-q", "--no-ff", "-m", "merge", "request")
    return folder


def act(folder: Path, inputs: Mapping[str, str], event: str = "pull_request") -> tuple[int, str]:
    """Do the shell steps of action.yml as a runner does; its last exit code, and the table."""
    own = {
        name: str(each.get("default", "")) for name, each in tree("action.yml")["inputs"].items()
    }
    known = {f"inputs.{name}": value for name, value in (own | dict(inputs)).items()}
    temporary = Path(mkdtemp(dir=folder))
    said = temporary / "said"
    runner = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "GITHUB_ACTION_PATH": str(ROOT),
        "GITHUB_EVENT_NAME": event,
        "GITHUB_OUTPUT": str(said),
        "GITHUB_STEP_SUMMARY": str(temporary / "summary"),
        "RUNNER_TEMP": str(temporary),
    }
    code = 0
    for step in steps("action.yml"):
        if "run" in step and not code:
            given = {k: told(v, known) for k, v in step.get("env", {}).items()}
            bash = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
            done = subprocess.run(
                bash, cwd=folder, env={**os.environ, **runner, **given}, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
            code = done.returncode
            assert code == 0 or "CODE" in given, done.stdout
            if step.get("id") and said.exists():
                for line in said.read_text(encoding="utf-8").splitlines():
                    key, _, value = line.partition("=")
                    known[f"steps.{step['id']}.outputs.{key}"] = value
    place = Path(known["steps.bench.outputs.table"])
    assert place.parents[1] == temporary
    table = place.read_text(encoding="utf-8")
    assert (temporary / "summary").read_text(encoding="utf-8") == table
    assert f": {known['steps.bench.outputs.verdict']}\n" in table.partition("\n")[0] + "\n"
    return code, table


def told(expression: str, known: Mapping[str, str]) -> str:
    return re.sub(r"\$\{\{ (.*?) \}\}", lambda found: known[found[1]], expression)


def first_cells(table: str) -> list[str]:
    board = table.partition("\nMean ±")[0]  # the ranks are another table
    return [line.split("|")[2].strip() for line in board.splitlines() if line.startswith("| tiny")]


def small(folder: Path) -> None:
    change(folder / "toy.yaml", seeds=[0], grow_seeds=[0], methods=["none", "retrain"])
    change(folder / "toy.yaml", recipe={"epochs": 1}, grow={"memorize": {"epochs": 1}})


def test_the_methods_that_a_pull_request_brings_are_run(checkout: Path) -> None:
    small(checkout)
    asked = {"suite": "./toy.yaml", "methods": "baselines/*.py\n", "install": "true"}
    code, table = act(checkout, asked)
    assert code == 0, table
    assert table.startswith("### ./toy.yaml: passed\n\nNothing to compare ./toy.yaml with")
    assert first_cells(table) == ["none", "retrain", "calm", "changed"]


@pytest.mark.parametrize(
    ("methods", "event", "said"),
    [
        ("other/*.py", "pull_request", "nothing to do\n\nNo method was added or changed."),
        ("baselines/*.py", "push", "no packaged method 'ga a'"),
        ("nowhere.py", "pull_request", "nowhere.py: cannot be read"),
        ("", "pull_request", "nothing to do"),
    ],
)
def test_what_cannot_be_run_is_said_in_a_line(
    checkout: Path, methods: str, event: str, said: str
) -> None:
    small(checkout)
    if event == "push":
        methods = "ga a"
    code, table = act(
        checkout, {"suite": "./toy.yaml", "methods": methods, "install": "true"}, event
    )
    assert code == (0 if said.startswith("nothing") else 2)
    assert said in table


def test_a_shallow_checkout_and_an_odd_name_are_refused(checkout: Path) -> None:
    asked = {"suite": "./toy.yaml", "methods": "baselines/*.py", "install": "true"}
    odd = checkout / "baselines" / "$(touch x).py"
    odd.write_text(METHOD, encoding="utf-8")
    git(checkout, "add", "baselines")
    git(checkout, "commit", "-qm", "odd")
    code, table = act(checkout, asked)
    assert code == 2
    assert "fetch-depth: 2" in table
    code, table = act(checkout, asked, "push")
    assert code == 2
    assert "name the file of a method with letters, digits and _" in table
    assert not (checkout / "x").exists()


def test_a_claim_that_is_broken_fails_the_job(suite_file: Path) -> None:
    if "--gate" not in cli("check", "--help").output:
        pytest.skip("`check` reads no gate file yet")
    small(suite_file.parent)
    (suite_file.parent / "gate.yaml").write_text(CLAIMS, encoding="utf-8")
    asked = {"suite": "./toy.yaml", "methods": "di\ndi", "install": "true", "gate": "gate.yaml"}
    code, table = act(suite_file.parent, asked)
    assert code == 1, table
    assert table.startswith("### ./toy.yaml: regressed\n\n**di-bench check:**")
    assert "| broken |" in table
    assert "Nothing to compare ./toy.yaml with" in table
    assert first_cells(table)[-3:] == ["none", "retrain", "di"]


def test_our_own_gate_reads_columns_of_smoke() -> None:
    gate = yaml.safe_load((ROOT / ".github" / "gate.yaml").read_text(encoding="utf-8"))
    board = (ROOT / "results" / "smoke" / "default" / "LEADERBOARD.md").read_text("utf-8")
    rows = [line.strip("| ").split(" | ") for line in board.splitlines() if line.startswith("| ")]
    columns = [name.rpartition(" ")[0].replace(" ", "_") for name in rows[0]]
    values = {row[1]: dict(zip(columns, row, strict=True)) for row in rows[2:]}
    for claim in gate["require"]["*"]:
        column, sign, number, *of = claim.split()
        bound = float(number) * float(values["none"][column] if of == ["of", "none"] else 1)
        for method in set(values) - {"none", "retrain"}:
            value = float(values[method][column])
            assert value <= bound if sign == "<=" else value >= bound, (method, claim)
