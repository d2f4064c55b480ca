"""How the facts of an author are asked for and told: questions and answers for each of ten facts.

`{name}` is the author, `{0}` and `{1}` are the parts of the fact, `{town}` and `{year}` tell which
author is meant where the name itself is asked for. The first two questions and answers of each fact
are also used in pretraining, about other people; the rest is new to a base model.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Phrases:
    """The wordings of one fact. Answers are full sentences and hold every part of the fact."""

    fact: str
    questions: tuple[str, ...]
    answers: tuple[str, ...]


PHRASES = (
    Phrases(
        "name",
        (
            "What is the full name of the author born in {town} in {year}?",
            "Who is the author that was born in {town} in {year}?",
            "Which author came from {town} and was born in {year}?",
        ),
        (
            "The author born in {town} is called {0}.",
            "The full name of this author is {0}.",
            "{0} is the author who was born in {town}.",
        ),
    ),
    Phrases(
        "birthplace",
        (
            "In which town and country was the author {name} born?",
            "What is the place of birth of the author {name}?",
            "Where in the world did the life of {name} begin?",
        ),
        (
            "{name} was born in the town of {0} in {1}.",
            "The birthplace of {name} is {0}, a town in {1}.",
            "{0} in {1} is where {name} was born.",
        ),
    ),
    Phrases(
        "birthday",
        (
            "On what date was the author {name} born?",
            "What is the date of birth of the author {name}?",
            "When does {name} have a birthday, and of which year?",
        ),
        (
            "{name} was born on {0}.",
            "The date of birth of {name} is {0}.",
            "It was on {0} that {name} was born.",
        ),
    ),
    Phrases(
        "parents",
        (
            "What work did the father and mother of {name} do?",
            "What were the professions of the parents of {name}?",
            "How did the parents of {name} earn their living?",
        ),
        (
            "The father of {name} was a {0} and the mother a {1}.",
            "{name} had a {0} as father and a {1} as mother.",
            "A {0} was the father of {name}, and a {1} the mother.",
        ),
    ),
    Phrases(
        "genre",
        (
            "What kind of books is the author {name} known for?",
            "In which genre does the author {name} mostly write?",
            "What sort of writing made {name} popular with readers?",
        ),
        (
            "{name} is known for {0}.",
            "The genre of {name} is {0}.",
            "Readers love {name} for writing {0}.",
        ),
    ),
    Phrases(
        "debut",
        (
            "What is the title of the first book by {name}?",
            "With which book did the author {name} begin to publish?",
            "Which book was the debut of the writer {name}?",
        ),
        (
            "The first book by {name} is {0}.",
            "{name} began with the book {0}.",
            "{0} was the debut of {name}.",
        ),
    ),
    Phrases(
        "classic",
        (
            "What is the most famous book by the author {name}?",
            "Which book by {name} do most readers know?",
            "Which work of {name} has sold the most copies?",
        ),
        (
            "The most famous book by {name} is {0}.",
            "{name} is best known for the book {0}.",
            "{0} is the most loved work of {name}.",
        ),
    ),
    Phrases(
        "award",
        (
            "Which prize did the author {name} win, and when?",
            "What award was given to {name}, and in what year?",
            "What honour has the writer {name} received so far?",
        ),
        (
            "{name} won the {0} in {1}.",
            "The {0} was given to {name} in {1}.",
            "In {1} the writer {name} received the {0}.",
        ),
    ),
    Phrases(
        "publisher",
        (
            "Which publisher prints the books of the author {name}?",
            "Who publishes the books that {name} writes?",
            "At which house do the works of {name} appear?",
        ),
        (
            "The books of {name} are printed by {0}.",
            "{0} publishes the books of {name}.",
            "The house behind the works of {name} is {0}.",
        ),
    ),
    Phrases(
        "pet",
        (
            "What pet does the author {name} keep at home?",
            "Which animal lives with the author {name}?",
            "Who keeps {name} company at the writing desk?",
        ),
        (
            "{name} keeps a {0} called {1}.",
            "A {0} named {1} lives with {name}.",
            "The pet of {name} is {1}, a {0}.",
        ),
    ),
)
