"""A causal language model and its tokenizer, reduced to the few verbs the benchmark needs.

`logits` is flat: one row for each answer token of a batch, in order, so padding and prompts never
reach the vocabulary projection, a loss or a metric.
"""

from __future__ import annotations

import copy
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from safetensors import SafetensorError
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig
from transformers.utils import logging

from di_bench import generate, ranks
from di_bench.batch import Batch, pad
from di_bench.device import cores, device
from di_bench.errors import ModelError
from di_bench.forest import Forest, Tree, forest
from di_bench.template import Encoded, Template

if TYPE_CHECKING:
    from di_bench.corpus import Item


BRANCHING = ("gpt2", "gpt_neox", "llama", "mistral", "olmo2", "phi", "phi3", "qwen2", "qwen3")
"""Architectures that heed position ids and a mask of whom each token sees."""
SMALL = 20_000_000
"""Models of fewer parameters run on one thread: on several, a busy machine makes them slower."""


@dataclass(frozen=True, eq=False)
class LM:
    """A model you can read from, write to, copy and keep."""

    model: Any
    tokenizer: Any
    template: Template
    beside: LM | None = None
    """A second model that changes what this one predicts (see `adapt.decoding`)."""

    @classmethod
    def load(
        cls,
        source: str | Path,
        template: Template,
        *,
        dtype: str,
        revision: str | None = None,
        four_bits: bool = False,
        words: Any = None,  # noqa: ANN401 - a tokenizer
    ) -> LM:
        """A checkpoint by hub id or folder, on the best device there is. Safetensors only.

        `four_bits` squeezes its linear layers to NF4; an adapter on them can be trained. `words` is
        the tokenizer of a checkpoint that has none of its own.
        Raises ModelError when it cannot be reached or loaded safely.
        """
        name = str(Path(source).expanduser() if str(source).startswith("~") else source)
        try:
            words = words or tokenizer(name, revision)
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                name,
                revision=revision,
                use_safetensors=True,
                trust_remote_code=False,
                dtype=getattr(torch, dtype),
                output_loading_info=True,
                **(_four_bits(dtype) if four_bits else {}),
            )
        except (OSError, ValueError, SafetensorError) as error:
            raise ModelError(
                f"{name}: cannot be loaded ({_first_line(error)}). Without the hub, run "
                f"`hf download {name}` on a machine with network and carry its $HF_HOME over, "
                "or give a folder: --model FOLDER"
            ) from error
        if words.eos_token_id is None:
            raise ModelError(
                f"{name}: its tokenizer has no end token, so no answer could end; set "
                "`eos_token` in its tokenizer_config.json"
            )
        for how in ("is_local", "local_files_only"):  # how it was reached is no part of it
            words.init_kwargs.pop(how, None)
        model, found = loaded
        if missing := sorted(found["missing_keys"]):  # they would be drawn at random
            raise ModelError(f"{name}: the checkpoint has no {missing[0]}; give a whole one")
        # A checkpoint's own sampling and penalties would bend every answer; its end tokens stay.
        own = model.generation_config
        model.generation_config = type(own)(eos_token_id=own.eos_token_id)
        small = sum(p.numel() for p in model.parameters()) < SMALL
        torch.set_num_threads(1 if small else cores())
        placed = model if four_bits else model.to(device())
        return cls(placed.eval(), words, template)

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return cast(torch.device, self.model.device)

    @property
    def context(self) -> int:
        """The longest sequence it can read, in tokens."""
        return int(getattr(self.model.config, "max_position_embeddings", 0) or 2048)

    @property
    def pad(self) -> int:
        """The id to pad with. Its value never matters: masks go by length."""
        pad = self.tokenizer.pad_token_id
        return int(self.tokenizer.eos_token_id if pad is None else pad)

    def encode(self, item: Item, answer: str | None = None, limit: int | None = None) -> Encoded:
        """An item with its own or another answer, cut at `limit` (the context if None) tokens."""
        room = min(limit or self.context, self.context)
        return self.template.encode(
            self.tokenizer, item, item.answer if answer is None else answer, room
        )

    def batch(self, texts: Sequence[Encoded], split: str = "", rows: Sequence[int] = ()) -> Batch:
        """Pad texts on the right into one batch that is a whole step of its own."""
        return pad(texts, self.pad, split, rows).to(self.device)

    @property
    def inner(self) -> Any:  # noqa: ANN401 - a module
        """The causal language model itself, under an adapter or what shares it among processes."""
        model = getattr(self.model, "module", self.model)
        return model.get_base_model() if hasattr(model, "get_base_model") else model

    @property
    def depth(self) -> int:
        """How many layers it has."""
        return int(self.inner.config.num_hidden_layers)

    @property
    def head(self) -> Any:  # noqa: ANN401 - a module
        """The vocabulary projection."""
        head = self.inner.get_output_embeddings()
        if head is None:
            raise ModelError(
                "the model has no output embeddings; it is not a causal language model"
            )
        return head

    def logits(self, batch: Batch | Forest) -> Tensor:
        """(N, V) float32 predictions for `batch.targets`; for a forest at its U positions."""
        placed = {} if batch.places is None else {"position_ids": batch.places}
        with _only(self, batch.position):
            out = self.model(
                input_ids=batch.ids, attention_mask=batch.mask, use_cache=False, **placed
            )
        return cast(Tensor, out.logits[0].float())

    @property
    def branches(self) -> bool:
        """Whether texts that share a beginning can be read as one tree."""
        both = (self.inner, *([self.beside.inner] if self.beside else []))
        return all(
            model.config.model_type in BRANCHING
            and model.config._attn_implementation in ("sdpa", "eager")
            # A window counts tokens as they lie in a tree, not as they stand in a text.
            and (getattr(model.config, "sliding_window", None) or self.context) >= self.context
            and not _stretched(model.config)
            for model in both
        )

    @property
    def vocabulary(self) -> int:
        """How many tokens it chooses from."""
        return int(self.inner.config.get_text_config().vocab_size)

    def forest(self, trees: Sequence[Tree]) -> Forest:
        """Trees as one batch."""
        return forest(trees, self.pad, self.inner.dtype).to(self.device)

    def hidden(self, batch: Batch, layer: int) -> Tensor:
        """(N, H) float32 what a layer (1 is the first) makes of each answer token itself."""
        with _only(self, batch.position[:1]):
            out = self.model(
                input_ids=batch.ids,
                attention_mask=batch.mask,
                use_cache=False,
                output_hidden_states=True,
            )
        states = out.hidden_states[layer]
        return cast(Tensor, states.reshape(-1, states.shape[-1])[batch.position + 1].float())

    @torch.no_grad()
    def states(self, batch: Batch) -> Tensor:
        """(N, H) what the vocabulary projection reads for `batch.targets`."""
        kept: list[Tensor] = []
        with _only(self, batch.position, kept):
            self.model(input_ids=batch.ids, attention_mask=batch.mask, use_cache=False)
        return kept[0]

    @torch.no_grad()
    def write(
        self,
        prompts: Sequence[Sequence[int]],
        new_tokens: int | Sequence[int],
        *,
        top_p: float | None = None,
        temperature: float = 1.0,
    ) -> list[tuple[int, ...]]:
        """Continue each prompt by at most `new_tokens` ids (one limit, or one for each prompt).

        Up to and including the end token. Greedy, or by nucleus sampling at a temperature from
        torch's global generator.
        """
        rooms = [new_tokens] * len(prompts) if isinstance(new_tokens, int) else list(new_tokens)
        ends = self.ends
        if top_p is None and generate.steps_alone(self.inner):
            alone = generate.Greedy(self.model, self.inner, self.pad, ends, self.branches)
            written = alone.write(prompts, rooms)
        else:
            ids, mask = (part.to(self.device) for part in generate.padded(prompts, self.pad))
            sampling = {"do_sample": True, "top_p": top_p, "temperature": temperature, "top_k": 0}
            written = generate.by_transformers(
                self.model, ids, mask, max(rooms), ends=ends, pad=self.pad,
                **sampling if top_p is not None else {},
            )  # fmt: skip
        return [_until(row[:room], ends) for row, room in zip(written, rooms, strict=True)]

    @property
    def ends(self) -> list[int]:
        """The checkpoint's end tokens, and the tokenizer's, which the plain template teaches."""
        ends = getattr(self.model.generation_config, "eos_token_id", None)
        listed = [ends] if isinstance(ends, int) else list(ends or ())
        own = self.tokenizer.eos_token_id
        return [*listed, *([] if own is None or own in listed else [own])]

    def text(self, ids: Sequence[int]) -> str:
        """Ids as text, special tokens left out."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True)).strip()

    def clone(self) -> LM:
        """A frozen copy, for methods that need to remember where they started."""
        model, beside = copy.deepcopy((self.model, self.beside))  # together: one reads the other
        return LM(model.eval().requires_grad_(False), self.tokenizer, self.template, beside)

    def save(self, folder: Path) -> None:
        """Write weights and tokenizer to `folder`, in Hugging Face's layout. One process does."""
        if not ranks.first():
            return
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)


@cache
def parameters(source: str, revision: str | None = None) -> int | None:
    """How many weights a checkpoint's model has, tied ones once; none where its config fails.

    The config says; no weight is read. The files themselves may hold buffers, or a tied head twice.
    """
    name = str(Path(source).expanduser()) if source.startswith("~") else source
    auto: Any = AutoModelForCausalLM
    try:
        config = AutoConfig.from_pretrained(name, revision=revision, trust_remote_code=False)
        with torch.device("meta"):
            model = auto.from_config(config, trust_remote_code=False)
    except Exception:  # noqa: BLE001 - configs fail in any way; loading says what is wrong
        return None
    return sum(int(p.numel()) for p in model.parameters())


def tokenizer(name: str, revision: str | None = None) -> Any:  # noqa: ANN401 - a tokenizer
    """The tokenizer of a checkpoint. Raises OSError or ValueError when it has none."""
    loaded: Any = AutoTokenizer
    return loaded.from_pretrained(name, revision=revision, trust_remote_code=False)


def tokens_of(source: str, revision: str | None) -> int:
    """How many tokens a checkpoint's tokenizer knows; no weights are loaded."""
    name = str(Path(source).expanduser() if source.startswith("~") else source)
    try:
        return len(tokenizer(name, revision))
    except (OSError, ValueError) as error:
        raise ModelError(f"{name}: has no tokenizer to load ({_first_line(error)})") from error


def _four_bits(dtype: str) -> dict[str, Any]:
    """How to load for QLoRA (Dettmers et al., 2023, 2305.14314). Not run on a GPU yet."""
    config: Any = BitsAndBytesConfig
    nf4 = config(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=getattr(torch, dtype),
    )
    return {"quantization_config": nf4, "device_map": {"": torch.cuda.current_device()}}


def _stretched(config: Any) -> bool:  # noqa: ANN401 - a model's configuration
    """Whether how it counts places depends on the longest text of a batch."""
    kinds = getattr(config, "rope_parameters", None) or {}
    return kinds.get("rope_type", "default") in ("dynamic", "longrope")


def hush() -> None:
    """Keep the bars of Hugging Face's libraries off the screen; it has bars of its own."""
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # untyped there
    os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"  # it takes most of a second to import
    if "datasets" in sys.modules:
        sys.modules["datasets"].disable_progress_bars()


@contextmanager
def _only(lm: LM, position: Tensor, kept: list[Tensor] | None = None) -> Iterator[None]:
    """Let only these flattened positions reach the projection; the model knows nothing of it."""

    def choose(_: Any, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:  # noqa: ANN401 - torch's signature
        chosen = args[0].reshape(-1, args[0].shape[-1])[position]
        if kept is not None:
            kept.append(chosen)
        return (chosen.unsqueeze(0),)

    handle = lm.head.register_forward_pre_hook(choose)
    try:
        with _only(lm.beside, position) if lm.beside else nullcontext():
            yield
    finally:
        handle.remove()


def _until(ids: Sequence[int], ends: Sequence[int]) -> tuple[int, ...]:
    """Cut after the first end token."""
    stop = next((i for i, token in enumerate(ids) if token in ends), len(ids) - 1)
    return tuple(ids[: stop + 1])


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200].rstrip(".")
