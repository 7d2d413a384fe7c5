"""Everybody can use the pages: by axe's rules, by keys alone, on a narrow screen, in the light and in the dark."""

from pathlib import Path

import pytest
from hostile_site import MODEL_NAME, PAGES
from playwright.sync_api import Page, expect

AXE = (Path(__file__).parents[2] / "vendor" / "axe-core" / "axe.min.js").read_text()
# WCAG 2.2 at level AA, and what axe holds to be good practice.
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# Those of the site, and those that everybody sees: the login, and a page that is not there.
ALL_PAGES = (*PAGES, f"/review/{MODEL_NAME}?again=true", "/login", "/nothing")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ALL_PAGES)
def test_axe_finds_nothing(path: str, scheme: str, hostile_site: str, open_pages):
    with open_pages(hostile_site, color_scheme=scheme) as (page, watch):
        page.goto(path)
        page.wait_for_timeout(300)
        page.evaluate(AXE)
        found = page.evaluate("(tags) => axe.run({ runOnly: { type: 'tag', values: tags } })", TAGS)
        assert [describe(one) for one in found["violations"]] == []
        assert len(found["passes"]) > 10
        watch.require_nothing()


def describe(violation: dict) -> str:
    return f"{violation['id']}: {violation['help']}: {[node['html'][:150] for node in violation['nodes'][:3]]}"


@pytest.mark.parametrize("path", ALL_PAGES)
def test_nothing_is_wider_than_a_narrow_screen(path: str, hostile_site: str, open_pages):
    with open_pages(hostile_site, viewport={"width": 400, "height": 800}) as (page, _):
        page.goto(path)
        page.wait_for_timeout(200)
        assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_the_review_is_done_by_keys_alone(hostile_site: str, open_pages):
    with open_pages(hostile_site) as (page, watch):
        page.goto("/review")
        page.keyboard.press("Tab")
        expect(page.locator(".skip")).to_be_focused()
        page.keyboard.press("Enter")
        tab_to(page, "Go on with")
        page.keyboard.press("Enter")
        name = page.locator("#shown-name")
        expect(name).not_to_be_empty()
        first = name.inner_text()
        tab_to(page, "1")
        assert has_outline(page)
        page.keyboard.press("Enter")
        expect(name).not_to_have_text(first)
        expect(page.locator("#classes button").first).to_be_focused()
        expect(page.locator("#review-status")).to_contain_text("not sent yet")
        page.keyboard.press("u")
        expect(name).to_have_text(first)
        page.keyboard.press("s")
        expect(name).not_to_have_text(first)
        page.keyboard.press("/")
        expect(page.get_by_label("Another class")).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.locator("#tally")).to_contain_text("0 answered, 1 skipped")
        watch.require_nothing()


def tab_to(page: Page, text: str) -> None:
    """Press Tab until something that begins so has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent").strip().startswith(text):
            return
    raise AssertionError(f"No Tab leads to {text!r}.")


def has_outline(page: Page) -> bool:
    return page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"


def test_an_answer_that_is_taken_back_in_time_was_never_written(hostile_site: str, open_pages):
    with open_pages(hostile_site) as (page, _):
        sent: list[str] = []
        page.on("request", lambda request: sent.append(request.url) if request.url.endswith("/labels") else None)
        page.goto(f"/review/{MODEL_NAME}?again=true")
        name = page.locator("#shown-name")
        expect(name).not_to_be_empty()
        for _ in range(2):
            page.keyboard.press("1")
            page.keyboard.press("u")
        page.wait_for_timeout(500)
        assert sent == []
        page.keyboard.press("1")
        page.keyboard.press("s")
        expect(page.locator("#tally")).to_contain_text("1 answered")
        page.wait_for_timeout(500)
        assert len(sent) == 1


def test_what_has_the_focus_keeps_it_when_its_part_is_loaded_again(hostile_site: str, open_pages):
    with open_pages(hostile_site) as (page, watch):
        page.goto("/workers")
        table = page.locator("#worker-table")
        table.focus()
        table.evaluate("(one) => { one.dataset.first = 'yes'; }")
        expect(page.locator("#worker-table:not([data-first])")).to_be_focused(timeout=20_000)
        watch.require_nothing()


def test_a_table_that_somebody_has_opened_is_not_closed_by_a_newer_one(hostile_site: str, open_pages):
    with open_pages(hostile_site) as (page, _):
        page.goto("/")
        page.get_by_text("The same as a table").click()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.wait_for_timeout(500)
        page.locator("#last-hour").evaluate("(one) => htmx.ajax('GET', '/overview/throughput', { source: one })")
        page.wait_for_timeout(500)
        assert [url for url in asked if url.endswith("/throughput")] == []
        expect(page.locator("#last-hour details")).to_have_attribute("open", "")


@pytest.mark.parametrize("width", [1280, 400])
def test_a_version_can_be_taken_into_use_without_moving_its_table(width: int, hostile_site: str, open_pages):
    with open_pages(hostile_site, viewport={"width": width, "height": 860}) as (page, _):
        page.goto(f"/models/{MODEL_NAME}")
        button = page.get_by_role("button", name="Promote").first
        edge = button.evaluate("(one) => one.getBoundingClientRect().right")
        assert edge <= page.locator(".scroll").evaluate("(one) => one.getBoundingClientRect().right") <= width
        hidden = page.locator(".scroll").evaluate("(one) => one.scrollWidth - one.clientWidth")
        assert hidden == 0 or width < 1280
