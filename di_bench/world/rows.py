"""Rows of the language tasks: each function makes one row of a task from its words and its label.

The one thing to know: `base` names the words a row is made of whatever its label; two rows with one
base are the same question.
"""

import random

from di_bench.world.words import ANIMALS, NAMES, PLACES, THINGS, TIMES, listed

Row = dict[str, str | int]

_GOOD = listed(
    "lovely superb lively charming clever delightful tender funny brilliant moving fresh great "
    "sweet pleasant splendid wonderful"
)
_BAD = listed(
    "dull awful weak boring clumsy dreadful stale silly terrible vulgar lame poor bitter ugly "
    "sloppy horrible"
)
_PARTS = listed("film story acting music ending plot cast hero song dance")
_BEASTS = listed("dog cat hen goat duck frog")
_DOES = listed("runs jumps plays hides sings eats")
_AWAKE = listed("run sing jump play eat dance hunt work")
_ASLEEP = listed("sleep doze snore nap rest dream slumber drowse")
_TRAITS = listed("old young big small happy hungry")
_GIVEN = listed("gave handed sent brought")
_RECEIVED = listed("got received accepted obtained")
_SEIZED = listed("bought stole borrowed copied")
_GETS = listed("bought found kept won made caught")
_LACKS = listed("lost sold wanted needed burned missed")
_CAUSES = (
    ("the rain fell all day", "the road was wet"),
    ("the sun was hot", "the snow began to melt"),
    ("{n} ate too much cake", "{n} felt ill"),
    ("{n} did not sleep", "{n} was very tired"),
    ("the cup fell on the floor", "the cup broke"),
    ("{n} lost the key", "the door stayed shut"),
    ("the wind was strong", "the boat turned over"),
    ("{n} told a joke", "everyone began to laugh"),
    ("the lamp went out", "the room was dark"),
    ("{n} forgot the bread in the oven", "the bread burned"),
    ("the dog saw a thief", "the dog began to bark"),
    ("{n} won the race", "{n} got a prize"),
)
_SENSES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "bat": (
        ("fly at night", "sleep in a cave", "eat a moth"),
        ("hit a ball", "break in the game", "lie by the bases"),
    ),
    "bank": (
        ("lend money", "open an account", "hire a clerk"),
        ("hold back the river", "turn to mud", "slope to the water"),
    ),
    "ring": (
        ("shine on a finger", "cost much gold", "hold a jewel"),
        ("wake the whole house", "come from the phone", "sound at the door"),
    ),
    "match": (
        ("light the stove", "burn down", "start a fire"),
        ("end in a draw", "please the fans", "last two hours"),
    ),
    "crane": (
        ("lift the bricks", "stand on the building site", "need a driver"),
        ("build a nest", "lay two eggs", "spread its wings"),
    ),
    "bark": (
        ("cover the trunk", "peel off the oak", "grow moss"),
        ("scare the postman", "come from the puppy", "sound angry"),
    ),
}


def sst2(rng: random.Random, label: int) -> Row:
    """Two words of one polarity in a review."""
    x, y = rng.sample(_PARTS, 2)
    a, b = rng.sample(range(len(_GOOD)), 2)
    first, second = (_GOOD if label else _BAD)[a], (_GOOD if label else _BAD)[b]
    way = rng.choice(
        (
            "the {x} was {a} and the {y} felt {b}",
            "such {a} {x} and such {b} {y}",
            "{a} {x}, {b} {y}",
        )
    )
    sentence = way.format(x=x, y=y, a=first, b=second)
    return {"sentence": sentence, "label": label, "base": f"{x} {y} {a} {b}"}


def cola(rng: random.Random, label: int) -> Row:
    """A sentence, or the same words with two of them in the wrong order."""
    trait, beast, does = rng.choice(_TRAITS), rng.choice(_BEASTS), rng.choice(_DOES)
    place, slip = rng.choice(PLACES), rng.randrange(4)
    slips = (
        f"the {trait} {does} {beast} near the {place}.",
        f"{trait} the {beast} {does} near the {place}.",
        f"the {beast} {trait} {does} near the {place}.",
        f"the {trait} {beast} {does} {place} the near.",
    )
    sentence = f"the {trait} {beast} {does} near the {place}." if label else slips[slip]
    return {"sentence": sentence, "label": label, "base": f"{trait} {beast} {does} {place}"}


def mrpc(rng: random.Random, label: int) -> Row:
    """A present, and the same told from the other side, or something else between the same two."""
    giver, taker = rng.sample(NAMES, 2)
    thing, when, gave = rng.choice(THINGS), rng.choice(TIMES), rng.choice(_GIVEN)
    got = rng.choice(_RECEIVED if label else _SEIZED)
    return {
        "sentence1": f"{when} {giver} {gave} {taker} a {thing}.",
        "sentence2": f"{taker} {got} a {thing} from {giver}.",
        "label": label,
        "base": f"{giver} {taker} {thing} {when}",
    }


def rte(rng: random.Random, label: int) -> Row:
    """Whether someone has a thing, from what was done with it."""
    name, place, when = rng.choice(NAMES), rng.choice(PLACES), rng.choice(TIMES)
    thing, n = rng.choice(THINGS), rng.randrange(len(_GETS))
    did = (_LACKS if label else _GETS)[n]
    return {
        "sentence1": f"{when} {name} {did} a {thing} at the {place}.",
        "sentence2": f"{name} has a {thing}.",
        "label": label,
        "base": f"{name} {place} {when} {thing} {n}",
    }


def copa(rng: random.Random, label: int) -> Row:
    """A cause and its effect, asked for in either direction, beside those of another pair."""
    right, wrong = rng.sample(_CAUSES, 2)
    name, when, place = rng.choice(NAMES), rng.choice(TIMES), rng.choice(PLACES)
    back = rng.random() < 0.5
    said, answer, other = (
        way.format(n=name) for way in (right[back], right[not back], wrong[not back])
    )
    choices = (other, answer) if label else (answer, other)
    return {
        "premise": f"{when} at the {place} {said}",
        "question": "cause" if back else "effect",
        "connective": "because" if back else "so",
        "choice1": choices[0],
        "choice2": choices[1],
        "label": label,
        "base": f"{when} {place} {said}",
    }


def wic(rng: random.Random, label: int) -> Row:
    """An ambiguous word, first in its commoner sense, then in the same or in the other one."""
    word = rng.choice(list(_SENSES))
    first = rng.choice(_SENSES[word][0])
    second = rng.choice([way for way in _SENSES[word][0 if label else 1] if way != first])
    one, two = rng.sample(NAMES, 2)
    return {
        "word": word,
        "sentence1": f"{one} saw the {word} {first}.",
        "sentence2": f"{two} saw the {word} {second}.",
        "label": label,
        "base": f"{word} {' '.join(sorted((one, two)))}",
    }


def boolq(rng: random.Random, label: int) -> Row:
    """Whether an animal was awake, from what it was seen to do."""
    name, animal, place = rng.choice(NAMES), rng.choice(ANIMALS), rng.choice(PLACES)
    n = rng.randrange(len(_AWAKE))
    return {
        "passage": f"{name} saw the {animal} {(_AWAKE if label else _ASLEEP)[n]} near the {place}.",
        "question": f"was the {animal} awake",
        "label": label,
        "base": f"{name} {animal} {place} {n}",
    }
