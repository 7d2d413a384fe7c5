"""Fixtures of the dashboard's tests: the real program, and a real Chromium that looks at it."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NoReturn

import pytest
from browser import BrowserMissingError, Watch, open_browser
from hostile_site import fill
from playwright.sync_api import Browser, Page
from program import Cli

from orchestrator.drawing import draw_demo

QUICK = {"LABELYARD_TICK_S": "0.5", "LABELYARD_SWEEP_INTERVAL_S": "1"}
TIMEOUT_MS = 60_000


@pytest.fixture(scope="module")
def browser(give_up: Callable[[str], NoReturn]) -> Iterator[Browser]:
    """A browser for a file's tests, and no longer: as long as it is open, its thread has an event loop that runs."""
    try:
        with open_browser() as browser:
            yield browser
    except BrowserMissingError as error:
        give_up(str(error))


@pytest.fixture(scope="session")
def drawings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn pictures of hats, cubes, cards, torches and screws: train/, test/, unlabelled/."""
    return draw_demo(tmp_path_factory.mktemp("drawings")).folder


@pytest.fixture(scope="session")
def serving() -> Callable[[Cli], AbstractContextManager[str]]:
    """Starts all of Labelyard, with one worker; gives its address."""
    return _serving


@contextmanager
def _serving(cli: Cli) -> Iterator[str]:
    served = cli.start("up", "--listen", "127.0.0.1:0", **QUICK)
    assert served.stdout is not None
    said = []
    for line in served.stdout:
        said.append(line)
        if found := re.search(r"answers at (http://\S+)", line):
            yield found[1]
            return
    raise AssertionError("".join(said))


@pytest.fixture(scope="module")
def open_pages(browser: Browser) -> Callable[..., AbstractContextManager[tuple[Page, Watch]]]:
    """Opens a page on an address, and watches it."""

    @contextmanager
    def open_page(address: str, **options: object) -> Iterator[tuple[Page, Watch]]:
        context = browser.new_context(base_url=address, **options)
        context.set_default_timeout(TIMEOUT_MS)
        page, watch = context.new_page(), Watch(address)
        watch.look_at(page)
        yield page, watch
        context.close()

    return open_page


@pytest.fixture(scope="module")
def hostile_site(
    make_environment: Callable[[Path], dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of a server with two versions of a model, a labelled job and a schedule; all names are attacks."""
    folder = tmp_path_factory.mktemp("hostile")
    cli = Cli(make_environment(folder), folder)
    with _serving(cli) as address:
        fill(address, cli, folder)
        yield address
    cli.close()
