"""Texts that are in two splits: the same but for case and punctuation, or nearly the same.

A gold model that saw what must be forgotten measures nothing, so this is looked at before a suite
is written. One side is held as 64-bit numbers, the other streams by: give the smaller one first.
The numbers come from BLAKE2, so they are the same in every process; Python's own `hash` is not.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from heapq import heappush, heappushpop
from math import ceil

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.uint64]
Texts = Iterable[tuple[int, str]]
"""Row numbers and texts; blank texts are passed over."""

GRAM = 5
"""Words in a shingle."""
LETTERS = 3
"""Letters in a shingle of a short text: with five, one typing error would be too much."""
SHORT = 10
"""Texts of fewer words are also compared by their letters."""
ALIKE = 0.8
"""From here on two texts are near-duplicates."""
WORST = 5
"""Pairs that are named."""
ENOUGH = 100_000
"""From so many pairs on no more are looked for: where all texts are alike, all pairs are one."""
_FACTOR = np.uint64(0x9E3779B97F4A7C15)  # odd, so that multiplying by it loses nothing

_WORD = re.compile(
    "[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]"  # no spaces between these: each is a word
    "|[^\\W_\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]+"
    "|[#$%&+<=>@]"  # C, C++ and C# are three things
)


def words(text: str) -> list[str]:
    """The words of a text without case, punctuation and Unicode's several ways to write a letter.

    NFKC, then case folding. A text of nothing but other signs is one word.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _WORD.findall(folded) or folded.split()


@lru_cache(maxsize=2**18)
def _number(word: str) -> int:
    return int.from_bytes(blake2b(word.encode(errors="replace"), digest_size=8).digest(), "big")


def _content(said: Sequence[str]) -> bytes:
    """Sixteen bytes that two texts share when their words are the same."""
    return blake2b(" ".join(said).encode(errors="replace"), digest_size=16).digest()


def _grams(numbers: Numbers, length: int) -> Numbers:
    """(n,) to the sorted numbers of its different runs of a length."""
    count = len(numbers) - length + 1
    if count < 1:
        return np.empty(0, np.uint64)
    mixed = np.zeros(count, np.uint64)
    for at in range(length):
        mixed = mixed * _FACTOR + numbers[at : at + count]
    return np.unique(mixed)


def word_shingles(said: Sequence[str]) -> Numbers:
    """The runs of five words of a text, as sorted numbers."""
    return _grams(np.fromiter(map(_number, said), np.uint64, len(said)), GRAM)


def letter_shingles(said: Sequence[str]) -> Numbers:
    """The runs of three letters of a short text, as sorted numbers; of a longer one, none."""
    if len(said) >= SHORT:
        return np.empty(0, np.uint64)
    line = " ".join(said).ljust(LETTERS)
    letters = np.frombuffer(line.encode("utf-32-le", "replace"), np.uint32)
    return _grams(letters.astype(np.uint64), LETTERS)


def _least(size: int) -> int:
    """How many shingles of so many another text must have."""
    return ceil(ALIKE * size - 1e-9)


class _Postings:
    """Which rows have a shingle."""

    def __init__(self, rows: Sequence[Numbers]) -> None:
        owners = np.repeat(np.arange(len(rows), dtype=np.uint32), [len(row) for row in rows])
        shingles = np.concatenate([*rows, np.empty(0, np.uint64)])
        order = np.argsort(shingles, kind="stable")
        self.owners = owners[order]
        self.shingles, starts = np.unique(shingles[order], return_index=True)
        self.bounds = np.append(starts, len(shingles))

    def _places(self, shingles: Numbers) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Where each shingle stands, and whether it does."""
        places = np.searchsorted(self.shingles, shingles)
        known = places < len(self.shingles)
        known[known] = self.shingles[places[known]] == shingles[known]
        return places, known

    def counts(self, shingles: Numbers) -> NDArray[np.intp]:
        """How many rows have each of these."""
        places, known = self._places(shingles)
        counts = np.zeros(len(shingles), np.intp)
        counts[known] = self.bounds[places[known] + 1] - self.bounds[places[known]]
        return counts

    def rows(self, shingles: Numbers) -> set[int]:
        """The rows that have any of these."""
        places, known = self._places(shingles)
        spans = [self.owners[self.bounds[at] : self.bounds[at + 1]] for at in places[known]]
        return set(np.concatenate(spans).tolist()) if spans else set()


class _Side:
    """The shingles of one kind of all rows of a side, and who may be like a text.

    Exact: a pair that is alike shares one of the rarest shingles of its smaller text, as many as
    may be missing and one more (prefix filtering, Chaudhuri et al. 2006). So stock phrases, which
    many rows have, are not followed.
    """

    def __init__(self, rows: Sequence[Numbers]) -> None:
        self.rows = rows
        self._all = _Postings(rows)
        self._rarest = _Postings([self._rare(row) for row in rows])

    def _rare(self, shingles: Numbers) -> Numbers:
        """As many of the rarest as one of them at least is in every text that is alike."""
        counts = self._all.counts(shingles)
        if not counts.any():
            return shingles[:0]
        return shingles[np.argsort(counts)][: len(shingles) - _least(len(shingles)) + 1]

    def shared(self, shingles: Numbers) -> Iterator[tuple[int, int, int, int]]:
        """Rows that may be like a text of these shingles: how many are in both, there and here."""
        rare = self._rare(shingles)
        if not len(rare):  # none of them is known here
            return
        for row in sorted(self._all.rows(rare) | self._rarest.rows(shingles)):
            both = np.intersect1d(self.rows[row], shingles, assume_unique=True)
            yield row, len(both), len(self.rows[row]), len(shingles)


@dataclass(frozen=True, order=True)
class Pair:
    """Two rows that are alike. Rows count from 1."""

    score: float
    held: int
    """The row of the side that was held."""
    streamed: int


@dataclass(frozen=True)
class Overlap:
    """What two splits have in common."""

    same: int
    """Streamed rows that are a held row but for case, spaces and punctuation."""
    first: Pair | None
    """The first of them."""
    alike: int
    """Pairs that are near-duplicates and not the same; at least so many from `ENOUGH` on."""
    worst: tuple[Pair, ...]
    """The first few of those, the most alike first."""


class Held:
    """The side that is kept: as contents, and as shingles of words and of letters."""

    def __init__(self, texts: Texts) -> None:
        self._rows: list[int] = []
        self._contents: dict[bytes, int] = {}
        by_words, by_letters = [], []
        for number, text in texts:
            if not (said := words(text)):
                continue
            self._contents.setdefault(_content(said), number)
            self._rows.append(number)
            by_words.append(word_shingles(said))
            by_letters.append(letter_shingles(said))
        self._words, self._letters = _Side(by_words), _Side(by_letters)

    def same(self, said: Sequence[str]) -> int | None:
        """The first row of these words."""
        return self._contents.get(_content(said))

    def near(self, said: Sequence[str]) -> dict[int, float]:
        """Rows that are near-duplicates of a text, and how near.

        Of words: |A and B| / min(|A|, |B|) of their sets of five-word shingles, the larger of the
        two containments; so a sentence within a page counts. Of letters, where both are short:
        |A and B| / |A or B|, the resemblance. Source: Broder 1997, On the resemblance and
        containment of documents. 0 to 1; 1 is every shingle, not the same text.
        """
        scores: dict[int, float] = {}
        for row, both, own, other in self._words.shared(word_shingles(said)):
            scores[row] = both / min(own, other)
        for row, both, own, other in self._letters.shared(letter_shingles(said)):
            scores[row] = max(both / (own + other - both), scores.get(row, 0.0))
        return {self._rows[row]: score for row, score in scores.items() if score >= ALIKE}


def overlap(held: Held, texts: Texts) -> Overlap:
    """Compare every text with the side that is held. Needs no more memory for more texts."""
    same, alike = 0, 0
    first: Pair | None = None
    worst: list[tuple[float, int, int]] = []
    for number, text in texts:
        if not (said := words(text)):
            continue
        if (known := held.same(said)) is not None:
            same += 1
            first = first or Pair(1.0, known, number)
            continue
        if alike >= ENOUGH:
            continue
        for row, score in held.near(said).items():
            alike += 1
            entry = (score, -row, -number)
            (heappushpop if len(worst) == WORST else heappush)(worst, entry)
    pairs = (Pair(score, -row, -number) for score, row, number in sorted(worst, reverse=True))
    return Overlap(same, first, alike, tuple(pairs))


def repeats(texts: Texts) -> list[tuple[int, int]]:
    """Rows that are an earlier row but for case, spaces and punctuation, and that row."""
    seen: dict[bytes, int] = {}
    pairs = (
        (number, seen.setdefault(_content(said), number))
        for number, text in texts
        if (said := words(text))
    )
    return [(number, first) for number, first in pairs if number != first]
