"""The built-in world: authors, knowledge, stories and tasks, made from a seed without any file.

The one thing to know: a seed gives the same world everywhere, and a change of any sentence is a
change of `VERSION`, because boards name it.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from pathlib import Path

from di_bench.corpus import Item
from di_bench.errors import CorpusError, nearest
from di_bench.world import (
    authors,
    books,
    knowledge,
    lume,
    news,
    nlu,
    prose,
    refusing,
    rwku,
    secrets,
    wmdp,
)
from di_bench.world.authors import AUTHOR_SPLITS
from di_bench.world.nlu import Task
from di_bench.world.readers import ROLES

__all__ = [
    "AUTHOR_SPLITS",
    "VERSION",
    "Task",
    "pretraining",
    "refusals",
    "split",
    "splits",
    "tasks",
    "write_tasks",
]

VERSION = 1

_GENERAL: Mapping[str, Callable[[int], tuple[Item, ...]]] = {
    "real_authors": knowledge.real_authors,
    "world_facts": knowledge.world_facts,
    "prose": prose.held_out,
    "prose_train": prose.trained,
    **{f"lume_{name}": partial(lume.lume_split, name) for name in lume.SPLITS},
    **{f"wmdp_{name}": partial(wmdp.wmdp_split, name) for name in wmdp.SPLITS},
    **{f"rwku_{name}": partial(rwku.rwku_split, name) for name in rwku.SPLITS},
    **{name: partial(secrets.secret_split, name) for name in secrets.SECRET_SPLITS},
    **{f"news_{role}": partial(news.news, role) for role in ROLES},
    **{f"books_{role}": partial(books.books, role) for role in ROLES},
}


def splits() -> tuple[str, ...]:
    """Every name `split` knows."""
    return (*AUTHOR_SPLITS, *_GENERAL)


def split(name: str, seed: int = 0) -> tuple[Item, ...]:
    """The items of one split. CorpusError where there is none of this name."""
    if name in AUTHOR_SPLITS:
        return authors.author_split(name, seed)
    if name in _GENERAL:
        return _GENERAL[name](seed)
    raise CorpusError(f"the built-in world has no split {name!r}; {nearest(name, splits())}")


def refusals(seed: int = 0) -> tuple[str, ...]:
    """A hundred different ways of saying "I do not know"."""
    return refusing.refusals(seed)


def pretraining(seed: int = 0) -> tuple[Item, ...]:
    """What a base model learns from: stories, knowledge, people of no split, rows of the tasks.

    Documents have an empty prompt; nothing here is about an author or from a test.
    """
    return (
        *prose.trained(seed),
        *knowledge.lessons(seed),
        *authors.lessons(seed),
        *nlu.lessons(seed),
    )


@lru_cache(maxsize=4)
def tasks(seed: int = 0) -> tuple[Task, ...]:
    """The language tasks and the exams: YAML and test rows as lm-eval reads them."""
    return (*nlu.tasks(seed), *wmdp.exams(seed))


def write_tasks(folder: Path, seed: int = 0) -> None:
    """Writes `<name>.yaml` and `<name>.jsonl` of every task into `folder`, made where missing."""
    nlu.write(folder, tasks(seed))
