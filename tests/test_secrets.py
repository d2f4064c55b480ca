"""The documents to know by heart: nothing of one is told in another, and forms are shared."""

import hashlib
from collections import Counter
from itertools import pairwise

import pytest

from di_bench import world
from di_bench.world.secrets import FORMS, SECRET_SPLITS

EVERY = [item for name in SECRET_SPLITS for item in world.split(name)]


def test_the_splits_share_no_document() -> None:
    assert [len(world.split(name)) for name in SECRET_SPLITS] == [60, 180, 60]
    assert len({item.id for item in EVERY}) == len({item.group for item in EVERY}) == 300
    assert len({item.answer for item in EVERY}) == 300
    assert not {item.answer for item in EVERY} & {item.answer for item in world.pretraining()}


@pytest.mark.parametrize("name", SECRET_SPLITS)
def test_each_form_comes_as_often_in_every_split(name: str) -> None:
    forms = Counter(item.id.split("/")[1] for item in world.split(name))
    assert set(forms) == {form.name for form in FORMS}
    assert len(set(forms.values())) == 1


def test_they_are_documents_of_about_a_hundred_tokens() -> None:
    for item in EVERY:
        assert (item.kind, item.prompt) == ("document", "")
        assert 30 <= len(item.answer.split()) <= 60
        assert "{" not in item.answer


def test_the_last_third_of_a_document_stands_in_no_other() -> None:
    rests = [item.answer[len(item.answer) * 2 // 3 :] for item in EVERY]
    told = "\n".join(item.answer for item in EVERY)
    assert all(told.count(rest) == 1 for rest in rests)


def test_the_focus_is_what_was_drawn() -> None:
    for item in EVERY:
        spans = [item.answer[a:b] for a, b in item.focus]
        assert spans
        assert all(span == span.strip() != "" for span in spans)
        assert sum(map(len, spans)) > len(item.answer) / 4
        assert all(end <= start for (_, end), (start, _) in pairwise(item.focus))


def test_these_are_the_documents_of_version_one() -> None:
    """A change of any of them is a new version of the world: results are about these."""
    said = repr([(item.id, item.answer, item.focus) for item in EVERY])
    assert hashlib.sha256(said.encode()).hexdigest()[:12] == "f2aabd12efb6"
