import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from core.types import Split
from orchestrator.reports.rendering import MAX_LEFT_OUT, MAX_MISTAKES, render_report
from orchestrator.reports.values import LeftOutImage, Mistake
from workers.ml.evaluation import evaluate

VOID = {"meta", "img", "br", "hr", "link", "input"}
HOSTILE = """<script>alert('1')</script>"&\udce9\x00"""


class Page(HTMLParser):
    """Reads a page strictly: every element is closed by its own end, in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> has an attribute twice"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def attributes(self, tag: str, name: str) -> list[str | None]:
        return [attributes[name] for element, attributes in self.elements if element == tag and name in attributes]


@pytest.fixture
def hostile(report):
    """A report in which everything that people name is markup."""
    answers = np.array([[0, 1], [1, 0], [1, 0]])
    return replace(
        report,
        name=HOSTILE,
        created=HOSTILE,
        num_images={"train": {HOSTILE: 3, "bees": 2}},
        options={HOSTILE: HOSTILE},
        evaluations={
            Split.VAL: evaluate(np.array([0, 0, 1]), answers, np.full((3, 2), 0.5, np.float32), (HOSTILE, "bees"))
        },
        mistakes=[Mistake(HOSTILE, HOSTILE, HOSTILE, 0.9, b"\xff\xd8\xff")],
        left_out=[LeftOutImage(HOSTILE, HOSTILE, HOSTILE)],
        notes=[HOSTILE],
    )


def test_a_report_is_well_formed_and_shows_its_headline_figures(report):
    page = Page(render_report(report))

    evaluation = report.evaluations[Split.VAL]
    assert page.text.startswith("insects@3")
    assert f"Accuracy {evaluation.accuracy:.1%}" in page.text
    assert f"Macro F1 {evaluation.macro.f1:.3f}" in page.text
    assert "Parameters trained 2,307 1,832,976 stayed as they were" in page.text
    assert "Two images are duplicates." in page.text
    assert "temperature 1.250" in page.text


def test_every_link_of_the_menu_leads_to_a_section(report, bare):
    for each in (report, bare):
        page = Page(render_report(each))
        sections = {f"#{name}" for name in page.attributes("section", "id")}
        assert set(page.attributes("a", "href")) == sections


def test_a_report_loads_nothing_and_runs_nothing(report):
    html = render_report(report)
    page = Page(html)

    assert re.findall(r"https?:|//\w|url\(|@import", html) == []
    assert {element for element, _ in page.elements} & {"script", "link", "iframe", "object", "base", "form"} == set()
    assert all(source.startswith("data:image/") for source in page.attributes("img", "src"))
    assert all(target.startswith("#") for target in page.attributes("a", "href"))
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]


def test_names_are_text_whatever_they_hold(hostile):
    html = render_report(hostile)
    page = Page(html)

    assert "script" not in {element for element, _ in page.elements}
    # Closed by its own quotes, an attribute would end early and the rest would be attributes of their own.
    assert not [
        name for _, attributes in page.elements for name in attributes if not re.fullmatch(r"[a-zA-Z0-9-]+", name)
    ]
    assert page.text.count("""<script>alert('1')</script>"&\N{REPLACEMENT CHARACTER}""") >= 10
    assert "\x00" not in html
    assert html.encode()


def test_mistakes_are_shown_with_the_surest_first(report):
    page = Page(render_report(report))

    names = re.findall(r"val/\w+/\w+\.jpg", page.text)
    assert names == ["val/bees/certain.jpg", "val/bees/gone.jpg", "val/ants/unsure.jpg"]
    assert page.attributes("img", "alt") == [
        "val/bees/certain.jpg: bees, taken for ants",
        "val/ants/unsure.jpg: ants, taken for bees",
    ]
    assert [source.split(";")[0] for source in page.attributes("img", "src")] == ["data:image/png", "data:image/jpeg"]
    assert "no picture" in page.text


def test_long_lists_are_cut_and_say_so(report):
    many = replace(
        report,
        mistakes=report.mistakes * 100,
        left_out=[LeftOutImage(f"image {number}", "corrupt", "") for number in range(MAX_LEFT_OUT + 7)],
    )

    page = Page(render_report(many))

    assert page.text.count(", is bees") + page.text.count(", is ants") == MAX_MISTAKES
    assert f"image {MAX_LEFT_OUT - 1} " in page.text
    assert f"image {MAX_LEFT_OUT} " not in page.text
    assert "… and 7 more." in page.text


def test_a_thumbnail_of_another_kind_is_refused(report):
    with pytest.raises(ValueError, match=r"expected PNG or JPEG, received bytes that begin with b'GIF89a'"):
        render_report(replace(report, mistakes=[Mistake("a", "ants", "bees", 0.9, b"GIF89a")]))


def test_what_is_missing_leaves_its_section_out(bare):
    page = Page(render_report(bare))

    assert page.attributes("section", "id") == ["settings"]
    assert page.attributes("svg", "role") == []


def test_the_headline_is_of_the_images_that_had_the_least_part_in_training(report):
    test = evaluate(np.array([0, 1]), np.array([[0], [0]]), np.ones((2, 1), np.float32), ("ants", "bees"))

    page = Page(render_report(replace(report, evaluations={**report.evaluations, Split.TEST: test})))

    assert "On 2 test images" in page.text
    assert "Accuracy 50.0%" in page.text
    assert "On 90 validation images" in Page(render_report(report)).text
    only_train = replace(report, evaluations={Split.TRAIN: test})
    assert "On the 2 images that it learned from" in Page(render_report(only_train)).text


def test_a_class_that_imagenet_lacks_leaves_the_baseline_without_an_accuracy(report):
    assert report.zero_shot.unmatched == ("wasps",)

    text = Page(render_report(report)).text

    assert "ImageNet lacks 1 of the classes" in text
    assert "but not wasps" in text


def test_every_chart_has_a_text_for_those_who_cannot_see_it(report):
    page = Page(render_report(report))

    charts = [attributes for element, attributes in page.elements if element == "svg"]
    assert len(charts) == 3
    assert all(chart["role"] == "img" and chart["aria-label"] for chart in charts)
    assert page.text.count("(best, kept)") == 1
