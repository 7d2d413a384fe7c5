"""The dashboard as a part of the app: its pages, its files, its errors."""

from importlib.metadata import version

from fastapi import Depends, FastAPI

from orchestrator.api.backend import Backend
from orchestrator.dashboard.assets import PREFIX, Assets
from orchestrator.dashboard.glance import Glance
from orchestrator.dashboard.mistakes import answer_with_pages
from orchestrator.dashboard.pages import (
    image,
    job,
    jobs,
    login,
    models,
    overview,
    review,
    schedules,
    train,
    upkeep,
    upload,
)
from orchestrator.dashboard.pages import (
    version as version_page,
)
from orchestrator.dashboard.rendering import Templates
from orchestrator.dashboard.visits import require_own_page

# Of a form without files.
MAX_FORM_BYTES = 1024**2
PAGES = (overview, jobs, job, image, models, version_page, train, schedules, review, upload, upkeep, login)


def mount_dashboard(app: FastAPI, backend: Backend, *, max_upload_bytes: int) -> None:
    """Add the pages to an app that has the API already, with which they share who may ask, and how often.

    Args:
        app: where they go.
        backend: what they work with.
        max_upload_bytes: how long a form with files may be.
    """
    assets = Assets()
    own = [Depends(require_own_page)]
    app.state.glance = Glance(backend.database)
    app.state.templates = Templates(
        {
            "product_version": version("labelyard"),
            "asset": assets.address,
            "asks_for_tokens": backend.asks_for_tokens,
            "flower_url": backend.settings.flower_url,
        }
    )
    app.mount(PREFIX, assets, name="static")
    for page in PAGES:
        app.include_router(page.router, include_in_schema=False)
        if hasattr(page, "forms"):
            app.include_router(page.forms, include_in_schema=False, dependencies=own, max_body_size=MAX_FORM_BYTES)
    app.include_router(upload.large_forms, include_in_schema=False, dependencies=own, max_body_size=max_upload_bytes)
    answer_with_pages(app)
