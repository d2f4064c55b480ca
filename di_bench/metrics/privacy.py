"""How far a model's membership leak is from a gold model's: PrivLeak and s_MIA, both of Min-K."""

from collections.abc import Sequence

from di_bench.metrics.attacks import Attack, but_the_last, min_k
from di_bench.metrics.items import mean
from di_bench.metrics.membership import tell
from di_bench.metrics.metric import GapError, Score
from di_bench.transcript import Rows


def privleak(forget: Rows, holdout: Rows, *, golds: Sequence[Sequence[Rows]]) -> Score:
    """100 (A - A_gold) / A_gold, A = 1 - AUC of Min-K: how far from a gold, in per cent.

    Source: MUSE (Shi et al. 2024, arXiv 2407.06460), where forget texts stand for the non-members.
    Parts: `auc` and `auc_gold`, of `mia_min_k`. Several golds: the mean of their A.
    Range: -100 to 100 (1 - A_gold) / A_gold, so the two sides weigh unlike. Better: near 0.
    Good or bad: before unlearning MUSE's 7B models have -99.8 on News and -57 on Books.
    Lies: it grows without bound as A_gold nears 0, where there is no number at all; `s_mia` does
    not. No gold's value is ever assumed.
    """
    return _privleak(forget, holdout, golds, min_k, 0.0)


def privleak_short(forget: Rows, holdout: Rows, *, golds: Sequence[Sequence[Rows]]) -> Score:
    """As MUSE's, without the last token of each answer and with 1e-10 added below.

    Source: open-unlearning (Dorna et al. 2025, arXiv 2506.12618).
    Range: -100 to 100 (1 - A_gold) / A_gold. Better: near 0.
    Good or bad: on TOFU forget10 a 1B model has -99.5 before unlearning.
    Lies: as MUSE's; where A_gold is 0 it would print a number of twelve digits, and is a gap here.
    """
    return _privleak(forget, holdout, golds, but_the_last(min_k), 1e-10)


def _privleak(
    forget: Rows, holdout: Rows, golds: Sequence[Sequence[Rows]], attack: Attack, ease: float
) -> Score:
    own = 1 - tell(forget, holdout, attack).auc
    gold = 1 - _gold_auc(golds, attack)
    if gold <= 0:
        raise GapError("the gold model's AUC is 1: there is nothing to divide by; read s_mia")
    parts = {"auc": 1 - own, "auc_gold": 1 - gold}
    return Score(100 * (own - gold) / (gold + ease), parts=parts)


def _gold_auc(golds: Sequence[Sequence[Rows]], attack: Attack) -> float:
    return mean([tell(forget, holdout, attack).auc for forget, holdout in golds])


def s_mia(
    forget: Rows, holdout: Rows, *, golds: Sequence[Sequence[Rows]], start: Sequence[Rows]
) -> Score:
    """1 - |AUC - AUC_gold| / |AUC_start - AUC_gold|, of Min-K, cut at 0: how near a gold's privacy.

    Source: open-unlearning (Dorna et al. 2025, arXiv 2506.12618). Parts: `auc`, `auc_gold`,
    `auc_start` (the model as it was). Several golds: the mean of their AUC.
    Range: 0 (as open as before, or further off on the other side) to 1 (as a gold). Better: higher.
    Good or bad: the row of the model as it was has 0 by definition.
    Lies: being cut at 0, it does not say how far off the far side is; read `auc`.
    No number where the model as it was is no easier to tell than a gold.
    """
    own, gold = tell(forget, holdout, min_k).auc, _gold_auc(golds, min_k)
    before = tell(start[0], start[1], min_k).auc
    if before <= gold:
        raise GapError("before unlearning its members were told no better than a gold's")
    parts = {"auc": own, "auc_gold": gold, "auc_start": before}
    return Score(max(0.0, 1 - abs(own - gold) / abs(before - gold)), parts=parts)
