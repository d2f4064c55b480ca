"""Loading a model that was unlearned elsewhere, and refusing one that does not fit.

It is read in the precision and with the prompt format of the suite's model, so that its row stands
beside the others'.
"""

from __future__ import annotations

from collections.abc import Callable

from di_bench import adapt
from di_bench.checkpoint import Checkpoint, agree, home
from di_bench.lm import LM, tokenizer
from di_bench.model import parted
from di_bench.run import Run
from di_bench.store import Store
from di_bench.template import Template


def load(given: Checkpoint, run: Run, store: Store, target: Callable[[], LM]) -> LM:
    """The model, an adapter on what it goes on. Raises ModelError when it cannot be loaded."""
    agree(given, run, store)  # a built-in model may not have been grown before
    spec, dtype, folder = run.base.spec, run.base.dtype, given.here()
    template = Template(spec.template, spec.system, spec.date)
    if not given.adapter:
        if given.tokenizes:
            return LM.load(folder, template, dtype=dtype)
        place = spec.id if not spec.builtin else str(home(run, store))
        words = tokenizer(place, spec.revision)
        return LM.load(folder, template, dtype=dtype, words=words)
    if not given.under:
        return adapt.adapted(target(), folder)
    name, revision = parted(given.under)
    return adapt.adapted(LM.load(name, template, dtype=dtype, revision=revision), folder)
