"""A suite is checked whole before anything heavy happens, and says what to mend."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from di_bench import suite
from di_bench.errors import SuiteError
from di_bench.spec import changes_of, merged
from tests import toy
from tests.toy import line


def file(folder: Path, changes: str) -> Path:
    """The toy suite with changes laid over it."""
    tree = merged(toy.tree(), changes_of([f"all={changes}"])["all"])
    path = folder / "toy.yaml"
    path.write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")
    return path


BAD = {
    # names of folders that lead elsewhere
    "{name: ../../x}": "name: '../../x' is a path, and folders are named after it; take a word",
    "{name: ..}": "name: '..' is a path",
    "{probes: {../x: {ask: tasks, tasks: [di_cola], path: ..}}}": "probes.../x: '../x' is a path",
    # unknown names, with the nearest right one
    "{titel: x}": "titel: unknown key; did you mean 'title'?",
    "{corpus: {splitz: {}}}": "corpus.splitz: unknown key; did you mean 'splits'?",
    "{corpus: {splits: {forget: {fil: x}}}}": "corpus.splits.forget.fil: unknown key",
    "{models: [{id: x, tempalte: chat}]}":
        "models.0.tempalte: unknown key; did you mean 'template'?",
    "{models: [builtin/nona]}":
        "models.0: unknown built-in model 'builtin/nona'; did you mean 'builtin/nano'?",
    "{probes: {forget: {limt: 3}}}": "probes.forget.limt: unknown key; did you mean 'limit'?",
    "{probes: {forget: {ask: raed}}}": "probes.forget: unknown `ask: raed`; did you mean 'read'?",
    "{probes: {forget: {split: forgt}}}":
        "probes.forget.split: unknown split 'forgt'; did you mean 'forget'?",
    "{probes: {judged: {of: storys}}}":
        "probes.judged.of: unknown `write` probe 'storys'; did you mean 'stories'?",
    "{probes: {judged: {of: forget}}}": "probes.judged.of: unknown `write` probe 'forget'",
    "{metrics: {new: {probabilty: forget}}}":
        "metrics.new: unknown metric 'probabilty'; did you mean 'probability'?",
    "{metrics: {new: {probability: forgot}}}":
        "metrics.new: unknown probe 'forgot'; did you mean 'forget'?",
    "{board: [acuracy]}": "board.0: unknown column 'acuracy'; did you mean 'accuracy'?",
    "{front: [acuracy, kept]}": "front.0: unknown column 'acuracy'; did you mean 'accuracy'?",
    "{front: [kept, accuracy]}": "front.0: kept is of utility; name a column of forgetting",
    "{front: [accuracy, likeness]}":
        "front.1: likeness is of generation; name a column of utility",
    "{front: [accuracy]}": "front: name two columns, one of forgetting and one of utility",
    "{front: [accuracy, kept, kept]}": "front: name two columns",
    "{front: accuracy}": "front: must be a list, not 'accuracy'",
    "{recipe: {lrr: 1}}": "recipe.lrr: unknown setting of a recipe; did you mean 'lr'?",
    "{grow: {memorise: {}}}": "grow.memorise: unknown key; did you mean 'memorize'?",
    "{grow: {memorize: {epoch: 3}}}":
        "grow.memorize.epoch: unknown setting of a recipe; did you mean 'epochs'?",
    "{peft: {rnk: 3}}": "peft.rnk: unknown key; did you mean 'rank'?",
    # wrong types
    "{name: 3}": "name: must be text, not 3; quote it",
    "{seeds: 3}": "seeds: must be a list, not 3",
    "{seeds: [a]}": "seeds.0: must be a whole number, not 'a'",
    "{seeds: []}": "seeds: must not be empty",
    "{models: []}": "models: must not be empty",
    "{models: [{id: x, template: chatty}]}":
        "models.0.template: must be 'plain' or 'chat', not 'chatty'",
    "{methods: []}": "methods: must not be empty",
    "{methods: [{di: {strength: 3}}]}": "methods: list names alone, or map each to its settings",
    "{methods: {di: 3}}": "methods.di: must be a mapping of keys to values, not 3",
    "{recipe: {lr: high}}": "recipe.lr: must be a number, not 'high'",
    "{recipe: {epochs: 1.5}}": "recipe.epochs: must be a whole number, not 1.5",
    "{recipe: {betas: [0.9]}}": "recipe.betas.1: missing; add it",
    "{recipe: {schedule: wavy}}": "recipe.schedule: must be 'constant', 'linear' or 'cosine'",
    "{grow: {pretrain: {lr: high}}}": "grow.pretrain.lr: must be a number, not 'high'",
    "{peft: {targets: 3}}": "peft.targets: must be a list, not 3",
    "{peft: {rank: 0}}": "peft.rank: must be greater than 0, not 0",
    "{max_tokens: -1}": "max_tokens: must be greater than 0, not -1",
    "{corpus: 3}": "corpus: must be a mapping of keys to values, not 3",
    "{corpus: {path: 3}}": "corpus.path: must be a path, not 3",
    "{corpus: {splits: {forget: {limit: 0}}}}":
        "corpus.splits.forget.limit: must be greater than 0, not 0",
    "{probes: {answers: {top_p: 2}}}":
        "probes.answers.top_p: must be less than or equal to 1, not 2",
    "{probes: {answers: {new_tokens: many}}}": "probes.answers.new_tokens: must be a whole number",
    "{metrics: {new: 3}}": "metrics.new: must be a mapping of keys to values, not 3",
    "{metrics: {new: {probability: 3}}}": "metrics.new.probability: must be a list, not 3",
    # missing
    "{models: [{template: chat}]}": "models.0.id: missing; add it",
    "{probes: {new: {split: forget}}}": "probes.new: missing `ask`; add it",
    "{probes: {new: {ask: read}}}": "probes.new.split: missing; add it",
    "{probes: {new: {ask: tasks, tasks: []}}}": "probes.new.tasks: must not be empty",
    # what cannot be
    "{seeds: [0, 1, 0]}": "seeds: seed 0 is given twice; list each once",
    "{grow_seeds: [1, 1]}": "grow_seeds: seed 1 is given twice; list each once",
    "{corpus: {splits: {forget: {builtin: forget10}}}}":
        "corpus.splits.forget: name exactly one of",
    "{corpus: {splits: {forget: {fields: {answr: a}}}}}":
        "corpus.splits.forget: an item has no field 'answr'",
    "{metrics: {new: {probability: answers}}}":
        "metrics.new: probability needs `ask: read`, not write",
    "{metrics: {new: {rouge: forget}}}": "metrics.new: rouge needs `ask: write`, not read",
    "{metrics: {new: {probability: [forget, retain]}}}":
        "metrics.new: probability needs `ask: read`, not read + read",
    "{metrics: {new: {probability: []}}}":
        "metrics.new: probability needs `ask: read`, not nothing",
    "{metrics: {new: {}}}": "metrics.new: name one metric",
    "{metrics: {new: {probability: forget, rouge: answers}}}": "metrics.new: name one metric",
    "{models: [{id: x, trust_remote_code: true}]}":
        "models.0.trust_remote_code: refused: only safetensors",
    "{trust_remote_code: true}": "trust_remote_code: refused: only safetensors",
}  # fmt: skip


@pytest.mark.parametrize("changes", BAD)
def test_what_is_wrong_gets_one_line_with_file_line_place_and_mend(
    tmp_path: Path, changes: str
) -> None:
    path = file(tmp_path, changes)
    with pytest.raises(SuiteError) as error:
        suite.load(path)
    where, _, said = line(error.value).removeprefix(f"{path}:").partition(": ")
    assert where.isdecimal()
    assert said.startswith(BAD[changes])


@pytest.mark.parametrize("key", ["name", "corpus", "seeds", "metrics"])
def test_a_missing_part_is_named(tmp_path: Path, key: str) -> None:
    path = tmp_path / "toy.yaml"
    path.write_text(yaml.safe_dump({k: v for k, v in toy.tree().items() if k != key}), "utf-8")
    with pytest.raises(SuiteError, match=rf"toy\.yaml: {key}: missing; add it"):
        suite.load(path)


@pytest.mark.parametrize("split", ["forget", "retain"])
def test_a_corpus_without_forget_or_retain_is_refused(tmp_path: Path, split: str) -> None:
    tree: dict[str, Any] = toy.tree()
    del tree["corpus"]["splits"][split]
    path = tmp_path / "toy.yaml"
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    with pytest.raises(SuiteError, match=rf"corpus\.splits\.{split}: missing; add it"):
        suite.load(path)


@pytest.mark.parametrize(
    ("text", "profile", "said"),
    [
        ("{profiles: {fast: {seeds: [0]}}}", "fsat", "no profile 'fsat'; did you mean 'fast'?"),
        ("{profiles: {fast: {seeds: [0]}}}", "x", "There are: default, fast"),
        ("{}", "x", "There are: default"),
        ("{profiles: [fast]}", "fast", "profiles: must map a name to what it changes"),
        ("{profiles: {fast: [0]}}", "fast", "profiles: must map a name to what it changes"),
        ("{profiles: {fast: {sedes: [0]}}}", "fast", "sedes: unknown key; did you mean 'seeds'?"),
        ("{profiles: {fast: {corpus: 3}}}", "fast", "corpus: must be a mapping"),
    ],
)
def test_a_profile_that_is_not_there_or_wrong_is_refused(
    tmp_path: Path, text: str, profile: str, said: str
) -> None:
    path = file(tmp_path, text)
    with pytest.raises(SuiteError) as error:
        suite.load(path, profile)
    assert line(error.value).startswith(str(path))
    assert said in line(error.value)


def test_understanding_may_be_read_from_many_probes_and_others_from_their_own(
    tmp_path: Path,
) -> None:
    probes = "{probes: {a: {ask: tasks, tasks: [di_sst2]}, b: {ask: tasks, tasks: [di_copa]}}, "
    path = file(tmp_path, probes + "metrics: {nlu: {nlu: [a, b]}}}")
    assert suite.load(path).reads("nlu")[1] == ("a", "b")
    path = file(tmp_path, probes + "metrics: {nlu: {nlu: [a, forget]}}}")
    with pytest.raises(SuiteError, match="nlu needs `ask: tasks`, not tasks \\+ read"):
        suite.load(path)


def test_a_complaint_about_a_profile_names_the_line_in_the_profile(tmp_path: Path) -> None:
    path = file(tmp_path, "{profiles: {fast: {probes: {forget: {limit: few}}}}}")
    number = path.read_text("utf-8").splitlines().index("        limit: few") + 1
    with pytest.raises(SuiteError, match=rf"toy\.yaml:{number}: probes\.forget\.limit"):
        suite.load(path, "fast")


def test_a_profile_merges_mappings_and_replaces_lists(tmp_path: Path) -> None:
    path = file(
        tmp_path,
        "{methods: [none, retrain, di, npo], profiles: {fast: {seeds: [7], recipe: {epochs: 1}, "
        "methods: {npo: {beta: 1.0}}, probes: {forget: {limit: 2}}, board: [kept]}}}",
    )
    plain, fast = suite.load(path), suite.load(path, "fast")
    assert (plain.seeds, fast.seeds) == ((0, 1), (7,))
    assert (plain.recipe, fast.recipe) == ({"lr": 0.001}, {"lr": 0.001, "epochs": 1})
    assert fast.methods == {"none": {}, "retrain": {}, "di": {}, "npo": {"beta": 1.0}}
    assert fast.probes["forget"].model_dump() == {"ask": "read", "split": "forget", "limit": 2}
    assert set(fast.probes) == set(plain.probes)
    assert (plain.shown, fast.shown) == (tuple(toy.tree()["metrics"]), ("kept",))
    assert (plain.profile, fast.profile) == ("default", "fast")


def test_a_corpus_that_brings_splits_replaces_the_other_whole(tmp_path: Path) -> None:
    splits = "{forget: {builtin: forget01}, retain: {builtin: retain99}}"
    path = file(tmp_path, f"{{profiles: {{other: {{corpus: {{name: w, splits: {splits}}}}}}}}}")
    corpus = suite.load(path, "other").corpus
    assert (corpus.name, corpus.path, corpus.refusals.builtin) == ("w", None, True)
    assert corpus.splits["forget"].file is None
    kept = suite.load(path, changes={"corpus": {"name": "v"}}).corpus
    assert set(kept.splits) == {"forget", "retain"}
    shorter = suite.load(path, changes=changes_of(["corpus.splits.forget.limit=2"])).corpus
    assert (shorter.name, set(shorter.splits)) == ("toy secrets", {"forget", "retain"})
    assert shorter.splits["forget"].limit == 2


def test_paths_of_a_file_start_there_and_paths_of_the_command_line_do_not(tmp_path: Path) -> None:
    path = file(tmp_path, "{probes: {nlu: {ask: tasks, tasks: [a], path: nlu}}}")
    loaded = suite.load(path)
    assert loaded.corpus.path == tmp_path / "data"
    assert getattr(loaded.probes["nlu"], "path", None) == tmp_path / "nlu"
    assert suite.load(path, changes=changes_of(["corpus.path=here"])).corpus.path == Path("here")
    assert suite.load(path, changes=changes_of(["corpus.name=v"])).corpus.path == tmp_path / "data"


def test_a_bare_name_is_packaged_even_beside_a_folder_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tofu").mkdir()
    monkeypatch.chdir(tmp_path)
    assert suite.load("tofu").name == "tofu"
    with pytest.raises(SuiteError, match="no packaged suite 'tofo'; did you mean 'tofu'"):
        suite.load("tofo")
    (tmp_path / "mine.yaml").touch()
    with pytest.raises(SuiteError, match=r"no packaged suite 'mine'; did you mean \./mine\.yaml\?"):
        suite.load("mine")
    with pytest.raises(SuiteError, match=r"tofo\.yaml: cannot be read"):
        suite.load("tofo.yaml")


@pytest.mark.parametrize("path", sorted(suite.PACKAGED.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_packaged_suite_is_valid_under_every_profile(path: Path) -> None:
    profiles = yaml.safe_load(path.read_text(encoding="utf-8")).get("profiles", {})
    for profile in ("default", *profiles):
        assert set(suite.load(path.stem, profile).shown) <= set(suite.load(path, profile).metrics)


@pytest.mark.parametrize(
    ("column", "better"),
    [("accuracy", "lower"), ("kept", "higher"), ("quality", "higher"), ("ratio", "gold")],
)
def test_a_memory_metric_should_fall_on_forget_and_stay_elsewhere(
    tmp_path: Path, column: str, better: str
) -> None:
    assert suite.load(file(tmp_path, "{}")).better(column) == better


def test_a_column_is_of_the_group_of_its_metric_and_of_what_it_reads(tmp_path: Path) -> None:
    changes = (
        "{probes: {unseen: {ask: read, split: holdout}, exam: {ask: tasks, tasks: [di_copa]}}, "
        "corpus: {splits: {holdout: {file: retain.jsonl}}}, "
        "metrics: {known: {probability: unseen}, hazards: {wmdp: exam}, exam: {nlu: exam}, "
        "attack: {mia_loss: [forget, unseen]}, "
        "kept_ratio: {truth_ratio: retain}, said: {rep_4: answers}}}"
    )
    loaded = suite.load(file(tmp_path, changes))
    assert {column: loaded.group(column) for column in loaded.metrics} == {
        "accuracy": "forgetting",
        "kept": "utility",
        "quality": "forgetting",
        "ratio": "forgetting",
        "likeness": "generation",
        "known": "privacy",  # of items nobody trained on: what attacks hold forget against
        "hazards": "forgetting",  # an exam reads no items of a split
        "exam": "utility",
        "attack": "privacy",
        "kept_ratio": "utility",
        "said": "generation",  # though of the forget set
    }


def test_a_front_is_read_by_boards_alone(tmp_path: Path) -> None:
    def keys(changes: str) -> list[tuple[str, ...]]:
        runs = toy.work(file(tmp_path, changes)).runs
        return [(run.name, run.weights_key, run.scores_key, run.setup) for run in runs]

    toy.write(tmp_path)
    plain = keys("{}")
    assert keys("{front: [accuracy, kept]}") == plain
    assert len(plain) > 4


def test_every_packaged_suite_has_a_front_in_every_profile() -> None:
    for path in sorted(suite.PACKAGED.glob("*.yaml")):
        profiles = yaml.safe_load(path.read_text(encoding="utf-8")).get("profiles") or {}
        for profile in ("default", *profiles):
            assert len(suite.load(path.stem, profile).front) == 2, (path.stem, profile)
