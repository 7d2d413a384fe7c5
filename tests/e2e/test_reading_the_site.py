"""The site as readers have it: opened from the file system in a real browser, without any server or network."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
from documents import ROOT
from playwright.sync_api import Page, sync_playwright


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The site, built as `make docs` does."""
    config = ROOT / "docs" / "site" / "mkdocs.yml"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", config, "--site-dir", tmp_path]
    done = subprocess.run(
        command, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return tmp_path


def test_pages_that_are_opened_as_files_can_be_searched_and_ask_nobody(site: Path, give_up: Callable[[str], NoReturn]):
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        give_up("No Chromium: apt-get install chromium.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        asked, problems = watch(page)
        page.goto((site / "index.html").as_uri())
        page.get_by_role("textbox", name="Search").fill("calibration")
        page.locator(".md-search-result__item > a[href*='explanation/calibration.html']").first.click()
        page.wait_for_url("**/explanation/calibration.html*")
        assert page.locator("h1").inner_text().startswith("Calibration")
        browser.close()
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:", "about:"))] == []
    assert problems == []


def watch(page: Page) -> tuple[list[str], list[str]]:
    """What the page asks for from now on, and what it complains about."""
    asked: list[str] = []
    problems: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: problems.append(str(error)))
    return asked, problems
