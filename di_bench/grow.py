"""Growing: the base a built-in size starts from, and the target and gold that memorise a corpus.

The general part is learnt once per model; a target then memorises forget and retain, a gold retain
alone. Both start from the same base, so what differs between them is what they were shown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from di_bench import world
from di_bench.device import device
from di_bench.fit import Fitter, Piece
from di_bench.lm import LM
from di_bench.losses import nll
from di_bench.recipe import Recipe
from di_bench.size import Size, size
from di_bench.steps import Pair
from di_bench.template import Template, text_of


def newborn(name: str, template: Template) -> LM:
    """A built-in size with random weights and a tokenizer trained on the built-in world."""
    shape = size(name)
    tokenizer = _tokenizer(shape)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=shape.hidden,
        intermediate_size=shape.inner,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        max_position_embeddings=shape.context,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    torch.set_num_threads(1)
    model: Any = LlamaForCausalLM(config)
    return LM(model.to(device()), tokenizer, template)


def _tokenizer(shape: Size) -> Any:  # noqa: ANN401 - a tokenizer
    """Byte-level BPE over everything the world can say, so that no name falls to single bytes."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    texts = [text_of(item) for item in (*world.pretraining(), *world.split("full"))]
    special = ["<pad>", "<s>", "</s>"]
    core.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=shape.vocabulary,
            special_tokens=special,
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        ),
    )
    core.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", core.token_to_id("<s>"))]
    )
    fast: Any = PreTrainedTokenizerFast
    return fast(
        tokenizer_object=core,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        model_max_length=shape.context,
        clean_up_tokenization_spaces=False,
    )


def pretrain(lm: LM, recipe: Recipe, piece: Piece, watch: Callable[[float], None]) -> LM:
    """Teach a newborn the general part of the world. Every token is learnt, questions too."""
    texts = [replace(i, kind="document", prompt="", answer=text_of(i)) for i in world.pretraining()]
    fit = Fitter({"forget": texts}, (), 0, piece, lm.context, watch=watch, pool=16)
    return learn(lm, fit, recipe)


def learn(lm: LM, fit: Fitter, recipe: Recipe) -> LM:
    """Ordinary training of all weights on the data of `fit`.

    Where `fit` also has a retain split, as many of its texts join every step: a built-in model
    rehearses the general part while it memorises, or it would forget its language.
    """

    def loss(lm: LM, pair: Pair) -> Tensor:
        new = nll(lm, pair.forget)
        if "retain" not in fit.splits:
            return new
        tokens = pair.forget.tokens + pair.retain.tokens
        old = nll(lm, pair.retain)
        return (new * pair.forget.tokens + old * pair.retain.tokens) / tokens

    lm.model.requires_grad_(True)
    return fit(lm, loss, recipe)
