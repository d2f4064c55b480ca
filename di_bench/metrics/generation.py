"""What the model writes: how much of the truth is in it, and whether it is text at all.

Words are split at white space. The answers are hostile text and are only ever counted here.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from di_bench.metrics.items import average, mean, per_item
from di_bench.metrics.metric import GapError, Score
from di_bench.transcript import Row, Rows

SEEN_BY_ROUGE = re.compile("[a-z0-9]")
MUSE_STOPS = ("\n\n", "\nQuestion", "Question:")
"""Where MUSE cuts the answer to a question that follows examples."""


def rouge(rows: Rows) -> Score:
    """ROUGE-L recall: the longest common subsequence of stemmed words, over the truth's words.

    Source: Lin 2004; the rouge-score package with its stemmer, as TOFU and open-unlearning use it.
    Range: 0 to 1. Better: lower on what must be forgotten, higher elsewhere. An empty answer is 0.
    Good or bad: on TOFU forget10 .82 before unlearning; a gold model gets .38 for form alone.
    Lies: rambling raises it; compare `f1` and `words`, the mean length of the answers, beside it.
    Only a-z and 0-9 are words to it: a truth without them is left out.
    """
    grades = _rouge_l(rows, stemmed=True)
    recalls = [None if grade is None else float(grade.recall) for grade in grades]
    score = _rouge(rows, recalls)
    items, _ = per_item(zip(rows, _f1s(grades), strict=True))
    f1 = mean([item.value for item in items])
    return Score(score.value, score.items, {"f1": f1, **score.parts})


def rouge_f1(rows: Rows) -> Score:
    """ROUGE-L F1 of stemmed words: the harmonic mean of recall and precision, over items.

    Source: Lin 2004; the rouge-score package with its stemmer.
    Range: 0 to 1. Better: lower on what must be forgotten, higher elsewhere. An empty answer is 0.
    Good or bad: beside a gold model's, which guesses form and stock words.
    Lies: the order of words counts and their weight does not: "not" costs as much as a name.
    Only a-z and 0-9 are words to it: a truth without them is left out. `words` is the mean length.
    """
    return _rouge(rows, _f1s(_rouge_l(rows, stemmed=True)))


def verbmem(rows: Rows) -> Score:
    """VerbMem: ROUGE-L F1, words as they are, of what is written on from a passage, over items.

    Source: MUSE (Shi et al. 2024, arXiv 2407.06460): 128 new tokens, greedy, and the true rest cut
    at 128 tokens too: the probe needs `new_tokens: 128, truth_tokens: 128`.
    Range: 0 to 1. Better: lower on what must be forgotten, higher elsewhere. An empty answer is 0.
    Good or bad: on MUSE News a 7B model has .58 before unlearning, retrained .21.
    Lies: a paraphrase leaks and scores low; open-unlearning stems the words, which scores higher.
    Only a-z and 0-9 are words to it: a truth without them is left out. `words` is the mean length.
    """
    return _rouge(rows, _f1s(_rouge_l(rows, stemmed=False)))


def knowmem(rows: Rows) -> Score:
    """KnowMem: ROUGE-L F1, words as they are, of answers to questions, over items.

    The answer ends at its first blank line, `Question:` or line that begins with `Question`.

    Source: MUSE (Shi et al. 2024, arXiv 2407.06460): 32 new tokens, greedy, after examples.
    Range: 0 to 1. Better: lower on what must be forgotten, higher elsewhere. An empty answer is 0.
    Good or bad: on MUSE News a 7B model has .64 before unlearning, retrained .33.
    Lies: truths are a few words, so one right word is much; a true sentence around it lowers it.
    Only a-z and 0-9 are words to it: a truth without them is left out. `words` is the mean length.
    """
    answers = [_before(row.answer, MUSE_STOPS) for row in rows]
    return _rouge(rows, _f1s(_rouge_l(rows, stemmed=False, answers=answers)), answers)


def exact_match(rows: Rows) -> Score:
    """Share of answers that are the true one, letter for letter, but for case and space around it.

    Source: LUME and SemEval-2025 Task 4 (Ramakrishna et al. 2025, arXiv 2502.15097), on questions
    with short answers.
    Range: 0 to 1. Better: lower on what must be forgotten, higher elsewhere. An empty answer is 0.
    Good or bad: a gold model has about 0 where answers are names and numbers.
    Lies: one digit off, or a sentence around it, counts as not known; compare `rouge`.
    An empty truth is left out.
    """
    graded = ((row, _matches(row) if row.truth.strip() else None) for row in rows)
    return average(graded, "every true answer is empty")


def _matches(row: Row) -> float:
    return float(row.answer.strip().lower() == row.truth.strip().lower())


def _rouge_l(
    rows: Rows, *, stemmed: bool, answers: Sequence[str] | None = None
) -> list[Any]:  # the package's named tuples, or None
    from rouge_score.rouge_scorer import RougeScorer  # here, since it loads numpy and nltk

    scorer = RougeScorer(["rougeL"], use_stemmer=stemmed)
    said = [row.answer for row in rows] if answers is None else answers
    return [
        scorer.score(row.truth, answer)["rougeL"]
        if SEEN_BY_ROUGE.search(row.truth.lower())
        else None
        for row, answer in zip(rows, said, strict=True)
    ]


def _f1s(grades: Sequence[Any]) -> list[float | None]:
    return [None if grade is None else float(grade.fmeasure) for grade in grades]


def _rouge(
    rows: Rows, values: Sequence[float | None], answers: Sequence[str] | None = None
) -> Score:
    """The mean over items, and beside it how long the answers are."""
    score = average(zip(rows, values, strict=True), "no true answer has a word of a-z or 0-9")
    said = [row.answer for row in rows] if answers is None else answers
    words = mean([len(answer.split()) for answer in said])
    return Score(score.value, score.items, {"words": words, **score.parts})


def _before(text: str, stops: Sequence[str]) -> str:
    for stop in stops:
        text = text.partition(stop)[0]
    return text


def ngrams(units: Sequence[Hashable], n: int) -> list[tuple[Hashable, ...]]:
    """Every run of n neighbours, in order."""
    return [tuple(units[at : at + n]) for at in range(len(units) - n + 1)]


def repeated(units: Sequence[Hashable], n: int) -> float | None:
    """1 - |unique n-grams| / |n-grams|; None where there are fewer than n units."""
    found = ngrams(units, n)
    return 1 - len(set(found)) / len(found) if found else None


def varied(units: Sequence[Hashable]) -> float:
    """The product over n = 2, 3, 4 of 1 - Rep-n; an n without n-grams repeats nothing."""
    return math.prod(1 - (repeated(units, n) or 0.0) for n in (2, 3, 4))


def repetition(n: int) -> Callable[[Rows], Score]:
    """Rep-n for one n."""

    def rep(rows: Rows) -> Score:
        """Rep-n = 1 - |unique n-grams| / |n-grams| of words, per text, over items.

        Source: Welleck et al. 2020 (arXiv 1908.04319), seq-rep-n.
        Range: 0 to almost 1. Better: lower.
        Good or bad: human prose has about 0 at n = 4; a looping model goes past .5.
        Lies: it grows with length, so fix that; random words score a perfect 0.
        Texts of fewer than n words are left out: count them, they may be the collapse.
        """
        shares = [repeated(row.answer.split(), n) for row in rows]
        return average(zip(rows, shares, strict=True), f"no text has {n} words")

    return rep


def diversity(rows: Rows) -> Score:
    """Div = product over n = 2, 3, 4 of (1 - Rep-n) of words, per text, over items.

    Source: Su et al. 2022 (arXiv 2202.06417); Li et al. 2023 (arXiv 2210.15097) average texts.
    Range: above 0 to 1. Better: higher.
    Good or bad: human prose has .9 and more at 48 tokens; a looping model falls below .3.
    Lies: random words score a perfect 1, so read it beside the perplexity; it falls with length.
    Texts of fewer than 4 words are left out: count them, they may be the collapse.
    """
    values = []
    for row in rows:
        words = row.answer.split()
        values.append(varied(words) if len(words) >= 4 else None)
    return average(zip(rows, values, strict=True), "no text has 4 words")


def distinctness(n: int) -> Callable[[Rows], Score]:
    """Distinct-n for one n."""

    def distinct(rows: Rows) -> Score:
        """Distinct-n = |unique n-grams| / |n-grams| of words, pooled over all texts.

        Source: Li et al. 2016 (arXiv 1510.03055).
        Range: above 0 to 1. Better: higher.
        Good or bad: beside the same amount of human text; near 0 every text is the same.
        Lies: it falls as texts grow in number and length, so compare equal `n_grams` only.
        There are no items: it belongs to the whole set. One text's own is 1 - Rep-n.
        """
        if not rows:
            raise GapError("there are no rows to grade")
        grams = [gram for row in rows for gram in ngrams(row.answer.split(), n)]
        if not grams:
            raise GapError(f"no text has {n} {'word' if n == 1 else 'words'}")
        return Score(len(set(grams)) / len(grams), parts={"n_grams": float(len(grams))})

    return distinct


def token_entropy(rows: Rows) -> Score:
    """Entropy of the tokens of a text over its highest, log2 |tokens|, over items.

    H = -sum_v f_v log2 f_v / log2 |tokens|, f_v the share of token v in the text; one token or none
    gives 0.

    Source: Yuan et al. 2024 (arXiv 2410.08109), on the model's own tokens.
    Range: 0 (one token, over and over, or nothing) to 1 (no token twice). Better: higher.
    Good or bad: beside the model before unlearning; WikiText has .96 at 16 tokens of GPT-2, .92 at
    48 and .85 at 200.
    Lies: random tokens score 1, and so does any short answer; it falls with length.
    Version 1 counts the end token, where there is one; Yuan et al. read text and have none.
    """
    return average(((row, _entropy(row)) for row in rows), "there are no rows to grade")


def _entropy(row: Row) -> float:
    tokens = len(row.answer_ids)
    if tokens < 2:
        return 0.0
    shares = [count / tokens for count in Counter(row.answer_ids).values()]
    if len(shares) == 1:
        return 0.0
    return min(1.0, -math.fsum(p * math.log2(p) for p in shares) / math.log2(tokens))


def variety(n: int) -> Callable[[Rows], Score]:
    """Div-n as the code of the deliberate imagination paper computes it."""

    def div(rows: Rows) -> Score:
        """Div-n: the distinct n-grams of words over the number of words, per text, over items.

        Source: the code of Dong et al. 2024 (arXiv 2402.10052); not the product of 1 - Rep-n that
        others call Div.
        Range: above 0 to 1. Better: higher.
        Good or bad: (w - n + 1)/w for a text of w words that repeats nothing.
        Lies: it rises with the length of a text; random words are as various as good prose.
        Texts of fewer than n words are left out, as there.
        """
        texts = [row.answer.split() for row in rows]
        shares = [len(set(ngrams(t, n))) / len(t) if len(t) >= n else None for t in texts]
        return average(zip(rows, shares, strict=True), f"no text has {n} words")

    return div
