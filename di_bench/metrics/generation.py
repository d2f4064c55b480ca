"""What the model writes: how much of the truth is in it, and whether it is text at all.

Words are split at white space. The answers are hostile text and are only ever counted here.
"""

import re
from collections.abc import Callable

from di_bench.metrics.items import average, mean, per_item
from di_bench.metrics.metric import GapError, Score
from di_bench.transcript import Rows

SEEN_BY_ROUGE = re.compile("[a-z0-9]")


def rouge(rows: Rows) -> Score:
    """ROUGE-L recall: the longest common subsequence of stemmed words, over the truth's words.

    Source: Lin 2004; the rouge-score package with its stemmer, as TOFU and open-unlearning use it.
    Range: 0 to 1. Better: lower on what must be forgotten, higher elsewhere. An empty answer is 0.
    Good or bad: on TOFU forget10 .82 before unlearning; a gold model gets .38 for form alone.
    Lies: rambling raises it; compare `f1` and `words`, the mean length of the answers, beside it.
    Only a-z and 0-9 are words to it: a truth without them is left out.
    """
    from rouge_score.rouge_scorer import RougeScorer  # here, since it loads numpy and nltk

    scorer = RougeScorer(["rougeL"], use_stemmer=True)
    grades = [
        scorer.score(row.truth, row.answer)["rougeL"]
        if SEEN_BY_ROUGE.search(row.truth.lower())
        else None
        for row in rows
    ]
    recalls = [None if grade is None else float(grade.recall) for grade in grades]
    f1s = [None if grade is None else float(grade.fmeasure) for grade in grades]
    score = average(zip(rows, recalls, strict=True), "no true answer has a word of a-z or 0-9")
    items, _ = per_item(zip(rows, f1s, strict=True))
    words = mean([len(row.answer.split()) for row in rows])
    f1 = mean([item.value for item in items])
    return Score(score.value, score.items, {"f1": f1, "words": words, **score.parts})


def _ngrams(text: str, n: int) -> list[tuple[str, ...]]:
    words = text.split()
    return [tuple(words[at : at + n]) for at in range(len(words) - n + 1)]


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
        grams = [_ngrams(row.answer, n) for row in rows]
        shares = [1 - len(set(found)) / len(found) if found else None for found in grams]
        return average(zip(rows, shares, strict=True), f"no text has {n} words")

    return rep


def distinctness(n: int) -> Callable[[Rows], Score]:
    """Distinct-n for one n."""

    def distinct(rows: Rows) -> Score:
        """Distinct-n = |unique n-grams| / |n-grams| of words, pooled over all texts.

        Source: Li et al. 2016 (arXiv 1510.03055).
        Range: above 0 to 1. Better: higher.
        Good or bad: beside the same amount of human text; near 0 every text is the same.
        Lies: it falls as texts grow in number and length, so compare equal `n_grams` only.
        There are no items: it belongs to the whole set.
        """
        if not rows:
            raise GapError("there are no rows to grade")
        grams = [gram for row in rows for gram in _ngrams(row.answer, n)]
        if not grams:
            raise GapError(f"no text has {n} words")
        return Score(len(set(grams)) / len(grams), parts={"n_grams": float(len(grams))})

    return distinct
