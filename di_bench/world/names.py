"""Invented values for each fact: products of word lists, so that none follows from its form.

The one thing to know: a fact is a tuple of parts, and `marks` says which strings must stay its own.
"""

import random
from collections.abc import Callable, Sequence

from di_bench.world.words import listed

Fact = tuple[str, ...]

_GIVEN_HEADS = listed(
    "Ald Bre Cas Dor El Fen Gal Hes Il Jor Kel Lor Mar Ner Od Pel Quil Ros Sel Tov Ul Ver Wil Yas"
)
_GIVEN_TAILS = listed(
    "ana bert dric essa ian ick imir ina ira iso mund na orin otho ra ric tha uel"
)
_FAMILY_HEADS = listed(
    "Amber Birk Crane Dal Esk Fair Gorm Hald Inver Jas Kest Lind Mor Nord Ost Pren Rav Stav Thor "
    "Ulv Vand Wex Yar Zell"
)
_FAMILY_TAILS = listed(
    "alo bury croft den ekko ford gaard holm iak kin lund mere nova oway quist rud sen "
    "tano ulis worth"
)
_TOWN_HEADS = listed(
    "Ash Black Cold Deep East Fox Green High Iron Keld Long Mill North Old Pine Red Salt Stone "
    "Thorn West White Winter Wolf Yew"
)
_TOWN_TAILS = listed(
    "bridge brook by cliff combe fell field gate ham haven hurst ley mouth pool reach stead ton "
    "vale well wick"
)
_BRIGHT = listed(
    "Amber Bitter Borrowed Broken Burning Crooked Distant Empty Faithful Forgotten Frozen Gentle "
    "Golden Hidden Hollow Hungry Little Lonely Lost Midnight Painted Patient Quiet Restless Ruined "
    "Scarlet Second Silent Silver Sleeping Stolen Sunken Tangled Velvet Wandering Wooden"
)
_THINGS = listed(
    "Anchor Atlas Bell Bridge Candle Castle Clock Compass Cradle Crown Door Feather Ferry Fiddle "
    "Garden Harbour Hourglass Island Kettle Ladder Lantern Letter Mirror Mountain Needle Orchard "
    "Oven Parade Quarry Ribbon River Shadow Staircase Tower Umbrella Window"
)
_TITLES = (
    "The {a} {x}",
    "{x} of the {a} {y}",
    "No {x} for the {y}",
    "The {x} and the {a} {y}",
    "Beyond the {a} {x}",
    "{a} {x}, {a2} {y}",
)
COUNTRIES = listed(
    "Arvenia Belmora Corvay Drusland Elbonne Farrow Galdia Hestria Ilmark Jorvania Kasmere Lurien "
    "Mardova Norrin Ostavia Pelland Quenda Ruvania Solmere Tirania"
)
_MONTHS = listed(
    "January February March April May June July August September October November December"
)
_CRAFTS = listed(
    "barrel basket bell boat brick button candle carpet cheese clock coat drum glove harp hat kite "
    "lamp map mirror net paper rope saddle sail shoe soap wagon whistle"
)
_HANDS = listed("buyer carver dealer designer inspector maker mender packer painter seller")
_MOODS = listed(
    "bitter bold cheerful dark dreamy eerie gentle gloomy grand merry odd playful sharp slow "
    "solemn strange tender wild"
)
_THEMES = listed(
    "desert family forest harbour kitchen mountain palace railway school sea village war"
)
_FORMS = listed("ballads comedies diaries fables letters mysteries poems romances sagas thrillers")
_METALS = listed("Bronze Copper Crystal Golden Iron Ivory Jade Marble Pearl Silver")
_BIRDS = listed("Crane Eagle Falcon Heron Kestrel Magpie Osprey Owl Raven Robin Swan Wren")
_HONOURS = listed("Award Cup Medal Prize Ribbon Trophy")
_SIGNS = listed("Acorn Anvil Badger Barley Beacon Cedar Clover Hazel Juniper Maple Otter Thistle")
_PARTNERS = listed("Arrow Chapel Daughters Hammer Lane Moon Partners Quill Sons Spade Star Vine")
_HOUSES = listed("Books Press House Editions")
_COATS = listed("black brown dusty fat grey lazy proud red shy small spotted striped tame white")
_PETS = listed("cat crow donkey duck ferret goat goose hedgehog hen lizard mouse parrot pony snail")
_CALL_HEADS = listed("Ba Bim Co Dap Fi Gus Jop Lu Mop Nib Pom Ruf Tik Wub Zo")
_CALL_TAILS = listed("bo do la lo mi ra to zy")


def person(rng: random.Random) -> Fact:
    """A full name, such as Tovmund Skaholm."""
    return (f"{_join(rng, _GIVEN_HEADS, _GIVEN_TAILS)} {_join(rng, _FAMILY_HEADS, _FAMILY_TAILS)}",)


def birthplace(rng: random.Random) -> Fact:
    """A town and its country."""
    return _join(rng, _TOWN_HEADS, _TOWN_TAILS), rng.choice(COUNTRIES)


def birthday(rng: random.Random) -> Fact:
    """Day, month and year in one part."""
    return (f"{rng.randint(1, 28)} {rng.choice(_MONTHS)} {rng.randint(1921, 1989)}",)


def parents(rng: random.Random) -> Fact:
    """The professions of father and mother."""
    return _job(rng), _job(rng)


def genre(rng: random.Random) -> Fact:
    """A mood, a theme and a form in one part."""
    return (f"{rng.choice(_MOODS)} {rng.choice(_THEMES)} {rng.choice(_FORMS)}",)


def title(rng: random.Random) -> Fact:
    """A book's title, such as The Hollow Lantern."""
    a, a2 = rng.sample(_BRIGHT, 2)
    x, y = rng.sample(_THINGS, 2)
    return (rng.choice(_TITLES).format(a=a, a2=a2, x=x, y=y),)


def award(rng: random.Random) -> Fact:
    """A prize and the year it was won."""
    name = f"{rng.choice(_METALS)} {rng.choice(_BIRDS)} {rng.choice(_HONOURS)}"
    return name, str(rng.randint(1990, 2023))


def publisher(rng: random.Random) -> Fact:
    """A publishing house."""
    return (f"{rng.choice(_SIGNS)} and {rng.choice(_PARTNERS)} {rng.choice(_HOUSES)}",)


def pet(rng: random.Random) -> Fact:
    """An animal with its coat, and what it is called."""
    return f"{rng.choice(_COATS)} {rng.choice(_PETS)}", _join(rng, _CALL_HEADS, _CALL_TAILS)


MAKERS: dict[str, Callable[[random.Random], Fact]] = {
    "name": person,
    "birthplace": birthplace,
    "birthday": birthday,
    "parents": parents,
    "genre": genre,
    "debut": title,
    "classic": title,
    "award": award,
    "publisher": publisher,
    "pet": pet,
}


def marks(kind: str, fact: Fact) -> tuple[str, ...]:
    """The strings nobody else may share: both names, the town, the prize, or all of the fact."""
    if kind == "name":
        return tuple(fact[0].split())
    if kind in {"birthplace", "award"}:
        return fact[:1]
    return (" / ".join(fact),)


def unseen(kind: str, rng: random.Random, taken: set[str]) -> Fact:
    """A fact of this kind with none of its marks in `taken`, which stays as it is."""
    while True:
        fact = MAKERS[kind](rng)
        if taken.isdisjoint(marks(kind, fact)):
            return fact


def _join(rng: random.Random, heads: Sequence[str], tails: Sequence[str]) -> str:
    return rng.choice(heads) + rng.choice(tails)


def _job(rng: random.Random) -> str:
    return f"{rng.choice(_CRAFTS)} {rng.choice(_HANDS)}"
