"""The site as readers have it: opened from the file system in a real browser, without any server or network."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
from browser import BrowserMissingError, Watch, open_browser
from documents import ROOT
from playwright.sync_api import Page


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The site; whether it is without warnings is for tests/unit/test_site.py to say."""
    config = ROOT / "docs" / "site" / "mkdocs.yml"
    command = [sys.executable, "-m", "mkdocs", "build", "--config-file", config, "--site-dir", tmp_path]
    done = subprocess.run(
        command, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return tmp_path


def test_pages_that_are_opened_as_files_can_be_searched_and_ask_nobody(site: Path, give_up: Callable[[str], NoReturn]):
    watch = Watch("file://")
    try:
        with open_browser() as browser:
            search(browser.new_page(), site, watch)
    except BrowserMissingError as error:
        give_up(str(error))
    watch.require_nothing()


def search(page: Page, site: Path, watch: Watch) -> None:
    """Look for a word, and open what is found."""
    watch.look_at(page)
    page.goto((site / "index.html").as_uri())
    page.get_by_role("textbox", name="Search").fill("calibration")
    page.locator(".md-search-result__item > a[href*='explanation/calibration.html']").first.click()
    page.wait_for_url("**/explanation/calibration.html*")
    assert page.locator("h1").inner_text().startswith("Calibration")
