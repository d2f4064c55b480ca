"""Everyday words that stories and tasks share, so that a small model meets each of them often."""


def listed(words: str) -> tuple[str, ...]:
    """The words of a line, so that long lists stay readable."""
    return tuple(words.split())


NAMES = listed("Ann Ben Cora Dan Eva Finn Gus Ida Jack Kim Leo Mia Nora Otto Rosa Tom")
COLOURS = listed("red blue green yellow white black")
PLACES = listed("mill barn river garden market forest beach school church bridge")
THINGS = listed("hat ball bell book cup lamp box drum")
ANIMALS = listed("dog cat fox hen goat duck owl frog horse mouse")
TIMES = (
    "On Monday",
    "On Friday",
    "In spring",
    "In winter",
    "One day",
    "At noon",
    "Last night",
    "That morning",
)
