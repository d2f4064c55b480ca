"""Does it show that a text was trained on? How well attacks tell members from others.

Here the forget set are the members and a holdout set, of the same kind and never trained on, the
others. What an attack says of one text is in `attacks.py`.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, variance

from di_bench.metrics.attacks import (
    Attack,
    but_the_last,
    loss,
    min_k,
    min_k_plus_plus,
    zlib_ratio,
)
from di_bench.metrics.items import mean, of_part
from di_bench.metrics.metric import GapError, ItemScore, Score
from di_bench.transcript import Row, Rows

ENOUGH = 100
"""Others from which on a false alarm in a hundred can be told."""


@dataclass(frozen=True)
class Told:
    """How well members are told from others."""

    members: tuple[ItemScore, ...]
    others: tuple[ItemScore, ...]
    left_out: int

    @property
    def auc(self) -> float:
        """The chance that a member's number is below another's, half of it where they tie."""
        return mean(self._placements()[0])

    def _placements(self) -> tuple[list[float], list[float]]:
        """For each member the share of others above it, for each other that of members below."""
        inside = sorted(item.value for item in self.members)
        outside = sorted(item.value for item in self.others)

        def above(value: float) -> float:
            reached = bisect_left(outside, value) + bisect_right(outside, value)
            return 1 - reached / 2 / len(outside)

        def below(value: float) -> float:
            return (bisect_left(inside, value) + bisect_right(inside, value)) / 2 / len(inside)

        return [above(value) for value in inside], [below(value) for value in outside]

    @property
    def interval(self) -> tuple[float, float]:
        """95 % of DeLong et al. 1988, cut at 0 and 1; two of each side are the least."""
        first, second = self._placements()
        spread = math.sqrt(variance(first) / len(first) + variance(second) / len(second))
        reach = NormalDist().inv_cdf(0.975) * spread
        return max(0.0, self.auc - reach), min(1.0, self.auc + reach)

    @property
    def found(self) -> float:
        """The share of members found with a false alarm in a hundred others at most."""
        bar = sorted(item.value for item in self.others)[len(self.others) // 100]
        return mean([float(item.value < bar) for item in self.members])

    def score(self) -> Score:
        """The AUC with its companions; the items are every text's number, members first."""
        parts = {"n_members": float(len(self.members)), "n_others": float(len(self.others))}
        if min(len(self.members), len(self.others)) > 1:
            parts["auc_low"], parts["auc_high"] = self.interval
        if len(self.others) >= ENOUGH:
            parts["tpr_at_1_fpr"] = self.found
        if self.left_out:
            parts["left_out"] = float(self.left_out)
        return Score(self.auc, (*self.members, *self.others), parts)


def tell(members: Rows, others: Rows, attack: Attack, on_others: Attack | None = None) -> Told:
    """An attack on both sides; a gap if one has no text to judge by.

    `on_others` is the attack on the others where it must know which side it is on.
    """
    inside = _judged("members", members, attack)
    outside = _judged("others", others, on_others or attack)
    answers = len(of_part(members, "answer")) + len(of_part(others, "answer"))
    return Told(inside, outside, answers - len(inside) - len(outside))


def _judged(side: str, rows: Rows, attack: Attack) -> tuple[ItemScore, ...]:
    found = []
    for row in of_part(rows, "answer"):
        value = attack(row)
        if value is not None and math.isnan(value):
            raise GapError(f"item {row.item!r} has a number that is not one")
        if value is not None:
            found.append(ItemScore(f"{side}/{row.item}", row.group, value))
    if not found:
        raise GapError(f"there are no {side} to tell apart: every answer is empty or does not fit")
    return tuple(found)


def mia_loss(forget: Rows, holdout: Rows) -> Score:
    """AUC of the LOSS attack: the mean negative log-probability of a text, lower for members.

    Source: Yeom et al. 2018 (arXiv 1709.01604). Parts: `auc_low` and `auc_high` (95 %, DeLong),
    `n_members`, `n_others`, and from 100 others on `tpr_at_1_fpr`.
    Range: 0 to 1; 1 where every forget text looks likelier than every holdout one. Better: near
    the gold model, which is about .5 where the two sets are alike.
    Good or bad: on TOFU forget10 a 1B model has 1.00 before unlearning, its gold model .39. Under
    the gold's the forget set stands out again, as over-unlearned.
    Lies: sets that differ in date or style are told apart with no membership at all, as that gold
    shows; the interval closes on 0 and 1 however few the texts.
    """
    return tell(forget, holdout, loss).score()


def mia_zlib(forget: Rows, holdout: Rows) -> Score:
    """AUC of the ZLib attack: the loss of a text over its length compressed.

    Source: Carlini et al. 2021 (arXiv 2012.07805). Parts and items as of `mia_loss`.
    Range: 0 to 1. Better: near the gold model.
    Good or bad: on TOFU forget10 a 1B model has 1.00 before unlearning, its gold model .31.
    Lies: zlib adds eight bytes to what it cannot shorten, so length decides among answers of a few
    words. The bytes are those of the whole text, even where a document was cut to be read.
    """
    return tell(forget, holdout, zlib_ratio).score()


def mia_min_k(forget: Rows, holdout: Rows) -> Score:
    """AUC of Min-K: the mean of the 40 % least likely tokens of a text.

    Source: Shi et al. 2024 (arXiv 2310.16789); 40 % as MUSE. Parts and items as of `mia_loss`.
    Range: 0 to 1. Better: near the gold model.
    Good or bad: on TOFU a 1B model has 1.00 before unlearning and its gold models .36 to .47, as
    open-unlearning counts; MUSE's 7B gold models have .46 (Books) and .52 (News).
    Lies: as `mia_loss`; end tokens count, and are seldom among the least likely.
    """
    return tell(forget, holdout, min_k).score()


def mia_min_k_short(forget: Rows, holdout: Rows) -> Score:
    """As version 1, without the last token of each answer.

    Source: open-unlearning (Dorna et al. 2025, arXiv 2506.12618).
    Range: 0 to 1. Better: near the gold model.
    Good or bad: as version 1.
    Lies: as version 1; where texts end in no end token it leaves out a real one.
    """
    return tell(forget, holdout, but_the_last(min_k)).score()


def mia_min_k_plus_plus(forget: Rows, holdout: Rows) -> Score:
    """AUC of Min-K++: Min-K on (log p - mean) / sd of the log-probability under the prediction.

    Source: Zhang et al. 2024 (arXiv 2404.02936). Parts and items as of `mia_loss`.
    Range: 0 to 1. Better: near the gold model.
    Good or bad: on TOFU a 1B model has 1.00 before unlearning and its gold models .47 to .52, as
    open-unlearning counts.
    Lies: a prediction without doubt has no variance, so small errors there weigh a thousandfold.
    """
    return tell(forget, holdout, min_k_plus_plus).score()


def mia_min_k_plus_plus_short(forget: Rows, holdout: Rows) -> Score:
    """As version 1, without the last token of each answer.

    Source: open-unlearning (Dorna et al. 2025, arXiv 2506.12618).
    Range: 0 to 1. Better: near the gold model.
    Good or bad: as version 1.
    Lies: as version 1.
    """
    return tell(forget, holdout, but_the_last(min_k_plus_plus)).score()


def mia_reference(forget: Rows, holdout: Rows, *, golds: Sequence[Sequence[Rows]]) -> Score:
    """AUC of the Reference attack: the loss of a text less its loss under a gold model.

    Source: Carlini et al. 2021 (arXiv 2012.07805). Several golds: the mean of their losses. Parts
    and items as of `mia_loss`.
    Range: 0 to 1. Better: near .5; the gold itself is held against golds of other seeds.
    Good or bad: on TOFU .99 to 1 before unlearning, since little but the membership differs.
    Lies: it needs the gold, which no attacker has; it bounds what the others may find.
    """
    inside, outside = (_less([gold[at] for gold in golds]) for at in range(2))
    return tell(forget, holdout, inside, outside).score()


def _less(golds: Sequence[Rows]) -> Attack:
    """The loss of a text less what it is under the golds."""
    known = [{row.item: loss(row) for row in of_part(rows, "answer")} for rows in golds]

    def attack(row: Row) -> float | None:
        own = loss(row)
        theirs = [value for losses in known if (value := losses.get(row.item)) is not None]
        return None if own is None or not theirs else own - mean(theirs)

    return attack


def mia_gradnorm(forget: Rows, holdout: Rows) -> Score:
    """AUC of GradNorm: how hard a text pulls at the weights, less for members.

    The mean over weight tensors of the L2 norm of the gradient of the text's mean loss.
    Source: Wang et al. 2024, as in open-unlearning (arXiv 2506.12618), which leaves out the last
    token (`last: false` of the probe). Parts and items as of `mia_loss`.
    Range: 0 to 1. Better: near the gold model.
    Good or bad: on TOFU a 1B model has 1.00 before unlearning, its gold models .32 to .55.
    Lies: adapters and sharing of weights change which tensors there are, and so the mean.
    """
    return tell(forget, holdout, lambda row: row.value).score()
