"""What a model was asked and what it answered.

Getting a transcript takes a GPU and hours; grading one takes a laptop and seconds. Keeping the
two apart is why a new metric never costs a new run.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal

Part = Literal["answer", "paraphrase", "perturbed", "choice", "prompt"]


@dataclass(frozen=True)
class Row:
    """One question and one answer. A probe fills the fields it knows and leaves the rest empty.

    `read` rows (the true answer, teacher-forced) fill the four per-token fields, all of length L,
    the number of answer tokens, the end-of-turn token included. `write` rows fill `answer` and
    `answer_ids`. `tasks` rows fill `value`, and their `group` is the task; where lm-eval counts the
    set and not its rows (CoLA's `mcc`), `prompt` is the metric's name, and `truth` and `answer` are
    the right class and the chosen one. `gradient` rows fill `value`.

    Judged rows say by `part` and `index` whose text they are about: the first sample of the model
    has index 0, the human's text 1, the model's sample i from the second on i + 1; part `prompt` is
    what stood before them. They fill `features`; or, read for likelihood, `answer` (the text),
    `answer_ids` (its tokens for the judge) and `logprobs`, of the same length, or empty where text
    and prompt do not fit the judge's context.
    """

    item: str
    """The id of the item asked about."""
    group: str = ""
    """Its author, document or request: items of one group are not independent."""
    part: Part = "answer"
    """Which of the item's answers was read; `prompt` in judged rows alone."""
    index: int = 0
    """Which of several: the perturbation, the choice, the sample; whose text in judged rows."""
    start: int = 0
    """How many tokens of the true answer were revealed before the model wrote."""
    prompt: str = ""
    truth: str = ""
    answer: str = ""
    """What the model wrote (decoded, special tokens left out). Hostile text: escape it."""
    truth_ids: tuple[int, ...] = ()
    """Token ids of the true answer from `start` on, the end token included."""
    answer_ids: tuple[int, ...] = ()
    """Token ids of what the model wrote, up to and including its end token."""
    logprobs: tuple[float, ...] = ()
    """Natural log-probability of each true token; in judged rows, of each token of the text."""
    hits: tuple[bool, ...] = ()
    """Whether each true token was ranked first."""
    entropies: tuple[float, ...] = ()
    """Entropy of the prediction at each token, in nats: minus Min-K++'s mu."""
    variances: tuple[float, ...] = ()
    """Variance of the log-probability under the prediction itself (Min-K++'s sigma squared)."""
    features: tuple[float, ...] = ()
    """A judge's embedding of a text."""
    value: float | None = None
    """A score somebody else's code gave, such as lm-eval's accuracy on one row."""


Rows = Sequence[Row]


def write_rows(rows: Rows, folder: Path) -> None:
    """Keep a transcript as Parquet."""
    from pyarrow import parquet, table

    names = [field.name for field in fields(Row)]
    columns = {name: [getattr(row, name) for row in rows] for name in names}
    parquet.write_table(table(columns), folder / "rows.parquet", compression="zstd")


def read_rows(folder: Path) -> Rows:
    """A transcript from Parquet, as it was written."""
    from pyarrow import parquet

    table = parquet.read_table(folder / "rows.parquet").to_pylist()
    lists = [name for name, value in asdict(Row("")).items() if isinstance(value, tuple)]
    return [Row(**row | {name: tuple(row[name] or ()) for name in lists}) for row in table]


def kept_rows(folder: Path) -> Rows:
    """A transcript for reading alone: no rows where the cache has lost or damaged it."""
    from pyarrow import ArrowException

    try:
        return read_rows(folder)
    except (OSError, ArrowException):
        return ()
