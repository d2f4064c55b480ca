"""A gate file is checked whole: the first mistake is one line with file, line and mend."""

from pathlib import Path

import pytest

from di_bench.errors import GateError
from di_bench.gate import check
from di_bench.gatefile import Gate, check_names, read_gate
from di_bench.side import Side, load
from tests.planted import kept
from tests.toy import line

ROOT = Path(__file__).parents[1]


def said(path: Path, text: str) -> str:
    """What is wrong with a file, without the name of its folder."""
    path.write_text(text, encoding="utf-8")
    with pytest.raises(GateError) as error:
        check_names(read_gate(path), path, [Side.of(kept(["di", "none"], [0]))])
    return line(error.value).removeprefix(f"{path.parent}/")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("tolerence: 1\n", "gate.yaml:1: tolerence: unknown key; did you mean 'tolerance'?"),
        ("alpha: 1\n", "gate.yaml:1: alpha: "),
        ("alpha: .nan\n", "gate.yaml:1: alpha: "),
        ("\ntolerance: -1\n", "gate.yaml:2: tolerance: "),
        ("tolerance: wide\n", "gate.yaml:1: tolerance: must be a number, not 'wide'"),
        ("leave_out: ga\n", "gate.yaml:1: leave_out: must be a list, not 'ga'"),
        ("columns:\n  kept: .1\n", "gate.yaml:2: columns.kept: must be a mapping"),
        ("columns:\n  kept: {room: 1}\n", "gate.yaml:2: columns.kept.room: unknown key"),
        ("require: [kept]\n", "gate.yaml:1: require: must be a mapping"),
        ("require:\n  di: kept >= 1\n", "gate.yaml:2: require.di: must be a list"),
        ("- tolerance\n", "gate.yaml: the top of the file must be a mapping"),
        ("tolerance: 1\ntolerance: 2\n", "gate.yaml:2: not valid YAML: 'tolerance' is given twice"),
        (
            "require:\n  '*':\n    - kept >= 1\n    - kept => 1\n",
            "gate.yaml:4: require.*.1: 'kept => 1' is no claim; write it as",
        ),
        (
            "columns:\n  accuracy: {}\n  kpet: {}\n",
            "gate.yaml:3: columns.kpet: no record has a column 'kpet'; did you mean 'kept'?",
        ),
        (
            "require:\n  di:\n  - kept > 0\n  - acuracy < 1\n",
            "gate.yaml:4: require.di.1: no record has a column 'acuracy'; did you mean 'accuracy'?",
        ),
        (
            "require:\n  dii: [kept > 0]\n",
            "gate.yaml:2: require.dii: no record has a row 'dii'; did you mean 'di'?",
        ),
        (
            "require: {di: [kept > 1 of non]}\n",
            "gate.yaml:1: require.di.0: no record has a row 'non'; did you mean 'none'?",
        ),
        ("leave_out: [non]\n", "gate.yaml:1: leave_out.0: no record has a row 'non'; did you mean"),
        ("methods: [no]\n", "gate.yaml:1: methods.0: no record has a row 'no'; did you mean"),
    ],
)
def test_a_mistake_is_one_line_with_its_place(tmp_path: Path, text: str, wanted: str) -> None:
    assert said(tmp_path / "gate.yaml", text).startswith(wanted)


def test_the_example_of_the_readme_is_a_gate_for_the_committed_results(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    text = next(block for block in readme.split("```") if block.startswith("yaml\ntolerance"))
    path = tmp_path / "gate.yaml"
    path.write_text(text.removeprefix("yaml\n"), encoding="utf-8")
    side = load(ROOT / "results" / "tofu" / "text")
    gate = read_gate(path)
    check_names(gate, path, [side])
    found = check(side, side, gate)
    assert {f.verdict for f in found if not f.claim} == {"same"}
    assert len({f.claim for f in found if f.claim}) == 4
    assert not any(f.column == "loss_auc" or f.method in ("ga", "kl") for f in found)


def test_nothing_must_be_said_and_the_command_line_comes_first(tmp_path: Path) -> None:
    path = tmp_path / "gate.yaml"
    assert read_gate(None) == Gate()
    path.write_text("tolerance: .1\nleave_out: [ga]\nmethods: [di]\n", encoding="utf-8")
    made = read_gate(path, 0.2, ["npo"], ["kl"])
    assert (made.tolerance, made.methods, made.leave_out) == (0.2, ("npo",), ("ga", "kl"))
    assert read_gate(path).tolerance == 0.1
    with pytest.raises(GateError, match="--tolerance nan: must be a number from 0 up"):
        read_gate(None, float("nan"))
    with pytest.raises(GateError) as error:
        check_names(Gate(leave_out=("dii",)), None, [Side.of(kept(["di"], [0]))])
    assert (
        line(error.value)
        == "--leave-out: no record has a row 'dii'; did you mean 'di'? There are: di"
    )
    with pytest.raises(GateError, match="cannot be read"):
        read_gate(tmp_path / "nothing.yaml")
