"""What two sets of texts have in common: against a comparison of every pair, and by hand."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from di_bench.overlap import (
    ALIKE,
    GRAM,
    LETTERS,
    SHORT,
    Held,
    letter_shingles,
    overlap,
    repeats,
    word_shingles,
    words,
)

ROOT = Path(__file__).parents[1]
LONG = (
    "the old harbour master kept a ledger of every boat that came in before the storm of that year"
)


def found(one: list[str], other: list[str]) -> tuple[int, list[tuple[float, int, int]]]:
    seen = overlap(Held(enumerate(one, 1)), enumerate(other, 1))
    return seen.same, [(pair.score, pair.held, pair.streamed) for pair in seen.worst]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("It\u2019s  20°,\n really—NOT!", ["it", "s", "20", "really", "not"]),
        ("ﬁne Ｃａｆé", ["fine", "café"]),  # a ligature, wide letters, a combining accent
        ("Cafe\u0301", ["café"]),
        ("STRASSE straße", ["strasse", "strasse"]),
        ("C++ or C# or C_", ["c", "+", "+", "or", "c", "#", "or", "c"]),
        ("東京は", ["東", "京", "は"]),
        ("?!", ["?!"]),
        (" \n", []),
    ],
)
def test_words_have_no_case_no_punctuation_and_one_spelling(text: str, said: list[str]) -> None:
    assert words(text) == said


def test_the_same_words_are_the_same_text() -> None:
    seen = overlap(Held([(1, "Another."), (2, "Who is it? Anna!")]), [(7, "who is it — ANNA")])
    assert seen.first is not None
    assert (seen.same, seen.first.held, seen.first.streamed) == (1, 2, 7)
    assert (seen.alike, seen.worst) == (0, ())
    assert found(["C"], ["C++"]) == (0, [])
    assert found(["1.5 m"], ["15 m"]) == (0, [])


def test_a_sentence_within_a_page_is_contained() -> None:
    page = f"Before it. {LONG}, and so on for a page that says much else besides, day after day."
    assert found([page], [LONG]) == found([LONG], [page]) == (0, [(1.0, 1, 1)])
    assert found([LONG], ["every boat that came in was another thing"]) == (0, [])


def test_scores_of_words_by_hand() -> None:
    said = LONG.split()  # 19 words, 15 shingles; a change of the last leaves 14 of them
    assert found([LONG], [" ".join([*said[:-1], "winter"])]) == (0, [(14 / 15, 1, 1)])
    middle = " ".join([*said[:9], "ship", *said[10:]])  # five are gone
    assert found([LONG], [middle]) == (0, [])


def test_scores_of_letters_by_hand() -> None:
    one, other = "Anna Bellingham was born in Oslo", "Anna Bellinghan was born in Oslo?"
    assert len(words(one)) < SHORT
    # 30 shingles each, 3 of them with the changed letter
    assert found([one], [other]) == (0, [(27 / 33, 1, 1)])
    assert found([one], ["Anna Bellingham died in Bergen"]) == (0, [])


def test_one_word_and_less_than_a_shingle() -> None:
    assert found(["Oslo"], ["oslo."]) == (1, [])
    assert found(["Oslo"], ["Oslo is where Anna Bell lives"]) == (0, [])
    assert found([""], ["  "]) == found([], [LONG]) == found([LONG], []) == (0, [])


def grams(units: Sequence[str], length: int) -> set[tuple[str, ...]]:
    return {tuple(units[k : k + length]) for k in range(len(units) - length + 1)}


def naive(one: list[str], other: list[str]) -> list[tuple[float, int, int]]:
    """Every pair compared, with sets of strings."""
    pairs = []
    for i, a in enumerate(one, 1):
        for j, b in enumerate(other, 1):
            scores = [0.0]
            x, y = words(a), words(b)
            if x == y:
                continue
            p, q = grams(x, GRAM), grams(y, GRAM)
            if p and q:
                scores.append(len(p & q) / min(len(p), len(q)))
            if max(len(x), len(y)) < SHORT:
                p, q = (grams(" ".join(w).ljust(LETTERS), LETTERS) for w in (x, y))
                scores.append(len(p & q) / len(p | q))
            if max(scores) >= ALIKE:
                pairs.append((max(scores), i, j))
    return pairs


@pytest.mark.parametrize("seed", range(8))
def test_it_finds_what_comparing_every_pair_finds(seed: int) -> None:
    random = Random(seed)
    bank = [[random.choice("abcdefgh") * 3 for _ in range(random.randint(1, 40))] for _ in range(6)]

    def text() -> str:
        said = list(random.choice(bank))
        start = random.randrange(len(said))
        said = said[start:] if random.random() < 0.5 else said
        if random.random() < 0.7:
            said[random.randrange(len(said))] = random.choice("xyz")
        return " ".join(said)

    one, other = [text() for _ in range(30)], [text() for _ in range(50)]
    # a streamed text that is the same as a held one is not compared further
    fresh = [t for t in other if words(t) not in [words(a) for a in one]]
    expected = naive(one, fresh)
    assert len(expected) > 5
    for a, b, swap in ((one, fresh, False), (fresh, one, True)):
        seen = overlap(Held(enumerate(a, 1)), enumerate(b, 1))
        assert seen.alike == len(expected)
        order = sorted(((s, j, i) if swap else (s, i, j) for s, i, j in expected), reverse=True)
        assert [p.score for p in seen.worst] == [score for score, _, _ in order[:5]]


def test_the_worst_come_first_and_are_few() -> None:
    other = [f"{LONG} {' '.join(f'x{i}{k}' for k in range(i))}" for i in range(1, 9)]
    seen = overlap(Held([(1, LONG)]), enumerate(other, 1))
    assert seen.alike == 8
    assert [(pair.score, pair.streamed) for pair in seen.worst] == [(1.0, n) for n in range(1, 6)]


def test_where_all_are_alike_it_stops_looking_and_still_finds_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("di_bench.overlap.ENOUGH", 4)
    one = [f"{LONG} {n}" for n in range(3)]
    seen = overlap(
        Held(enumerate(one, 1)), enumerate([*(f"{LONG} a{n}" for n in range(9)), one[1]])
    )
    assert (seen.alike, seen.same) == (6, 1)


def test_repeats_name_the_first() -> None:
    assert repeats(enumerate(["a b", "c", "A, b!", "", "a b", ""], 1)) == [(3, 1), (5, 1)]


def test_the_numbers_are_the_same_in_every_process() -> None:
    code = (
        "from di_bench.overlap import *; said = words('one two three four five six');"
        "print(word_shingles(said).tolist(), letter_shingles(said)[:2].tolist())"
    )
    shown = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": str(seed), "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in (1, 2)
    }
    said = words("one two three four five six")
    here = f"{word_shingles(said).tolist()} {letter_shingles(said)[:2].tolist()}\n"
    assert shown == {here}
    assert len(word_shingles(said)) == 2
