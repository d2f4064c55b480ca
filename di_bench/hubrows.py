"""Rows of local files as the hub's data sets have them, so that lm-eval's definitions read them.

One function for each kind of layout. They raise ValueError, or what Python raises, for a row they
do not understand; whoever reads the file says which one it was.
"""

import ast
import re
from collections.abc import Callable, Mapping
from typing import Any

Row = Mapping[str, Any]


def _class(value: object, names: tuple[str, ...]) -> int:
    """A class by its number, its name, or as true and false. Raises ValueError."""
    said = str(value).strip().lower()
    if said in names:
        return names.index(said)
    if said.isdecimal() and int(said) < len(names):
        return int(said)
    raise ValueError(f"label {value!r} is none of {', '.join(names)}, nor its number")


def classes(*names: str) -> Callable[[Row], Row]:
    """Rows as they are, the label as a number: given so, by its name, or as true and false."""
    return lambda row: {**row, "label": _class(row["label"], names)}


def wic(row: Row) -> Row:
    """Words in context: the places of the word as numbers."""
    places = {place: int(row[place]) for place in ("start1", "end1", "start2", "end2")}
    return {**row, **places, "label": _class(row["label"], ("false", "true"))}


def wsc(row: Row) -> Row:
    """The hub's `wsc.fixed`: flat, and a span that its text does not hold spelled as there."""
    words = row["text"].split()
    spans: dict[str, object] = {}
    for span in ("span1", "span2"):
        at, said = int(row["target"][f"{span}_index"]), row["target"][f"{span}_text"]
        if said not in row["text"]:
            first = said[0].lower() if words[at][0].islower() else said[0].upper()
            said = (first + said[1:]).rstrip(".").replace("\n", " ")
        spans |= {f"{span}_index": at, f"{span}_text": said}
    return {"text": row["text"], **spans, "label": _class(row["label"], ("false", "true"))}


def arc(row: Row) -> Row:
    """AI2's reasoning challenge, whose right answer must be one of its choices."""
    if row["answerKey"] not in row["choices"]["label"]:
        raise ValueError(f"answerKey {row['answerKey']!r} is no label of its choices")
    return {**row, "choices": {part: row["choices"][part] for part in ("text", "label")}}


def winogrande(row: Row) -> Row:
    """Winogrande: a sentence with a gap `_`, and which option fills it."""
    if row["answer"] not in ("1", "2"):
        raise ValueError(f"answer {row['answer']!r} is not '1' or '2'")
    if "_" not in row["sentence"]:
        raise ValueError("sentence has no gap '_'")
    return row


def hellaswag(row: Row) -> Row:
    """Raw fields that lm-eval's cleaning turns into the stored query and choices again."""
    label, _, rest = row["query"].partition(": ")
    raw = {"activity_label": label, "ctx_a": _before_cleaning(rest), "ctx_b": ""}
    endings = [_before_cleaning(choice) for choice in row["choices"]]
    return {**raw, "endings": endings, "label": str(range(len(endings))[int(row["label"])])}


def _before_cleaning(text: str) -> str:
    """It strips, then drops `[...]`, then halves double spaces: undone from the last to the first.

    Raises ValueError for text with `[...]`, which it would drop.
    """
    if found := re.search(r"\[.*?\]", text):
        raise ValueError(f"lm-eval takes {found[0]!r} out; query and choices must be without it")
    text = re.sub("  +", lambda spaces: spaces[0] * 2, text)
    return text if text == text.strip() else f"[edge]{text}[edge]"


def lambada(row: Row) -> Row:
    """LAMBADA: context and last word are one text, which lm-eval cuts at its last space."""
    if not row["continuation"] or " " in row["continuation"]:
        raise ValueError(f"continuation {row['continuation']!r} is not one word")
    return {"text": f"{row['context']} {row['continuation']}"}


def pubmedqa(row: Row) -> Row:
    """PubMedQA in the hub's capitals."""
    answers = ("yes", "no", "maybe")
    if row["final_decision"] not in answers:
        raise ValueError(f"final_decision {row['final_decision']!r} is none of {answers}")
    told = {"QUESTION": row["question"], "CONTEXTS": _contexts(row["context"])}
    return {**told, "final_decision": row["final_decision"]}


def _contexts(text: str) -> list[str]:
    """`contexts` of a dictionary of NumPy arrays as Python shows it. Nothing of it is run."""
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError as error:
        raise ValueError(f"context is no dictionary as Python shows it ({error.msg})") from error
    for key, value in (
        zip(tree.keys, tree.values, strict=True) if isinstance(tree, ast.Dict) else ()
    ):
        if isinstance(key, ast.Constant) and key.value == "contexts":
            array = value.args[0] if isinstance(value, ast.Call) else value
            return [str(part) for part in ast.literal_eval(array)]
    raise ValueError("context names no 'contexts'")


def exam(row: Row) -> Row:
    """Four choices, as in MMLU and WMDP; the answer by its number or letter."""
    if len(row["choices"]) != 4:
        raise ValueError(f"has {len(row['choices'])} choices; needs 4")
    return {**row, "answer": _class(row["answer"], ("a", "b", "c", "d"))}
