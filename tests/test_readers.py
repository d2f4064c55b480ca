"""Texts that tell facts: what is in which split, what is asked of them, and that it is told."""

import hashlib

import pytest

from di_bench import world
from di_bench.corpus import Item
from di_bench.world.readers import ROLES

KINDS = ("news", "books")
SIZES = {"news": (40, 80, 40, 2), "books": (32, 80, 32, 1)}
JOINING = {"and", "called", "in"}
"""What stands between the parts of a fact in a short answer."""
DIGESTS = {"news": "e871298bcd90", "books": "35aef3c618e7"}


def split(kind: str, role: str) -> tuple[Item, ...]:
    return world.split(f"{kind}_{role}")


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_splits_share_no_group_and_no_text(kind: str) -> None:
    sides = [split(kind, role) for role in ("forget", "retain", "holdout")]
    assert tuple(map(len, sides)) == SIZES[kind][:3]
    groups = [{item.group for item in side} for side in sides]
    assert not groups[0] & groups[1]
    assert not (groups[0] | groups[1]) & groups[2]
    texts = [item.answer for side in sides for item in side]
    assert len(set(texts)) == len(texts)
    assert not set(texts) & {item.answer for item in world.pretraining()}


def test_forget_is_its_four_folds(kind: str) -> None:
    folds = [split(kind, f"forget_{fold}") for fold in range(1, 5)]
    assert tuple(item for fold in folds for item in fold) == split(kind, "forget")
    assert len(set(map(len, folds))) == 1
    groups = [{item.group for item in fold} for fold in folds]
    assert sum(map(len, groups)) == len(set().union(*groups))


def test_documents_are_read_whole(kind: str) -> None:
    for role in ("forget", "retain", "holdout"):
        for item in split(kind, role):
            assert (item.kind, item.prompt) == ("document", "")
            assert 40 <= len(item.answer.split()) <= 90
            assert "{" not in item.answer


@pytest.mark.parametrize("side", ["forget", "retain"])
def test_every_answer_is_told_in_its_text_and_asked_for_by_a_name(kind: str, side: str) -> None:
    texts = {item.id: item.answer for item in split(kind, side)}
    asked = split(kind, f"{side}_qa")
    assert len(asked) == len(texts) * SIZES[kind][3]
    for item in asked:
        text = texts[item.id.rpartition("/")[0]]
        assert all(word in text for word in item.answer.split() if word not in JOINING), item
        assert item.kind == "qa"
        assert len(item.answer.split()) < len(text.split()) / 4


def test_what_is_forgotten_is_told_nowhere_else(kind: str) -> None:
    others = [*split(kind, "retain"), *split(kind, "holdout"), *world.pretraining()]
    told = "\n".join(f"{item.prompt} {item.answer}" for item in others)
    asked = split(kind, "forget_qa")
    assert not {item.prompt for item in asked if item.prompt in told}
    assert not {item.answer for item in asked if item.answer in told}


@pytest.mark.parametrize("side", ["forget", "retain"])
def test_halves_make_the_document(kind: str, side: str) -> None:
    for half, whole in zip(split(kind, f"{side}_verbatim"), split(kind, side), strict=True):
        assert (half.id, half.group, half.kind) == (whole.id, whole.group, "completion")
        assert f"{half.prompt} {half.answer}" == whole.answer
        assert abs(len(half.prompt.split(" ")) - len(half.answer.split(" "))) <= 1


def test_these_are_the_texts_of_version_one(kind: str) -> None:
    """A change of any of them is a new version of the world: results are about these."""
    items = [item for role in ROLES for item in split(kind, role)]
    said = repr([(item.id, item.prompt, item.answer) for item in items])
    assert hashlib.sha256(said.encode()).hexdigest()[:12] == DIGESTS[kind]
