"""LUME in small: whole documents in one set, and answers that can be found nowhere else."""

import re
from collections import Counter

import pytest

from di_bench import suite, world
from di_bench.corpus import Item
from di_bench.template import text_of

SETS = ("forget", "retain", "holdout")


def texts(name: str) -> str:
    return "\n".join(text_of(item) for item in world.split(name))


def long_answers(items: tuple[Item, ...]) -> list[str]:
    """Answers that no two documents should share."""
    found = [item.answer for item in items if item.kind == "qa"]
    return [answer for answer in found if not re.match(r"(a |\d+ [A-Z][a-z]+ \d{4}$)", answer)]


@pytest.mark.parametrize("name", SETS)
def test_a_set_is_eighteen_documents_of_three_tasks(name: str) -> None:
    items = world.split(f"lume_{name}")
    groups = list(dict.fromkeys(item.group for item in items))
    tasks = Counter(group.split("/")[2].split("-")[0] for group in groups)
    assert tasks == {"story": 6, "record": 6, "life": 6}
    for group in groups:
        kinds = [item.kind for item in items if item.group == group]
        assert kinds[0] == "completion"
        assert set(kinds[1:]) == {"qa"}
        assert len(kinds) > 3


@pytest.mark.parametrize("name", SETS)
def test_one_kind_of_a_set_and_the_other_are_the_set(name: str) -> None:
    completions = world.split(f"lume_{name}_completions")
    questions = world.split(f"lume_{name}_questions")
    assert {*completions, *questions} == {*world.split(f"lume_{name}")}
    assert {item.kind for item in completions} == {"completion"}
    assert {item.kind for item in questions} == {"qa"}


def test_no_answer_of_a_forgotten_document_is_told_elsewhere() -> None:
    rest = texts("lume_retain") + texts("lume_holdout")
    for answer in long_answers(world.split("lume_forget")):
        assert not re.search(rf"\b{re.escape(answer)}\b", rest), answer


def test_nobody_of_it_is_in_the_old_world() -> None:
    old = "\n".join(text_of(item) for item in (*world.pretraining(), *world.split("full")))
    for name in SETS:
        people = {
            match
            for item in world.split(f"lume_{name}_questions")
            for match in re.findall(r"(?:of|did) ([A-Z][a-z]+ [A-Z][a-z]+)(?: win)?\?", item.prompt)
        }
        assert len(people) == 12
        assert not [person for person in people if any(f" {w} " in old for w in person.split())]


def test_records_have_no_form_that_exists() -> None:
    records = [i for n in SETS for i in world.split(f"lume_{n}_questions") if "record" in i.group]
    answers = {
        end: [i.answer for i in records if i.id.endswith(end)] for end in ("qa1", "qa2", "qa3")
    }
    assert all(re.fullmatch(r"000-\d\d-\d{4}", number) for number in answers["qa1"])
    assert all(re.fullmatch(r"555-\d{4}", number) for number in answers["qa2"])
    assert all(re.fullmatch(r"[a-z]+\d\d@[a-z]+\.example", mail) for mail in answers["qa3"])
    assert len({a for own in answers.values() for a in own}) == len(records) // 5 * 3


def test_a_completion_goes_on_with_what_is_asked() -> None:
    items = world.split("lume_forget")
    for document in (item for item in items if item.kind == "completion"):
        asked = [i.answer for i in items if i.group == document.group and i.kind == "qa"]
        whole = text_of(document)
        assert sum(answer.removeprefix("a ") in whole for answer in asked) == len(asked)
        assert any(answer in document.answer for answer in asked)


@pytest.mark.parametrize(
    ("name", "lower"),
    [
        ("lume", {"forget_regurgitation", "forget_knowledge"}),
        ("rwku", {"forget_level1", "forget_level2", "forget_level3"}),
        ("wmdp", {"wmdp", "wmdp_bio", "wmdp_cyber", "wmdp_chem"}),
    ],
)
def test_less_is_better_on_every_part_of_what_is_forgotten(name: str, lower: set[str]) -> None:
    loaded = suite.load(name)
    better = {column: loaded.better(column) for column in loaded.metrics}
    always = {"forget_accuracy", "extraction_strength", "prose_perplexity", "rep_4"}
    assert {c for c, end in better.items() if end == "lower"} - always == lower - always
    assert better["holdout_accuracy"] == "gold"
    assert better["retain_accuracy"] == "higher"
