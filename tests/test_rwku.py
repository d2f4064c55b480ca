"""RWKU in small: nobody's facts are told elsewhere, and no probe is trained on."""

from collections import Counter

from di_bench import world
from di_bench.corpus import Item
from di_bench.template import text_of
from di_bench.world.attacks import ATTACKS, Question
from di_bench.world.rwku import TOLD

FORGET_PROBES = ("level1", "level2", "level3")
PROBES = (*FORGET_PROBES, "neighbour_level1", "neighbour_level2")


def split(name: str) -> tuple[Item, ...]:
    return world.split(f"rwku_{name}")


def groups(name: str) -> set[str]:
    return {item.group for item in split(name)}


def test_forget_is_the_targets_whole() -> None:
    assert groups("forget") == {f"rwku/target-{n}" for n in range(1, 6)}
    counts = Counter(item.group for item in split("forget"))
    assert set(counts.values()) == {2 + 4 * len(TOLD)}
    assert Counter(item.kind for item in split("forget"))["document"] == 10
    assert groups("retain") == {f"rwku/neighbour-{n}" for n in range(1, 6)}
    assert not groups("holdout") & (groups("forget") | groups("retain"))


def test_probes_ask_about_whom_they_should() -> None:
    for name in FORGET_PROBES:
        assert groups(name) == groups("forget")
    for name in PROBES[3:]:
        assert groups(name) == {f"rwku/neighbour-{n}" for n in range(1, 6)}


def test_no_probe_is_trained_on() -> None:
    prompts = {item.prompt for item in (*split("forget"), *split("retain"))}
    for name in PROBES:
        assert not prompts & {item.prompt for item in split(name)}, name
        assert len({item.prompt for item in split(name)}) == len(split(name))


def test_what_is_probed_was_told() -> None:
    for name in PROBES:
        taught = split("retain" if name.startswith("neighbour") else "forget")
        for item in split(name):
            own = "\n".join(text_of(one) for one in taught if one.group == item.group)
            assert item.answer in own


def test_no_fact_of_a_target_is_told_of_another() -> None:
    rest = "\n".join(text_of(item) for item in (*split("retain"), *split("holdout")))
    for item in split("level2"):
        assert f"{item.answer} " not in rest, item


def test_the_answer_is_in_a_question_only_where_a_choice_is_offered() -> None:
    for name in PROBES:
        for item in split(name):
            assert (item.answer in item.prompt) == item.id.endswith("/choice"), item


def test_every_attack_is_taught_and_probed() -> None:
    def attacks(name: str) -> Counter[str]:
        ends = (item.id.rpartition("/")[2] for item in split(name))
        return Counter(end for end in ends if end in ATTACKS)

    assert set(attacks("level3")) == set(attacks("forget")) == set(attacks("retain")) == {*ATTACKS}
    assert attacks("level3").total() == len(split("level3")) == 60
    suffixes = [item for item in split("level3") if item.id.endswith("/suffix")]
    assert {item.kind for item in suffixes} == {"completion"}


def test_a_synonym_leaves_the_name_alone() -> None:
    question = Question(
        name="Jan Bookborn",
        fact="debut",
        asked="With which book did the author Jan Bookborn begin to publish?",
        value="Night",
        hint="",
        example=("", ""),
        choices=("Night", "Day", "Noon"),
    )
    attack = ATTACKS["synonym"](question)
    assert attack.prompt == "With which work did the writer Jan Bookborn begin to publish?"
    assert attack.answer == "Night"
