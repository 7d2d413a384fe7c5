"""A job's images on pages: filtered, by pages, with what people say of them."""

import re

import httpx
import pytest
from colours import content

from orchestrator.dashboard import gallery


def labels_on(site: httpx.Client, path: str) -> list[str]:
    answer = site.get(path)
    assert answer.status_code == 200, answer.text
    return re.findall(r'<span class="label[^"]*">([^<]*)<', answer.text)


FILTERS = (
    ("", ["red", "green", "error"]),
    ("label=red", ["red"]),
    ("label=red&min_score=&max_score=&error=&needs_review=", ["red"]),
    ("label=unknown", []),
    ("error=any", ["error"]),
    ("error=empty_file", []),
    ("min_score=0&max_score=100", ["red", "green"]),
    ("max_score=1", []),
    ("min_score=100", []),
    ("needs_review=true", []),
)
NO_FILTERS = ("min_score=x", "min_score=101", "max_score=nan", "error=odd", "needs_review=2", "after=-2", "after=x")


def test_filters_leave_what_was_asked_for(site: httpx.Client, world):
    for query, expected in FILTERS:
        found = labels_on(site, f"/jobs/{world.label_job}?{query}")
        kinds = {label if label in ("red", "green") else "error" for label in found}
        assert (query, kinds) == (query, set(expected))


def test_a_filter_that_is_none_is_refused(site: httpx.Client, world):
    for query in NO_FILTERS:
        assert site.get(f"/jobs/{world.label_job}?{query}").status_code == 422, query


def test_pages_follow_one_another_to_the_last_image(site: httpx.Client, world, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gallery, "PAGE_SIZE", 4)
    path, seen = f"/jobs/{world.label_job}", []
    while path:
        html = site.get(path).text
        seen += re.findall(rf"/jobs/{world.label_job}/images/(\d+)\"", html)
        following = re.search(r'href="([^"]+)" rel="next"', html)
        path = following[1].replace("&amp;", "&") if following else ""
    assert [int(number) for number in seen] == list(range(9))


def test_an_image_has_its_answers_and_takes_a_label(site: httpx.Client, world):
    here = f"/jobs/{world.label_job}/images/1"
    html = site.get(here).text
    assert "What colours@1 says" in html
    assert "Nobody has said anything" in html
    answer = site.post(f"{here}/label", data={"model": "colours@1", "label": "red"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{here}?model=colours%401&done=labelled")
    html = site.get(answer.headers["location"]).text
    assert "Your label is written" in html
    assert "counts" in html
    labels = site.get("/api/v1/labels").json()
    assert [(one["label"], one["annotator"], one["origin"]) for one in labels] == [("red", "local", "added")]
    pictures = {content(path) for path in world.pictures.rglob("*.png")}
    assert labels[0]["sha256"] in pictures


def test_a_class_that_the_model_does_not_have_has_to_be_meant(site: httpx.Client, world):
    here = f"/jobs/{world.label_job}/images/1"
    refused = site.post(f"{here}/label", data={"model": "colours@1", "label": "blue"})
    assert refused.status_code == 409
    assert "has no class" in refused.text
    taken = site.post(f"{here}/label", data={"model": "colours@1", "label": "blue", "is_new": "true"})
    assert taken.status_code == 303


def test_an_image_of_a_training_says_what_the_dataset_says(site: httpx.Client, world):
    html = site.get(f"/jobs/{world.train_job}/images/0").text
    assert "The dataset says" in html


def test_each_cell_of_a_confusion_matrix_leads_to_its_images(site: httpx.Client, world):
    html = site.get("/models/colours/versions/1").text
    cells = re.findall(r'href="(/models/colours/versions/1/cell[^"]+)" aria-label="(\d+) images', html)
    assert len(cells) >= 2
    for path, number in cells:
        page = site.get(path.replace("&amp;", "&"))
        assert len(re.findall(rf"/jobs/{world.train_job}/images/\d+\?", page.text)) == int(number)


@pytest.mark.usefixtures("world")
def test_a_cell_that_is_none_is_refused(site: httpx.Client):
    for query in ("evaluation=9999&true=0&predicted=0", "evaluation=1&true=77&predicted=0"):
        assert site.get(f"/models/colours/versions/1/cell?{query}").status_code == 409


def test_what_went_wrong_is_on_the_first_page(site: httpx.Client, world):
    html = site.get("/").text
    assert re.search(rf'href="/jobs/{world.label_job}\?error=\w+"', html)


def test_of_an_image_that_could_not_be_read_no_picture_is_asked_for(site: httpx.Client, world):
    html = site.get(f"/jobs/{world.label_job}?error=any").text
    (ordinal,) = re.findall(rf"/jobs/{world.label_job}/images/(\d+)\"", html)
    for page in (html, site.get(f"/jobs/{world.label_job}/images/{ordinal}").text):
        assert "/thumbnail" not in page
        assert '<span class="lead">broken.png</span>' in page
