"""What no database or file system takes is refused with its line, before anything is looked for."""

from dataclasses import replace

import pytest

from core.errors import UsageError
from core.items import ArrayLocator, FileLocator, MemberLocator
from orchestrator.labels.checking import keep_sound
from orchestrator.labels.values import GivenLabel, Problems

GOOD = GivenLabel("line 2 of a.csv", "1.jpg", FileLocator("/1.jpg"), "red")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"label": " "}, "the label is empty"),
        ({"label": "a\0b"}, "the label is 'a\\x00b'"),
        ({"label": "\ud800"}, "expected text, as the name of a folder has"),
        ({"annotator": "a\0b"}, "expected up to 200 characters that can be printed"),
        ({"annotator": "\udce9"}, "the annotator is '\\udce9'"),
        ({"annotator": "x" * 201}, "expected up to 200 characters"),
        ({"sha256": "a\0b"}, "expected 64 digits of 0-9a-f"),
        ({"sha256": "F" * 64}, "expected 64 digits of 0-9a-f"),
        ({"created_at": -1.0}, "created_at is before 1970"),
        ({"image": "a\0b"}, "cannot be the name of an image"),
        ({"image": "\ud800"}, "cannot be the name of an image"),
        ({"locator": FileLocator(5)}, "cannot be the name of an image"),
        ({"locator": FileLocator("/\ud800")}, "cannot be the name of an image"),
        ({"locator": ArrayLocator("/a.npy", "first", 1.0)}, "cannot be the name of an image"),
        ({"locator": MemberLocator("/a.tar", "1.jpg", -1, 5)}, "cannot be the name of an image"),
    ],
)
def test_what_cannot_be_stored_is_refused_with_its_line_and_the_others_are_kept(wrong: dict, words: str):
    problems = Problems()
    assert keep_sound([replace(GOOD, **wrong), GOOD], "ada", problems) == [GOOD]
    (problem,) = problems.sentences
    assert problem.startswith("line 2 of a.csv: ")
    assert words in problem
    with pytest.raises(UsageError, match="1 of the labels cannot be taken"):
        problems.raise_any()


def test_a_person_whose_name_no_database_takes_is_refused():
    problems = Problems()
    assert keep_sound([GOOD], "\udce9", problems) == []
    assert keep_sound([replace(GOOD, annotator="ada")], "\udce9", problems) != []


@pytest.mark.parametrize(
    "locator", [None, FileLocator("/\udce9.jpg"), ArrayLocator("/a.npy", 0, 1.0), MemberLocator("/a.tar", "b", 512, 5)]
)
def test_names_that_are_not_utf_8_are_names(locator):
    given = replace(GOOD, image="\udce9.jpg", label="\udce9", locator=locator, sha256="0" * 64, created_at=0.0)
    problems = Problems()
    assert keep_sound([given], "ada", problems) == [given]
