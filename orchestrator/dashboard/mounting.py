"""The dashboard as a part of the app: its pages, its files, its errors."""

from importlib.metadata import version
from pathlib import Path

from fastapi import Depends, FastAPI
from fastapi.staticfiles import StaticFiles

from orchestrator.api.backend import Backend
from orchestrator.dashboard.mistakes import answer_with_pages
from orchestrator.dashboard.pages import job, jobs, overview
from orchestrator.dashboard.rendering import Templates
from orchestrator.dashboard.visits import require_own_page

_STATIC = Path(__file__).with_name("static")
_PAGES = (overview, jobs, job)


def mount_dashboard(app: FastAPI, backend: Backend) -> None:
    """Add the pages to an app that has the API already, with which they share who may ask, and how often."""
    app.state.templates = Templates(
        {"version": version("labelyard"), "asks_for_tokens": backend.asks_for_tokens, "flower_url": None}
    )
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")
    for page in _PAGES:
        app.include_router(page.router, include_in_schema=False)
        if hasattr(page, "forms"):
            app.include_router(page.forms, include_in_schema=False, dependencies=[Depends(require_own_page)])
    answer_with_pages(app)
