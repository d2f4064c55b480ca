"""A second model reads what the first has written, and says what it makes of it.

A judge reads text. Ids are decoded by the tokenizer that wrote them, and the judge always tokenizes
the text itself, also where it shares that tokenizer: one way for all.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from di_bench.asks import Judge
from di_bench.corpus import Item
from di_bench.device import device
from di_bench.errors import ModelError
from di_bench.lm import LM
from di_bench.metrics.judged import HUMAN, mark
from di_bench.model import ModelSpec
from di_bench.template import Encoded, Template, bos_ids, text_of
from di_bench.transcript import Row, Rows

ROWS = 128
"""Texts read at once for their features."""
TOKENS = 8192
"""Positions read at once for their likelihood."""
LAYOUT = "modules.json"
"""The file by which a folder is a sentence embedder."""


@dataclass(frozen=True)
class Text:
    """A text for a judge, and the row it becomes."""

    row: Row
    text: str
    before: str = ""
    """What stood before it."""


@dataclass(frozen=True, eq=False)
class Sentences:
    """A model of the sentence-transformers package: one embedding for a whole text."""

    model: Any

    @classmethod
    def load(cls, spec: ModelSpec) -> Sentences:
        """By hub id or folder, safetensors only. Raises ModelError when it cannot be loaded."""
        from huggingface_hub import snapshot_download
        from sentence_transformers import SentenceTransformer

        wanted = ["*.safetensors", "*.json", "*.txt", "*.model", "*.jinja"]  # and nothing pickled
        try:
            folder = (
                Path(spec.id).expanduser()
                if spec.local
                else snapshot_download(spec.id, revision=spec.revision, allow_patterns=wanted)
            )
            refuse(Path(folder))
            return cls(
                SentenceTransformer(
                    str(folder),
                    device=device(),
                    trust_remote_code=False,
                    model_kwargs={"use_safetensors": True},
                )
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            said = str(error).strip().partition("\n")[0][:200].rstrip(".")
            raise ModelError(f"{spec.id}: cannot be loaded as a judge ({said})") from error

    def features(self, texts: Sequence[str]) -> list[list[float]]:
        """One embedding for each text."""
        found = self.model.encode(list(texts), batch_size=32, show_progress_bar=False)
        return [[float(value) for value in one] for one in found]


def refuse(folder: Path) -> None:
    """Raise ModelError for an embedder that would bring code: pickled weights, or foreign classes.

    A layer has weights of its own, in a folder of its own. Trap: sentence-transformers before 6
    imports the classes that `modules.json` names from any local folder, and from other repositories
    of the hub too (`org/name--module.Class`), whatever `trust_remote_code` says.
    """
    for layer in json.loads((folder / LAYOUT).read_text(encoding="utf-8")):
        if not (kind := str(layer["type"])).startswith("sentence_transformers."):
            said = (
                "only layers of sentence-transformers itself are loaded; its own code is never run"
            )
            raise ModelError(f"{folder.name}/{LAYOUT}: {kind!r}: {said}")
    for file in sorted(folder.glob("**/pytorch_model.bin")):
        if not list(file.parent.glob("*.safetensors")):
            said = "pickled weights can run code; convert them to model.safetensors"
            raise ModelError(f"{folder.name}/{file.relative_to(folder)}: {said}")


def embeds(spec: ModelSpec) -> bool:
    """Whether a judge is a sentence embedder: by its name on the hub, or by its folder's layout."""
    if spec.local:
        return (Path(spec.id).expanduser() / LAYOUT).exists()
    return spec.id.startswith("sentence-transformers/")


def check(spec: ModelSpec, asked: Judge) -> None:
    """Raise ModelError for a judge that cannot do what is asked, before the first hour of work."""
    if not embeds(spec):
        return
    if asked.keeps == "likelihood":
        raise ModelError(
            f"{spec.id}: a sentence embedder gives no likelihood; name a language model in `model`"
        )
    if find_spec("sentence_transformers") is None:
        raise ModelError(
            f"{spec.id}: needs sentence-transformers: pip install 'di-bench[sentences]'"
        )


def texts(lm: LM, written: Rows, asked: Judge, new_tokens: int) -> list[Text]:
    """What a judge is to read, decoded by the writer's tokenizer: the model's, then the human's.

    The human's is cut at the number of tokens the model could write, and is read once however many
    samples there are; so is the prompt.
    """
    joined = asked.keeps == "likelihood"
    told = [(row, mark(row.index), row.answer_ids) for row in written]
    first = [row for row in written if row.index == 0]
    told += [(row, HUMAN, row.truth_ids[:new_tokens]) for row in first]
    found = []
    for row, index, ids in told:
        own = Row(row.item, row.group, index=index, start=row.start)
        text = lm.text(ids)
        before = _before(row) if joined else ""
        if joined and text:
            text = _after(lm, ids) if row.start else " " * bool(before) + text
        found.append(Text(own, text, before))
    if asked.prompts:
        found += [
            Text(Row(row.item, row.group, "prompt", start=row.start), row.prompt) for row in first
        ]
    return found


def _before(row: Row) -> str:
    """The prompt as it was given; a bare question is written out as the plain template does."""
    if row.start or not row.prompt:
        return row.prompt
    return text_of(Item("", "", "qa", row.prompt, "")).rstrip()


def _after(lm: LM, ids: Sequence[int]) -> str:
    """Ids as text that goes on from another: with the space before it, if there is one.

    Many tokenizers drop it at the very start of a text, so another word is put there.
    """
    anchor = list(lm.tokenizer("a", add_special_tokens=False).input_ids)
    both, alone = (
        str(lm.tokenizer.decode([*anchor, *more], skip_special_tokens=True)) for more in (ids, ())
    )
    return both[len(alone) :].rstrip()


@torch.no_grad()
def judge(reader: LM | Sentences, told: Sequence[Text], asked: Judge) -> Rows:
    """What a judge makes of each text, in order. See `Row` for how they are marked."""
    if isinstance(reader, Sentences):
        found = reader.features([text.text for text in told])
        pairs = zip(told, found, strict=True)
        return [replace(text.row, features=tuple(one)) for text, one in pairs]
    return _likelihoods(reader, told) if asked.keeps == "likelihood" else _states(reader, told)


def judge_by(spec: ModelSpec, dtype: str, told: Sequence[Text], asked: Judge) -> Rows:
    """What a judge that is not the base model makes of each text: loaded, asked and let go.

    Loading sets torch's threads by the judge's size; training that follows has its own again.
    """
    threads = torch.get_num_threads()
    try:
        if embeds(spec):
            return judge(Sentences.load(spec), told, asked)
        lm = LM.load(spec.id, Template(), dtype=dtype, revision=spec.revision)
        return judge(lm, told, asked)
    finally:
        torch.set_num_threads(threads)


def _states(lm: LM, told: Sequence[Text]) -> Rows:
    """The last hidden state at the end of each text. A blank stands for an empty one."""
    judged = []
    for first in range(0, len(told), ROWS):
        part = told[first : first + ROWS]
        states = lm.states(lm.batch([_ended(lm, text.text) for text in part])).float().tolist()
        judged += [
            replace(text.row, features=tuple(state))
            for text, state in zip(part, states, strict=True)
        ]
    return judged


def _ended(lm: LM, text: str) -> Encoded:
    """A text whose only `answer` is a token after its end: its state is the last token's."""
    ids = tuple(lm.tokenizer(text or " ").input_ids)[: lm.context - 1]
    return Encoded((*ids, lm.pad), len(ids))


def _likelihoods(lm: LM, told: Sequence[Text]) -> Rows:
    """Natural log-probability of each token of each text after what stood before it."""
    judged, read = [], []
    for at, text in enumerate(told):
        coded, own = _continued(lm, text)
        judged.append(replace(text.row, answer=text.text.strip(), answer_ids=own))
        read += [(at, coded)] if coded.answer else []
    for part in _by_tokens(sorted(read, key=lambda one: len(one[1].ids))):
        batch = lm.batch([coded for _, coded in part])
        said = lm.logits(batch).log_softmax(-1).gather(-1, batch.targets.unsqueeze(-1)).squeeze(-1)
        for (at, _), one in zip(part, batch.parts(said), strict=True):
            judged[at] = replace(judged[at], logprobs=tuple(one.tolist()))
    return judged


def _continued(lm: LM, text: Text) -> tuple[Encoded, tuple[int, ...]]:
    """Prompt and text in one tokenization, and the text's tokens.

    A token that lies in both belongs to the text. A long prompt is cut from the left; a text that
    leaves no room for a token before it is not read.
    """
    coded = lm.tokenizer(
        text.before + text.text, add_special_tokens=False, return_offsets_mapping=True
    )
    ids, ends = list(coded.input_ids), [end for _, end in coded["offset_mapping"]]
    start = next((at for at, end in enumerate(ends) if end > len(text.before)), len(ids))
    own, bos = ids[start:], bos_ids(lm.tokenizer)
    if not bos and not start:
        bos, own = own[:1], own[1:]  # nothing predicts the very first token
    room = lm.context - len(own)
    if room < 1:
        return Encoded((), 0), tuple(own)
    prompt = [*bos, *ids[max(0, start - room + len(bos)) : start]]
    return Encoded((*prompt, *own), len(prompt)), tuple(own)


def _by_tokens(read: Sequence[tuple[int, Encoded]]) -> Iterator[list[tuple[int, Encoded]]]:
    """Neighbours in order of length, as many as fit in TOKENS positions once padded."""
    chunk: list[tuple[int, Encoded]] = []
    for one in read:
        if chunk and (len(chunk) + 1) * len(one[1].ids) > TOKENS:
            yield chunk
            chunk = []
        chunk.append(one)
    if chunk:
        yield chunk
