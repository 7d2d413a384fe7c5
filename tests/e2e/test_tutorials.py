"""The tutorials do what they say: a reader who types their commands, one after the other, sees what they show."""

import pytest
from documents import ROOT
from tutorials import Reader, environment, is_shown

TUTORIALS = ("first-labels", "your-own-classes", "nightly-retraining")


@pytest.mark.timeout(900)  # a minute and a half, where nobody else computes
def test_whoever_follows_the_tutorials_sees_what_they_show(test_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("me")  # a short name: tables fold long ones
    reader = Reader(folder, environment(test_data / "keras"))
    for name in TUTORIALS:
        reader.follow(ROOT / "docs" / "tutorials" / f"{name}.md")
    assert len(reader.shown) > 15
    for block, printed in reader.shown:
        really = printed.replace(str(folder), "/home/me/labelyard")
        assert is_shown(block.text, really), f"{block.page.name}:{block.line} shows\n{block.text}\nbut it is\n{really}"


def test_no_tutorial_is_left_out():
    assert {path.stem for path in (ROOT / "docs" / "tutorials").glob("*.md")} == set(TUTORIALS)


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("Job 1 done: 4 images, 6.9 s", "Job 12 done: 4 images, 11 s\n", True),
        ("a  1\n…\nz  26", "a 1\nb 2\nz 26", True),
        ("a  1\n…\nz  26", "a 1\nb 2\ny 25", False),
        ("Job 1 done: 4 images", "Job 1 failed: 4 images", False),
        ("Wrote labels.csv", "Wrote labels.csv\nWrote sheet.png", False),
    ],
)
def test_output_is_compared_but_for_its_numbers(shown, printed, same):
    assert is_shown(shown, printed) == same
