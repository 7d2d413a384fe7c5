"""Whatever a name holds, nothing of it runs, and nobody but this server is asked."""

import http.client
import re

import pytest
from hostile_site import CLASSES, MODEL_NAME, NAMES, PAGES
from playwright.sync_api import Page, expect


@pytest.mark.parametrize("path", [*PAGES, "/jobs/3?error=any"])
def test_no_name_becomes_markup(path: str, hostile_site: str, open_pages):
    with open_pages(hostile_site) as (page, watch):
        answer = page.goto(path)
        assert answer is not None
        assert answer.ok, "a page about a mistake has no names"
        touch(page)
        assert page.locator("main svg[onload], main img[onerror], main [onmouseover], main script").count() == 0
        watch.require_nothing()


def touch(page: Page) -> None:
    """Move over everything that a name is in, and let parts be loaded again."""
    page.locator("main").evaluate(
        "(main) => main.querySelectorAll('*').forEach((one) => one.dispatchEvent(new MouseEvent('mouseover')))"
    )
    page.wait_for_timeout(300)
    page.wait_for_load_state("networkidle" if page.locator("[hx-trigger^=every]").count() == 0 else "load")


def test_hostile_names_are_shown_as_they_are(hostile_site: str, open_pages):
    with open_pages(hostile_site) as (page, watch):
        page.goto("/jobs/3")
        expect(page.locator("h1")).to_contain_text(NAMES[0])
        names = page.locator(".gallery .file").all_inner_texts()
        assert {f"{name}.png" for name in NAMES[:5]} <= set(names)
        assert not any("\u202e" in name for name in names), "nothing turns the direction of text round"
        labels = set(page.locator(".gallery .label").all_inner_texts())
        assert labels - {"unreadable", "corrupt", "truncated"} <= set(CLASSES)
        assert len(labels) > 1
        watch.require_nothing()


def test_every_label_can_be_filtered_by(hostile_site: str, open_pages):
    with open_pages(hostile_site) as (page, watch):
        page.goto("/jobs/3")
        labels = set(page.locator("#counts tbody th a").all_inner_texts()) & set(CLASSES)
        assert labels
        for label in labels:
            page.goto("/jobs/3")
            page.locator("#counts tbody th a").filter(has_text=label).click()
            assert set(page.locator(".gallery .label").all_inner_texts()) == {label}
        watch.require_nothing()


def test_classes_that_are_attacks_are_chosen_by_keys_and_written_as_they_are(hostile_site: str, open_pages):
    with open_pages(hostile_site) as (page, watch):
        page.goto(f"/review/{MODEL_NAME}?again=true")
        expect(page.locator("#shown-name")).not_to_be_empty()
        assert page.locator("#classes button span").all_inner_texts() == sorted(CLASSES)
        before = page.locator("#shown-name").inner_text()
        with page.expect_request("**/api/v1/labels") as sent:
            page.keyboard.press("2")
            expect(page.locator("#shown-name")).not_to_have_text(before)
            page.keyboard.press("s")
        response = sent.value.response()
        assert response is not None
        assert response.status == 201
        watch.require_nothing()


def test_a_file_whose_name_is_an_attack_is_uploaded_and_labelled(hostile_site: str, open_pages):
    with open_pages(hostile_site) as (page, watch):
        page.goto("/jobs/3")
        picture = page.request.get("/api/v1/jobs/3/images/0/thumbnail?size=160").body()
        page.goto(f"/upload?model={MODEL_NAME}")
        name = "<b onmouseover=alert(1)>.png"
        page.locator("#files").set_input_files({"name": name, "mimeType": "image/png", "buffer": picture})
        page.get_by_role("button", name="Upload and label").click()
        page.wait_for_url("**/jobs/*?done=submitted")
        expect(page.locator("#progress")).to_have_attribute("data-state", "done", timeout=120_000)
        expect(page.locator(".gallery .file")).to_have_text(name)
        expect(page.locator(".gallery .label")).to_have_text(re.compile("alert"))
        watch.require_nothing()


@pytest.mark.parametrize(
    "path", ["/static/../app.py", "/static/%2e%2e/rendering.py", "/static/..%2frendering.py", "/static//etc/passwd"]
)
def test_no_path_leads_out_of_what_is_served(path: str, hostile_site: str):
    host = hostile_site.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=30)
    # As it is: clients that help would take the dots away.
    connection.putrequest("GET", path)
    connection.endheaders()
    assert connection.getresponse().status == 404
    connection.close()
