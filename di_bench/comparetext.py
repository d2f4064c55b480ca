"""A comparison written out: text, Markdown, JSON. What a model or a stranger wrote is escaped."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Literal

from di_bench import label
from di_bench.board import ARROW
from di_bench.comparison import Contrast, Side
from di_bench.escape import markdown
from di_bench.itemwise import Apart, Most
from di_bench.table import aligned, tabled

Form = Literal["text", "md", "json"]
LONGEST = 400
"""Letters of a text that are shown, but for JSON."""
_HOW: Mapping[str, str] = {
    "paired": "paired: the same seeds and items; both are draws, crossed",
    "paired seeds": "paired seeds: the same seeds; a score that is no mean of items both have",
    "welch": "welch: other seeds; Welch's t on their means",
    "items": "items: one seed, so nothing is known of other seeds",
}


def render(a: Side, b: Side, found: Sequence[Contrast], most: Most | None, form: Form) -> str:
    """The comparison, and the items that differ most if asked for. It ends with a newline."""
    if form == "json":
        return _json(a, b, found, most)
    return (_text if form == "text" else _markdown)(a, b, found, most)


def visible(text: str, longest: int | None = None) -> str:
    """One line that a terminal only shows: what is not printable stands as its escape in Python.

    So a colour code, a line's end and a mark that turns the writing direction are all seen.
    """
    whole = text if longest is None or len(text) <= longest else f"{text[:longest]} ..."
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in whole
    )


def _text(a: Side, b: Side, found: Sequence[Contrast], most: Most | None) -> str:
    lines = [*_sides(a, b), "", *aligned([_HEADER, *map(_row, found)]), "", *_notes(found)]
    if most is None:
        return "\n".join(lines) + "\n"
    lines += ["", _title(most)]
    for one in most.items:
        lines += ["", f"{visible(one.item)} ({visible(one.group)})", f"  {'values':<8}{_both(one)}"]
        lines += [f"  {tag:<8}{visible(text, LONGEST)}" for tag, text in _told(one) if text]
    return "\n".join([*lines, "", *_below(most)]).rstrip() + "\n"


def _markdown(a: Side, b: Side, found: Sequence[Contrast], most: Most | None) -> str:
    lines = [f"- {markdown(line)}" for line in _sides(a, b)]
    lines += ["", *tabled(_HEADER, map(_row, found), 1), ""]
    lines += [f"- {markdown(note)}" for note in _notes(found)]
    if most is not None:
        header = ["item", "group", *(tag for tag, _ in _told(Apart("", "", 0, 0))), *"AB"]
        rows = [
            [visible(one.item), visible(one.group)]
            + [visible(text, LONGEST) or "-" for _, text in _told(one)]
            + [_number(one.a), _number(one.b)]
            for one in most.items
        ]
        lines += ["", f"## {markdown(_title(most))}", "", *tabled(header, rows, 6), ""]
        lines += [f"- {markdown(note)}" for note in _below(most)]
    return "\n".join(lines).rstrip() + "\n"


def _json(a: Side, b: Side, found: Sequence[Contrast], most: Most | None) -> str:
    tree = {
        "a": {"name": a.name, "seeds": a.seeds, "status": [r.status for r in a.records]},
        "b": {"name": b.name, "seeds": b.seeds, "status": [r.status for r in b.records]},
        "columns": [asdict(one) | {"p": None if math.isnan(one.p) else one.p} for one in found],
        **({"items": asdict(most)} if most else {}),
    }
    return json.dumps(tree, indent=1) + "\n"


_HEADER = ("column", "A", "B", "A - B", "95 %", "p", "better", "how")


def _row(one: Contrast) -> tuple[str, ...]:
    arrow = ARROW.get(one.direction, "")
    name = visible(f"{label.column(one.column)} {arrow}".rstrip())
    why = visible(one.why)
    head = (name, _number(one.a), _number(one.b))
    if one.apart is None:
        return (*head, "-", "-", "-", "-", f"{'' if one.compares else 'not comparable: '}{why}")
    bounds = f"{_number(one.apart.low)} to {_number(one.apart.high)}"
    how = f"{one.apart.how}; {why}" if why else one.apart.how
    return (*head, _number(one.apart.mean, "+"), bounds, _p(one.p), one.better or "-", how)


def _number(value: float | None, sign: str = "") -> str:
    if value is None:
        return "-"
    return f"{value:{sign}.3f}" if 0.01 <= abs(value) < 1000 or not value else f"{value:{sign}.3g}"


def _p(p: float) -> str:
    return f"{p:.3f}" if p >= 0.001 else f"{p:.1e}"


def _sides(a: Side, b: Side) -> list[str]:
    """What A and B are, and which of their runs did not end well."""
    lines = []
    for tag, side in (("A", a), ("B", b)):
        seeds = ", ".join(map(str, side.seeds))
        lines.append(f"{tag}: {visible(side.name)}, seed{'s' * (len(side.seeds) > 1)} {seeds}")
        lines += [
            f"{tag}, seed {record.seed}: {record.status}: {visible(record.error or '')}"
            for record in side.records
            if record.status != "done"
        ]
    if (mine := a.records[0].peft) != (theirs := b.records[0].peft):
        lines.append(f"A trains {_peft(mine)}, B {_peft(theirs)}")
    return lines


def _peft(peft: Mapping[str, object] | None) -> str:
    return "all weights" if peft is None else f"an adapter ({peft.get('kind', '?')})"


def _notes(found: Sequence[Contrast]) -> list[str]:
    """How to read the table."""
    tests = sum(one.apart is not None for one in found)
    if not tests:
        return ["Nothing here compares."]
    hows = dict.fromkeys(one.apart.how for one in found if one.apart)
    return [
        f"p is adjusted for {tests} column{'s' * (tests > 1)} (Holm), the intervals are not.",
        "Better is named where p < .05; with ≈ it is the one nearer to the retrain runs.",
        *(_HOW[how] for how in hows),
    ]


def _title(most: Most) -> str:
    return f"{visible(label.column(most.column))}: where A and B differ most"


def _both(one: Apart) -> str:
    return f"A {_number(one.a)}, B {_number(one.b)}, A - B {_number(one.a - one.b, '+')}"


def _told(one: Apart) -> tuple[tuple[str, str], ...]:
    texts = one.texts
    return (
        ("asked", texts.asked),
        ("truth", texts.truth),
        ("A wrote", texts.a),
        ("B wrote", texts.b),
    )


def _below(most: Most) -> list[str]:
    """Of which seeds the answers are, and why some are not there."""
    shown = [
        f"{tag} of seed {seed}"
        for tag, seed, wrote in zip(
            "AB",
            most.seeds,
            (any(one.texts.a for one in most.items), any(one.texts.b for one in most.items)),
            strict=True,
        )
        if wrote
    ]
    whose = f"; answers: {', '.join(shown)}" if shown else ""
    return [f"Values are means over seeds{whose}.", *map(visible, most.missing)]
