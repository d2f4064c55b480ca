"""Messages: the nearest right name, and nothing a terminal would obey or a stranger could map."""

import pytest

from di_bench.errors import nearest, plain


def test_the_nearest_name_comes_first_and_all_are_listed() -> None:
    assert nearest("gaa", ["npo", "ga"]) == "did you mean 'ga'? There are: ga, npo"
    assert nearest("xyz", ["npo", "ga"]) == "There are: ga, npo"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("FileNotFoundError: /home/me/x/secret.txt", "FileNotFoundError: secret.txt"),
        ("in ~/code/a.py, line 3", "in a.py, line 3"),
        ("builtin/nano di forget01/3, ratio 1/2", "builtin/nano di forget01/3, ratio 1/2"),
        ("\x1b]0;title\x07 and \u202eright to left", "?]0;title? and ?right to left"),
    ],
)
def test_what_is_shown_holds_no_escapes_and_no_folders(said: str, shown: str) -> None:
    assert plain(said) == shown
