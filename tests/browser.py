"""A real Chromium for tests: what it is started with, what a page did, how a person drops a folder. Knows no pytest."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, ConsoleMessage, Dialog, Locator, Page, Request, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
# It has no sandbox of its own where tests run as root, and asks nobody but the page's server.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SCREENSHOTS = Path(__file__).parents[1] / "build" / "screenshots"


class BrowserMissingError(Exception):
    """This machine has no Chromium."""


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Start it.

    Raises:
        BrowserMissingError: there is none.
    """
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        raise BrowserMissingError("No Chromium: apt-get install chromium.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser
        browser.close()


@dataclass
class Watch:
    """What a page did that it must not do."""

    own: str  # the address that everything has to come from
    dialogs: list[str] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)  # of scripts, and what the content security policy kept out
    elsewhere: list[str] = field(default_factory=list)  # addresses of others that were asked

    def look_at(self, page: Page) -> None:
        """Note it from now on."""
        page.on("dialog", self._on_dialog)
        page.on("pageerror", lambda error: self.mistakes.append(str(error)))
        page.on("console", self._on_console)
        page.on("request", self._on_request)

    def require_nothing(self) -> None:
        """Fail if there was anything."""
        assert (self.dialogs, self.mistakes, self.elsewhere) == ([], [], [])

    def _on_dialog(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.accept()

    def _on_console(self, message: ConsoleMessage) -> None:
        # A picture that is not there, or a refusal, is an answer of the server and looked at there.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.mistakes.append(message.text)

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith((self.own, "data:", "blob:", "about:")):
            self.elsewhere.append(request.url)


def drop(page: Page, target: Locator, *paths: Path) -> None:
    """Drop files and folders from outside of the browser, as a person does."""
    box = target.bounding_box()
    assert box is not None
    place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    session = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, "data": data, **place})


def load_pictures(pictures: Locator) -> None:
    """Wait until pictures are there, those too that nobody has scrolled to; fails if one cannot be shown."""
    pictures.evaluate_all("(all) => Promise.all(all.map((one) => ((one.loading = 'eager'), one.decode())))")


def keep(page: Page, name: str) -> None:
    """Keep what the page looks like, for people to look at afterwards."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)
