"""What a suite asks a model, as data: the probes, and what of them stands in keys."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from di_bench.model import ModelSpec, parted
from di_bench.spec import Spec, Tree


class Read(Spec):
    """Feed the model the true answers and keep the probability it gives each token."""

    ask: Literal["read"]
    split: str
    limit: PositiveInt | None = None


class Write(Spec):
    """Feed the model a prompt and keep what it writes next."""

    ask: Literal["write"]
    split: str
    limit: PositiveInt | None = None
    new_tokens: PositiveInt = 200
    prompt_tokens: NonNegativeInt = 0
    """Also reveal this many tokens of the answer (a document has nothing else to start from)."""
    stride: PositiveInt | None = None
    """Write from every `stride`-th token of the answer on: extraction likelihood."""
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    """Nucleus sampling at temperature 1 when set, greedy when not."""
    samples: PositiveInt = 1
    """How many answers to sample from each prompt, each pass over the prompts from its own seed."""
    truth_tokens: PositiveInt | None = None
    """Compare with no more than so many tokens of the true rest, as MUSE's VerbMem does."""


class Tasks(Spec):
    """Run lm-eval tasks and keep the accuracy of every row."""

    ask: Literal["tasks"]
    tasks: tuple[str, ...] = Field(min_length=1)
    path: Path | None = None
    """A folder with task YAML files. Without it, built-in (`di_...`) or lm-eval's own names."""
    limit: PositiveInt | None = None
    """Of each task."""


class Judge(Spec):
    """Let a second model read what another probe wrote, and keep what it makes of it."""

    ask: Literal["judge"]
    of: str
    """A `write` probe."""
    keeps: Literal["features", "likelihood"] = "features"
    """An embedding of each text, or the probability of each of its tokens after the prompt."""
    prompts: bool = False
    """Also keep the features of the prompts."""
    model: str | None = None
    """Who reads: a hub id (`id@revision`) or a folder, from where one stands. The base if None."""

    @property
    def kept(self) -> tuple[str, ...]:
        """What metrics find in its rows."""
        return (self.keeps, "prompts") if self.prompts else (self.keeps,)

    @property
    def reader(self) -> ModelSpec | None:
        """Who reads, where it is not the base model."""
        if self.model is None:
            return None
        name, revision = parted(self.model)
        return ModelSpec(id=name, revision=revision)


class Gradient(Spec):
    """Take the gradient of each true answer's loss and keep its norm."""

    ask: Literal["gradient"]
    split: str
    limit: PositiveInt | None = None
    last: bool = True
    """Whether the last token of an answer, its end token, counts."""


OfItems = Read | Write | Gradient
"""Probes that ask about the items of a split."""
_LATER = ("samples", "truth_tokens", "keeps", "prompts")
"""Fields that came after the first records."""


def told(probe: Read | Write | Tasks | Judge | Gradient) -> Tree:
    """What keys hold of a probe: no path, and later fields only where they are used.

    So a new field of probes does not stale what was asked without it. A judge's model may be a
    path: `Run` holds it by content.
    """
    said = probe.model_dump(mode="json", exclude={"path", "model"})
    fields = type(probe).model_fields
    return {k: v for k, v in said.items() if k not in _LATER or v != fields[k].default}


class Nlu(Spec):
    """Where lm-eval's own tasks have their rows from."""

    path: Path | None = None
    """A folder with the files that `nlu.py` lists; a hub without it."""


Probe = Annotated[Read | Write | Tasks | Judge | Gradient, Field(discriminator="ask")]
