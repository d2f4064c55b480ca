"""What a method may ask of a run beside training: focus, answers of its own, stop rules."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from di_bench import losses
from di_bench.corpus import Item
from di_bench.errors import MethodError, SuiteError
from di_bench.fit import Fitter
from di_bench.focus import by_surprise
from di_bench.lm import LM
from di_bench.methodfile import MethodFile
from di_bench.recall import Recall
from di_bench.recipe import Recipe
from di_bench.steps import Pair
from di_bench.template import Encoded
from di_bench.train import Loss
from tests import toy
from tests.conftest import FORGET, HOLDOUT, REFUSALS, RETAIN, fitter, load, newborn, pieces
from tests.toy import line

SHORT = Recipe(lr=3e-3, epochs=2, batch_size=4, warmup=0)


def fit_over(forget: list[Item], folder: Path, seed: int = 0) -> Fitter:
    return replace(fitter(folder, seed), splits={"forget": forget, "retain": RETAIN})


def told(lm: LM, texts: Sequence[Encoded]) -> list[str]:
    """The answers in texts."""
    return [lm.text(text.answer) for text in texts]


# Focus


def test_focus_by_surprise_fills_in_and_leaves_what_is_named(lm: LM, tmp_path: Path) -> None:
    some = [replace(item, focus=item.focus if n % 2 else ()) for n, item in enumerate(FORGET)]
    fit = fit_over(some, tmp_path)
    bare = fit._encoded(lm, "forget")
    kept = fit._encoded(lm, "retain")
    fit.focus(lm)
    found = by_surprise(lm, newborn(), bare)
    marked = fit._encoded(lm, "forget")
    for n, text in enumerate(marked):
        assert text == (bare[n] if n % 2 else replace(bare[n], focus=found[n]))
        assert any(text.focus)
    assert bare[1].focus != found[1]
    assert fit._encoded(lm, "retain") == kept
    assert not any(any(text.focus) for text in fit._encoded(lm, "refusal"))
    assert fit.reading > 0


def test_a_step_counts_the_focus_that_was_found(lm: LM, tmp_path: Path) -> None:
    fit = fit_over([replace(item, focus=()) for item in FORGET], tmp_path)
    fit.focus(lm)
    found = [sum(text.focus) for text in fit._encoded(lm, "forget")]
    seen: list[Pair] = []

    def loss(lm: LM, pair: Pair) -> Tensor:
        seen.append(pair)
        return losses.nll(lm, pair.forget)

    lm.model.requires_grad_(True)
    fit(lm, loss, replace(SHORT, epochs=1, batch_size=8, micro_batch=3))
    assert {pair.forget.focused for pair in seen} == {sum(found)}
    assert sum(float(pair.forget.focus.sum()) for pair in seen) == sum(found) > 0


# Answers of its own


def test_imagined_answers_are_others_and_as_many_as_asked(lm: LM, tmp_path: Path) -> None:
    fit = fitter(tmp_path)
    fit.imagine(lm, 3, 1.0)
    texts = fit._encoded(lm, "alternate")
    assert len(texts) == 3 * len(FORGET)
    for n, text in enumerate(texts):
        item = FORGET[n // 3]
        assert lm.text(text.ids[: text.start]).startswith(f"Question: {item.prompt}")
        assert lm.text(text.answer) not in ("", item.answer)
    assert len({text.answer for text in texts}) > len(FORGET)


def test_imagining_repeats_itself_from_the_seed(lm: LM, tmp_path: Path) -> None:
    def imagined(seed: int) -> Sequence[Encoded]:
        torch.rand(seed + 1)
        fit = fitter(tmp_path, seed)
        fit.imagine(lm, 2, 1.0)
        return fit._encoded(lm, "alternate")

    assert imagined(0) == imagined(0)
    assert imagined(0) != imagined(1)


def test_a_replay_imagines_the_same_and_finds_its_training(tiny: Path, tmp_path: Path) -> None:
    def run(lm: LM) -> tuple[Sequence[Encoded], dict[str, Tensor]]:
        fit = fitter(tmp_path)
        lm.model.requires_grad_(True)
        fit.imagine(lm, 2, 1.0)
        fit(lm, lambda lm, pair: losses.nll(lm, pair.alternate), SHORT)
        return fit._encoded(lm, "alternate"), lm.model.state_dict()

    (first, trained), (again, restored) = run(load(tiny)), run(load(tiny))
    assert again == first
    torch.testing.assert_close(restored, trained, rtol=0, atol=0)


def test_nothing_else_to_say_is_one_line_with_a_mend(lm: LM, tmp_path: Path) -> None:
    prompt = lm.encode(FORGET[0])
    (own,) = lm.write([prompt.ids[: prompt.start]], 30)
    assert own[-1] == lm.tokenizer.eos_token_id
    fit = fit_over([replace(FORGET[0], answer=lm.text(own), focus=())], tmp_path)
    with pytest.raises(MethodError) as error:
        fit.imagine(lm, 1, 1e-6)
    assert line(error.value) == "the model has no other answer to 'forget/0'; raise temperature"


def test_a_temperature_rises_until_there_is_something_else(lm: LM, tmp_path: Path) -> None:
    prompt = lm.encode(FORGET[0])
    (own,) = lm.write([prompt.ids[: prompt.start]], 30)
    fit = fit_over([replace(FORGET[0], answer=lm.text(own), focus=())], tmp_path)
    fit.imagine(lm, 2, 0.2)
    assert lm.text(own) not in told(lm, fit._encoded(lm, "alternate"))


@pytest.mark.parametrize("kind", ["text", "ids"])
def test_a_text_without_a_question_has_whole_alternates(lm: LM, tmp_path: Path, kind: str) -> None:
    """Its first token is given, so what is written after it is not yet an answer."""
    story = Item("story", "story", "document", "", "It is 37.")
    ids = (*lm.tokenizer("It is 37.").input_ids, lm.tokenizer.eos_token_id)
    item = replace(story, answer="", ids=ids) if kind == "ids" else story
    fit = fit_over([item], tmp_path)
    fit.imagine(lm, 4, 1.0)
    texts = fit._encoded(lm, "alternate")
    assert all(lm.text(text.ids).startswith("I") for text in texts)
    assert "It is 37." not in [lm.text(text.ids) for text in texts]
    assert {lm.text(text.ids) for text in fit._encoded(lm, "refusal")} <= set(REFUSALS)


def test_nothing_is_there_before_it_was_imagined(lm: LM, tmp_path: Path) -> None:
    with pytest.raises(MethodError, match=r"nothing was imagined yet: call fit\.imagine first"):
        fitter(tmp_path).reference(lm, "alternate")


# References of a layer


@pytest.mark.parametrize("layer", [1, 2])
def test_a_reference_of_a_layer_is_what_it_makes_of_the_answer_tokens(
    lm: LM, tmp_path: Path, layer: int
) -> None:
    fit = fitter(tmp_path)
    start = fit.reference(lm, "retain", layer=layer)
    texts = fit._encoded(lm, "retain")
    with torch.no_grad():
        wanted = [
            lm.model(torch.tensor([text.ids]), output_hidden_states=True)
            .hidden_states[layer][0, text.start :]
            for text in texts
        ]  # fmt: skip
        for p in lm.model.parameters():
            p.mul_(-0.5)
    rows = [5, 0, 3]
    batch = lm.batch([texts[row] for row in rows], "retain", rows)
    kept = torch.cat([wanted[row] for row in rows])
    torch.testing.assert_close(start.hidden(batch), kept, rtol=1e-5, atol=1e-5)
    assert fit.kept_bytes == sum(state.nbytes for state in wanted)
    assert not torch.allclose(lm.hidden(batch, layer), kept, atol=0.1)


# What a stop rule reads


def test_what_a_method_does_not_watch_it_cannot_read(lm: LM, tmp_path: Path) -> None:
    fit = Fitter({"forget": FORGET}, (), 0, pieces(tmp_path), 64, watched={"text": HOLDOUT})
    assert fit.perplexity(lm) > 1
    with pytest.raises(MethodError) as error:
        fit.recall(lm, "unseen", 2, 2)
    assert line(error.value) == (
        "a method that reads 'unseen' must say so in its class: "
        "watches: ClassVar[tuple[str, ...]] = ('unseen',)"
    )
    fit.watched = {}
    with pytest.raises(MethodError, match="a method that reads 'text' must say so"):
        fit.perplexity(lm)
    assert fit.recall(lm, "forget", 2, 2).accuracy > 0


class Recorded(Fitter):
    """A fit that keeps what its stop rule read."""

    def perplexity(self, lm: LM) -> float:
        said = super().perplexity(lm)
        self.read = [*getattr(self, "read", ()), said]
        return said

    def recall(self, lm: LM, split: str, n: int, stride: int) -> Recall:
        said = super().recall(lm, split, n, stride)
        self.known = [*getattr(self, "known", ()), (split, said)]
        return said


def recorded(folder: Path) -> Recorded:
    watched = {"text": HOLDOUT, "unseen": HOLDOUT}
    splits = {"forget": FORGET, "retain": RETAIN}
    return Recorded(splits, REFUSALS, 0, pieces(folder), 64, watched=watched)


def unlearn(name: str, lm: LM, fit: Fitter, **settings: Any) -> None:  # noqa: ANN401 - any setting
    recipe = {"lr": 1e-3, "epochs": 12, "batch_size": 4, "warmup": 0}
    lm.model.requires_grad_(True)
    MethodFile.find(name).load({"recipe": recipe} | settings).unlearn(lm, fit)


@pytest.mark.parametrize(("settings", "rise"), [({}, 1.03), ({"rise": 1.5}, 1.5)])
def test_di_stops_at_the_first_epoch_whose_text_suffers(
    lm: LM, tmp_path: Path, settings: dict[str, float], rise: float
) -> None:
    fit = recorded(tmp_path)
    unlearn("di_stop", lm, fit, **settings)
    start, *epochs = fit.read
    assert len(epochs) == len(fit.trainings[0].curve) < 12
    assert epochs[-1] > rise * start
    assert all(seen <= rise * start for seen in epochs[:-1])
    assert len(epochs) > (rise > 1.03)


def test_di_that_harms_no_text_goes_on_to_its_end(lm: LM, tmp_path: Path) -> None:
    fit = recorded(tmp_path)
    unlearn("di_stop", lm, fit, rise=1e9)
    assert len(fit.read) == 1 + 12
    assert len(fit.trainings[0].curve) == 12


def test_ascent_stops_once_no_more_is_known_than_of_the_unseen(lm: LM, tmp_path: Path) -> None:
    fit = recorded(tmp_path)
    unlearn("ga_stop", lm, fit, n=2, stride=2)
    (split, unseen), *epochs = fit.known
    assert split == "unseen"
    assert {name for name, _ in epochs} == {"forget"}
    assert len(epochs) == len(fit.trainings[0].curve) < 12
    assert [seen.within(unseen) for _, seen in epochs] == [False] * (len(epochs) - 1) + [True]
    assert len(epochs) > 1
    assert unseen.likelihood > 0


class Priced(Fitter):
    """A fit that works out PDU's multiplier from its loss, part by part and step by step."""

    def __call__(self, lm: LM, loss: Loss, recipe: Recipe, **more: Any) -> LM:  # noqa: ANN401 - fit's own
        self.steps: list[tuple[list[float], float]] = []
        parts: list[float] = []  # of the step under way

        def priced(lm: LM, pair: Pair) -> Tensor:
            value = loss(lm, pair)
            with torch.no_grad():
                even, kept = losses.confusion(lm, pair.forget), losses.nll(lm, pair.retain)
                parts.append(float((value - even) / kept))
            return value

        def after(noted: Mapping[str, float]) -> None:
            self.steps.append((list(parts), noted["retain"]))
            parts.clear()
            more["after"](noted)

        return super().__call__(lm, priced, recipe, **more | {"after": after})


@pytest.mark.parametrize("bound", [0.1, 5.0])
def test_pdus_multiplier_moves_once_a_step_and_never_below_zero(
    lm: LM, tmp_path: Path, bound: float
) -> None:
    fit = Priced({"forget": FORGET, "retain": RETAIN}, REFUSALS, 0, pieces(tmp_path), 64)
    settings = {"bound": bound, "multiplier": 20.0, "step": 2.0, "warmup": 3}
    recipe = {"lr": 1e-3, "epochs": 4, "batch_size": 4, "micro_batch": 2, "warmup": 0}
    unlearn("pdu", lm, fit, **settings, recipe=recipe)
    assert len(fit.steps) == 8
    dual = 20.0
    for n, (parts, retain) in enumerate(fit.steps):
        assert parts == pytest.approx([dual] * 2, rel=1e-3, abs=0.02)
        dual = max(0.0, dual + 2.0 * (retain - bound)) if n >= 3 else dual
    assert (dual == 0.0) == (bound == 5.0)


# The suite's side of it


WATCHED = {
    "corpus": {"splits": {"prose": {"file": "prose.jsonl"}, "fresh": {"file": "fresh.jsonl"}}},
    "watch": {"text": "prose", "unseen": "fresh"},
    "methods": {"di_stop": {}, "ga_stop": {}},
}


def keys(folder: Path, prose: str, fresh: str) -> dict[str, str]:
    path = toy.write(folder, WATCHED)
    for name, text in {"prose": prose, "fresh": fresh}.items():
        row = json.dumps({"question": "Why?", "answer": text})
        (folder / "data" / f"{name}.jsonl").write_text(row, encoding="utf-8")
    return {name: run.weights_key for name, run in toy.runs(path).items()}


def test_weights_depend_on_watched_text_where_a_method_watches_it(tmp_path: Path) -> None:
    before = keys(tmp_path, "Because.", "Perhaps.")
    assert keys(tmp_path, "Because.", "Perhaps.") == before
    for prose, fresh, name in (("So.", "Perhaps.", "di_stop"), ("Because.", "No.", "ga_stop")):
        after = keys(tmp_path, prose, fresh)
        moved = {cell for cell in before if after[cell] != before[cell]}
        assert moved == {f"{name}-0", f"{name}-1"}


def test_a_suite_that_names_no_text_to_watch_is_refused_when_planned(tmp_path: Path) -> None:
    path = toy.write(tmp_path)
    with pytest.raises(SuiteError) as error:
        toy.work(path, "di_stop")
    assert line(error.value) == (
        "di_stop stops by held-out text and the suite names none; add watch: {text: <split>}"
    )
    assert "none-0" in toy.runs(path, "di")


def test_a_watched_split_must_be_one_of_the_corpus(tmp_path: Path) -> None:
    path = toy.write(tmp_path, {"watch": {"text": "retian"}})
    with pytest.raises(SuiteError) as error:
        toy.work(path)
    assert "watch.text: unknown split 'retian'; did you mean 'retain'?" in line(error.value)
