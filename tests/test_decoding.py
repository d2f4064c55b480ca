"""A rule on predictions holds wherever they are read: teacher-forced, written, and by lm-eval."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from di_bench import adapt, probe, tasks
from di_bench.asks import Read, Tasks, Write
from di_bench.errors import ModelError
from di_bench.lm import LM
from di_bench.losses import dampened, generic
from di_bench.methodfile import MethodFile
from di_bench.model import Peft
from tests.conftest import FORGET, HOLDOUT, fitter, load, write_jsonl
from tests.test_tasks import TASK

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")

LORA = Peft(rank=4, alpha=8)
READ = Read(ask="read", split="forget")
WRITE = Write(ask="write", split="forget", new_tokens=12)
CHOICES = ("No.", "It is 37.", "It is 3.")
LONGER = "Question: and now, after all that was said, forget key 3?\nAnswer:"

ways = pytest.mark.parametrize("peft", [None, LORA], ids=["full", "lora"])


def start(folder: Path, peft: Peft | None) -> LM:
    """The byte model; its adapter, where it has one, already says something."""
    lm = adapt.trainable(load(folder), peft, 0)
    return lm if peft is None else moved(lm, 3)


@torch.no_grad()
def moved(lm: LM, seed: int) -> LM:
    """The same with other trained weights, in place."""
    torch.manual_seed(seed)
    for weight in lm.model.parameters():
        if weight.requires_grad:
            weight.add_(torch.randn_like(weight), alpha=0.1)
    return lm


def dampening(lm: LM, weight: float, folder: Path) -> LM:
    return MethodFile.find("dp_decoding").load({"weight": weight}).unlearn(lm, fitter(folder))


def prompts(lm: LM) -> list[tuple[int, ...]]:
    """Of different lengths, so that a batch of them is padded on the left."""
    asked = [one.ids[: one.start] for one in map(lm.encode, FORGET[:3])]
    return [*asked, tuple(lm.tokenizer(LONGER).input_ids), asked[0][-5:]]


def greedy(says: Callable[[Tensor], Tensor], prompt: Sequence[int], new: int) -> tuple[int, ...]:
    """Token by token, each from a full pass over one sequence without cache or padding."""
    ids = list(prompt)
    while len(ids) < len(prompt) + new:
        ids.append(int(says(torch.tensor([ids]))[0, -1].argmax()))
        if ids[-1] == 256:
            break
    return tuple(ids[len(prompt) :])


@torch.no_grad()
def full(lm: LM, ids: Tensor) -> Tensor:
    logits: Tensor = lm.model(input_ids=ids, use_cache=False).logits
    return logits


def task(folder: Path) -> Path:
    """An lm-eval task whose rows have a right answer of the fewest tokens, and of more."""
    rows = [
        {"prompt": f"Question: {item.prompt}\nAnswer:", "choices": CHOICES, "correct": correct}
        for item in (*FORGET[:2], *HOLDOUT[:2])
        for correct in range(3)
    ]
    write_jsonl(folder / "rows.jsonl", rows)
    (folder / "tiny_choice.yaml").write_text(TASK % (folder / "rows.jsonl"), encoding="utf-8")
    return folder


def by_lm_eval(lm: LM, pairs: Sequence[tuple[str, str]]) -> list[float]:
    """lm-eval's own log-likelihoods of (context, continuation)."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    asked = [Instance("loglikelihood", {}, pair, n) for n, pair in enumerate(pairs)]
    reader = HFLM(pretrained=lm.inner, tokenizer=lm.tokenizer, batch_size=4, max_length=lm.context)
    return [said for said, _ in reader.loglikelihood(asked, disable_tqdm=True)]


@ways
def test_at_weight_0_every_token_is_as_likely_in_every_reading(
    tiny: Path, tmp_path: Path, peft: Peft | None
) -> None:
    lm = dampening(start(tiny, peft), 0.0, tmp_path)
    even = -math.log(len(lm.tokenizer))
    for row in probe.read(lm, READ, FORGET, 64, lambda _: None):
        assert row.logprobs == pytest.approx([even] * len(row.truth_ids), rel=1e-5)
        assert row.entropies == pytest.approx([-even] * len(row.truth_ids), rel=1e-5)
    pairs = [(f"Question: {FORGET[n].prompt}\nAnswer:", f" {c}") for n in (0, 5) for c in CHOICES]
    wanted = [even * len(lm.tokenizer(continuation).input_ids) for _, continuation in pairs]
    assert by_lm_eval(lm, pairs) == pytest.approx(wanted, rel=1e-5)
    rows = tasks.tasks(lm, Tasks(ask="tasks", tasks=("tiny_choice",)), task(tmp_path))
    assert [row.value for row in rows] == [1.0, 0.0, 0.0] * 4  # the shortest, whatever is asked


@ways
def test_dampened_predictions_read_as_by_hand_and_write_as_before(
    tiny: Path, tmp_path: Path, peft: Peft | None
) -> None:
    lm = start(tiny, peft)
    before = lm.clone()
    changed = dampening(lm, 0.6, tmp_path)
    batch = lm.batch([lm.encode(item) for item in FORGET])
    assert_close(changed.logits(batch), dampened(before.logits(batch), 0.6), rtol=1e-5, atol=1e-5)
    assert not torch.allclose(changed.logits(batch), before.logits(batch).log_softmax(-1), atol=0.1)
    assert changed.write(prompts(lm), 12) == before.write(prompts(lm), 12)
    pairs = [(LONGER, f" {choice}") for choice in CHOICES]
    for (context, more), said in zip(pairs, by_lm_eval(changed, pairs), strict=True):
        ids = lm.tokenizer(context + more).input_ids
        first = len(lm.tokenizer(context).input_ids)
        mixed = dampened(full(before, torch.tensor([ids])), 0.6)[0, first - 1 : -1]
        own = torch.tensor(ids[first:])
        assert said == pytest.approx(float(mixed.gather(-1, own[:, None]).sum()), rel=1e-4)


@ways
def test_a_banned_token_is_never_written_and_never_likely(
    tiny: Path, tmp_path: Path, peft: Peft | None
) -> None:
    lm = start(tiny, peft)
    usual = [row.answer_ids for row in probe.write(lm, WRITE, FORGET, 0, lambda _: None)]
    banned = max({t for ids in usual for t in ids} - {256}, key=[*sum(usual, ())].count)
    assert sum(ids.count(banned) for ids in usual) > 4

    def without(own: Tensor) -> Tensor:
        return own.index_fill(-1, torch.tensor([banned]), -math.inf)

    before = lm.clone()
    changed = adapt.decoding(lm, without)
    for asked in (WRITE, WRITE.model_copy(update={"top_p": 0.95})):
        written = probe.write(changed, asked, FORGET, 0, lambda _: None)
        assert all(banned not in row.answer_ids for row in written)
        assert any(row.answer_ids for row in written)
    for prompt, ids in zip(prompts(lm), changed.write(prompts(lm), 12), strict=True):
        assert ids == greedy(lambda ids: without(full(before, ids)), prompt, 12)
    (context, more) = LONGER, lm.tokenizer.decode([banned])
    assert by_lm_eval(changed, [(context, more)]) == [-math.inf]


@ways
@pytest.mark.parametrize("layers", [None, 1], ids=["whole", "one layer"])
def test_with_a_model_beside_the_cache_changes_nothing(
    tiny: Path, peft: Peft | None, layers: int | None
) -> None:
    lm = start(tiny, peft)
    memory = moved(adapt.twin(lm, layers), 5)
    own, other = lm.clone(), memory.clone()

    def rule(z: Tensor, m: Tensor) -> Tensor:
        return z - 2 * m  # no greedy choice is safe from it

    def says(ids: Tensor) -> Tensor:
        return rule(full(own, ids), full(other, ids))

    changed = adapt.decoding(lm, rule, beside=memory)
    asked = prompts(lm)
    written = changed.write(asked, 16)
    assert written == [greedy(says, prompt, 16) for prompt in asked]
    assert written == [changed.write([prompt], 16)[0] for prompt in asked]
    assert written != own.write(asked, 16)
    batch = lm.batch([lm.encode(item) for item in FORGET])
    by_hand = says(batch.ids).reshape(-1, len(lm.tokenizer))[batch.position]
    with torch.no_grad():
        assert_close(changed.logits(batch), by_hand, rtol=1e-4, atol=1e-4)
    pairs = [(LONGER, f" {choice}") for choice in CHOICES]
    for (context, more), said in zip(pairs, by_lm_eval(changed, pairs), strict=True):
        ids = torch.tensor([lm.tokenizer(context + more).input_ids])
        first = len(lm.tokenizer(context).input_ids)
        likely = says(ids).log_softmax(-1)[0, first - 1 : -1]
        assert said == pytest.approx(float(likely.gather(-1, ids[0, first:, None]).sum()), rel=1e-4)


@ways
def test_a_copy_of_a_changed_model_says_the_same_on_its_own(tiny: Path, peft: Peft | None) -> None:
    lm = start(tiny, peft)
    memory = moved(adapt.twin(lm), 5)
    changed = adapt.decoding(lm, lambda z, m: generic(z, m, 0.7), beside=memory)
    copied = changed.clone()
    batch = lm.batch([lm.encode(item) for item in FORGET])
    with torch.no_grad():
        said, written = changed.logits(batch), changed.write(prompts(lm), 8)
        assert torch.equal(copied.logits(batch), said)
        moved(lm, 7)
        memory.model.requires_grad_(True)
        moved(memory, 7)
        assert not torch.equal(changed.logits(batch), said)
        assert torch.equal(copied.logits(batch), said)
    assert copied.write(prompts(lm), 8) == written


def test_rules_stack_and_only_one_of_them_reads_beside(tiny: Path) -> None:
    lm = load(tiny)
    memory = moved(adapt.twin(lm), 5)
    own, other = lm.clone(), memory.clone()
    once = adapt.decoding(lm, lambda z, m: generic(z, m, 0.7), beside=memory)
    twice = adapt.decoding(once, lambda z: dampened(z, 0.6))
    batch = lm.batch([lm.encode(item) for item in FORGET])
    with torch.no_grad():
        wanted = dampened(generic(own.logits(batch), other.logits(batch), 0.7), 0.6)
        assert_close(twice.logits(batch), wanted, rtol=1e-4, atol=1e-4)
    with pytest.raises(ModelError, match="has a model beside it already"):
        adapt.decoding(twice, lambda z, m: z - m, beside=memory)
