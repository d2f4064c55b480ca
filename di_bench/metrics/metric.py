"""What a metric is: a pure function from transcripts to a score, with a direction and a version.

No model, no tokenizer, no files. A metric may read several probes; the suite says which. The
formula version stands in the score's key, so a changed formula grades old transcripts again.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from di_bench.transcript import Rows

Direction = Literal["lower", "higher", "memory", "gold"]
"""`memory` is lower on what must be forgotten and higher elsewhere; `gold`: nearer the gold row."""
Need = Literal["gold", "golds", "gold and start"]
"""`gold`: the gold of its own grow seed (for a gold, those of the others); `golds`: those of all
grow seeds, its own first; `start`: the model as it was before unlearning."""
Ask = Literal["read", "write", "tasks", "judge", "gradient"]
Group = Literal["forgetting", "privacy", "utility", "generation"]
"""What a column tells of. Cost, a board's fifth group, is measured and has no formula."""
GROUPS: Mapping[Group, tuple[str, ...]] = {
    "forgetting": (
        "probability", "exact_memorization", "extraction_strength", "el_3", "el_5", "el_10",
        "extractable", "discoverable", "rouge", "rouge_f1", "exact_match", "verbmem", "knowmem",
        "similarity", "truth_ratio", "forget_quality", "gold_distance", "wmdp",
    ),
    "privacy": (
        "mia_loss", "mia_zlib", "mia_min_k", "mia_min_k_plus_plus", "mia_reference", "mia_gradnorm",
        "privleak", "s_mia",
    ),
    "utility": ("model_utility", "perplexity", "nlu"),
    "generation": (
        "rep_2", "rep_3", "rep_4", "diversity", "div_2", "div_3", "distinct_1", "distinct_2",
        "distinct_3", "token_entropy", "mauve", "coherence", "oracle_perplexity", "fluency",
    ),
}  # fmt: skip
"""Each metric in one group. `Suite.group` moves one of forgetting that reads other items: it is
utility on what must stay, and privacy on what nobody trained on."""


class GapError(Exception):
    """A formula has no number for these rows; the message says why. Never leaves `Metric`."""


@dataclass(frozen=True)
class ItemScore:
    """The value of a metric for one item."""

    item: str
    group: str
    value: float


@dataclass(frozen=True)
class Score:
    """One number, what it was made from, or why there is none."""

    value: float | None
    items: tuple[ItemScore, ...] = ()
    parts: Mapping[str, float] = field(default_factory=dict)
    """Named companions: the KS distance beside its p-value, F1 beside recall."""
    gap: str = ""
    """Why `value` is None."""


@dataclass(frozen=True)
class Metric:
    """A named formula."""

    name: str
    version: str
    better: Direction
    asks: tuple[Ask, ...]
    """The kind of each probe it reads, in order."""
    compute: Callable[..., Score]
    """Called with one `Rows` per probe, and `golds=`, `start=` if it needs them; may raise
    `GapError`."""
    needs: Need | None = None
    """The other models it compares with: `golds` holds, for each of them, one `Rows` per probe;
    `start` is one `Rows` per probe."""
    averages: bool = True
    """The value is the plain mean of `Score.items`, so an interval may be made from them."""
    keeps: Literal["features", "likelihood", "prompts"] | None = None
    """What the judges it reads must keep."""
    many: bool = False
    """It reads one or more probes of its kind, as if they were one."""

    @property
    def group(self) -> Group:
        """What it tells of, where it reads the forget set."""
        return next(group for group, names in GROUPS.items() if self.name in names)

    @property
    def formula(self) -> str:
        """`name@version`, as records have it."""
        return f"{self.name}@{self.version}"

    def __call__(
        self,
        probes: Sequence[Rows],
        golds: Sequence[Sequence[Rows]] = (),
        start: Sequence[Rows] = (),
    ) -> Score:
        """Grade the rows. Whatever keeps a formula from a finite number gives a gap instead."""
        others: dict[str, object] = {"golds": golds} if self.needs else {}
        if self.needs and not golds:
            return Score(None, gap="no gold model to compare with")
        if self.needs == "gold and start":
            others["start"] = start
            if not start:
                return Score(None, gap="no model as it was (none) to compare with")
        try:
            score = self.compute(*probes, **others)
        except GapError as gap:
            return Score(None, gap=str(gap))
        if score.value is None or math.isfinite(score.value):
            return score
        return Score(None, gap=f"{self.name} is not finite ({score.value})")
