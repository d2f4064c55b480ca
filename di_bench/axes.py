"""Axes of a suite: several forget sizes, or requests to forget that come one after another.

A suite has one of them or none. Each cell does one part of it, and the part is all that cells know
of the axis: which corpus they see, what a target and a gold learn of it, what must go now.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from di_bench.corpus import TRAINED, Corpus
from di_bench.errors import CorpusError, nearest
from di_bench.model import ModelSpec, Peft
from di_bench.ondisk import joined
from di_bench.source import CorpusSpec, Split
from di_bench.spec import PlaceError

Sizes = Mapping[str, Mapping[str, Split]]
"""The name of a forget size to the splits that stand in for the suite's own."""
MADE = ("forget", "request")
"""The splits of a step: all requests so far, and the newest. No file gives them."""


@dataclass(frozen=True)
class Part:
    """One forget size, one request in turn, or all that a suite without an axis does."""

    corpus: Corpus
    name: str = ""
    """As names of cells have it: `size=05`, `request=2`."""
    learnt: tuple[str, ...] = TRAINED
    """The splits that the target knows."""
    kept: tuple[str, ...] = ("retain",)
    """The splits that the gold knows."""
    due: str = "forget"
    """The split that a method is given as its `forget`."""
    before: "Part | None" = None
    """The part whose models a method goes on from; the target where there is none."""


def names(sizes: Collection[str], requests: Collection[str]) -> tuple[str, ...]:
    """What the parts of a suite are called, in their order."""
    steps = tuple(f"request={number}" for number in range(1, len(requests) + 1))
    return steps or tuple(f"size={size}" for size in sizes)


def titled(name: str, among: Sequence[str]) -> str:
    """A part as a board's title says it; nothing for a suite without an axis."""
    axis, _, value = name.partition("=")
    if axis == "request":
        return f"request {value} of {len(among)}" if name in among else f"request {value}"
    return f"forget size {value}" if axis else ""


def corpora(own: CorpusSpec, sizes: Sizes) -> dict[str, CorpusSpec]:
    """The corpus of each size by the name of its part; the suite's own if it has no sizes."""
    laid = {f"size={size}": {**own.splits, **splits} for size, splits in sizes.items()}
    return {name: own.model_copy(update={"splits": all_}) for name, all_ in laid.items()} or {
        "": own
    }


def parts(
    own: CorpusSpec, sizes: Sizes, requests: Sequence[str], commits: Mapping[str, str] | None
) -> list[Part]:
    """The parts of a suite, their corpora opened at these commits of hub data sets.

    None for the commits leaves every corpus empty: their data are not on this machine. Raises
    CorpusError for an item of two requests.
    """
    if commits is None:
        away = Corpus("", {})
        return [Part(away, name) for name in names(sizes, requests) or ("",)]
    opened = {name: spec.pinned(commits).open() for name, spec in corpora(own, sizes).items()}
    if requests:
        return _steps(opened[""], requests)
    return [Part(corpus, name) for name, corpus in opened.items()]


def _steps(corpus: Corpus, requests: Sequence[str]) -> list[Part]:
    """A part for each request. The target of all is one, and a gold knows the requests to come."""
    _check_apart(corpus, requests)
    found: list[Part] = []
    for number, (name, newest) in enumerate(zip(names((), requests), requests, strict=True), 1):
        forget = joined([corpus[split] for split in requests[:number]])
        splits = {**corpus.splits, "forget": forget, "request": corpus[newest]}
        seen = Corpus(corpus.name, splits, corpus.refusals, corpus.revisions)
        learnt, kept = (*requests, "retain"), (*requests[number:], "retain")
        found.append(Part(seen, name, learnt, kept, "request", found[-1] if found else None))
    return found


def _check_apart(corpus: Corpus, requests: Sequence[str]) -> None:
    """Refuse an item that is learnt for one request after it was forgotten by another."""
    known: dict[object, tuple[str, str]] = {}
    for split in requests:
        for item in corpus[split]:
            other, name = known.setdefault(item.content, (item.id, split))
            if name != split:
                raise CorpusError(
                    f"{corpus.name}: item {item.id!r} of {split} is {other!r} of {name}; "
                    "take it out of one of them"
                )


def check(corpus: CorpusSpec, sizes: Sizes, requests: Sequence[str]) -> None:
    """Raise PlaceError for axes that cannot be, and for a corpus without what must be learnt."""
    if sizes and requests:
        said = "a suite has forget_sizes or requests, not both; leave one of them out"
        raise PlaceError(("requests",), said)
    for i, split in enumerate(requests):
        _check_request(i, split, corpus, requests)
    for name in sizes:
        if not re.fullmatch(r"[\w.-]+", name):
            said = f"a size is part of file names; {name!r} has more than letters, digits and .-_"
            raise PlaceError(("forget_sizes", name), said)
    laid = [(("forget_sizes", name), {*corpus.splits, *own}) for name, own in sizes.items()]
    for place, splits in laid or [(("corpus", "splits"), {*corpus.splits})]:
        for split in TRAINED if not requests else ("retain",):
            if split not in splits:
                raise PlaceError((*place, split), "missing; add it")


def _check_request(i: int, split: str, corpus: CorpusSpec, requests: Sequence[str]) -> None:
    if split == "retain":
        raise PlaceError(("requests", i), "retain is what must stay; name a split to be forgotten")
    if split in requests[:i]:
        raise PlaceError(("requests", i), f"{split!r} is requested twice; list it once")
    if split not in corpus.splits:
        known = [name for name in corpus.splits if name != "retain"]
        raise PlaceError(("requests", i), f"unknown split {split!r}; {nearest(split, known)}")
    for made in MADE:
        if made in corpus.splits:
            said = "is made of the requests; take it out, or give it another name"
            raise PlaceError(("corpus", "splits", made), said)


def check_models(
    sizes: Sizes, requests: Sequence[str], models: Sequence[ModelSpec], peft: Peft | None
) -> None:
    """Raise PlaceError for models that cannot serve every part."""
    what = "request" if requests else "forget size" if sizes else ""
    for i, model in enumerate(models):
        if what and model.retain:
            said = f"one gold cannot serve every {what}; leave it out and golds are grown"
            raise PlaceError(("models", i, "retain"), said)
    if requests and peft and peft.kind == "qlora":
        said = "qlora: four bits cannot take an adapter in for the next request; take kind: lora"
        raise PlaceError(("peft", "kind"), said)


def askable(corpus: CorpusSpec, sizes: Sizes, requests: Collection[str]) -> set[str]:
    """The splits that every part has, so that probes may name them."""
    splits = [{*spec.splits} for spec in corpora(corpus, sizes).values()]
    return set.intersection(*splits) | ({*MADE} if requests else set())
