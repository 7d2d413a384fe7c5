"""The app: its routes, what guards them, and its description by OpenAPI 3.1."""

from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from anyio import CapacityLimiter
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from limits import RateLimitItem, parse

from core.errors import UsageError
from core.settings import Settings
from orchestrator.api.answers import Answer
from orchestrator.api.backend import Backend
from orchestrator.api.callers import Rates
from orchestrator.api.guarding import Guard
from orchestrator.api.problems import Problem, answer_with_problems, documented
from orchestrator.api.receiving import MAX_RECEIVING
from orchestrator.api.routes import (
    explanations,
    figures,
    health,
    jobs,
    labels,
    models,
    pictures,
    results,
    review,
    schedules,
    training,
    upkeep,
    uploads,
)
from orchestrator.api.turns import Turns
from orchestrator.dashboard.mounting import mount_dashboard
from orchestrator.metrics.registry import OrchestratorMetrics

PREFIX = "/api/v1"
# Of a body that is no file. Ten thousand labels take a fifth of it.
MAX_BODY_BYTES = 4 * 1024**2
# What a form has around its files.
_FORM_OVERHEAD_BYTES = 1024**2
_ROUTERS = (jobs, results, pictures, explanations, training, models, schedules, labels, review, upkeep)
_EVERYWHERE = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.CONFLICT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)


def create_app(backend: Backend, *, metrics: OrchestratorMetrics | None = None) -> FastAPI:
    """Make the app.

    Args:
        backend: what its routes work with.
        metrics: what Prometheus is shown; None: nothing is.

    Raises:
        UsageError: a setting cannot be read.
    """
    app = FastAPI(
        title="Labelyard",
        version=version("labelyard"),
        default_response_class=Answer,
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.backend = backend
    app.state.rates = Rates(_parse_rate(backend.settings))
    app.state.tables = Turns(results.NUM_TABLES, max_wait_s=results.MAX_WAIT_S, what="tables")
    app.state.writing = Turns(models.NUM_WRITING, max_wait_s=models.MAX_WAIT_S, what="files of models")
    app.state.receiving = CapacityLimiter(MAX_RECEIVING)
    app.state.pictures = pictures.Pictures(backend.database, backend.settings)
    app.add_middleware(Guard, only_local_names=not backend.asks_for_tokens)
    answer_with_problems(app)
    app.include_router(health.router)
    if metrics is not None:
        app.include_router(figures.router_of(metrics))
    for module in _ROUTERS:
        # Not by the app, whose limit would come before the guard and answer in plain text.
        app.include_router(
            module.router, prefix=PREFIX, responses=documented(*_EVERYWHERE), max_body_size=MAX_BODY_BYTES
        )
    max_upload_bytes = backend.settings.max_upload_bytes + _FORM_OVERHEAD_BYTES
    app.include_router(
        uploads.router,
        prefix=PREFIX,
        responses=documented(*_EVERYWHERE),
        max_body_size=max_upload_bytes,
    )
    mount_dashboard(app, backend, max_upload_bytes=max_upload_bytes)
    app.openapi = lambda: _describe(app)  # type: ignore[method-assign]  # FastAPI's own way
    return app


def _parse_rate(settings: Settings) -> RateLimitItem:
    try:
        return parse(settings.rate_limit)
    except ValueError as error:
        raise UsageError(
            f"Setting LABELYARD_RATE_LIMIT: received {settings.rate_limit!r}. Expected a number and a time, such as "
            "6000/minute."
        ) from error


def _describe(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        description = get_openapi(title=app.title, version=app.version, routes=app.routes, description=_DESCRIPTION)
        schemas = description["components"]["schemas"]
        schemas["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= schemas["Problem"].pop("$defs", {})
        app.openapi_schema = description
    return app.openapi_schema


_DESCRIPTION = (
    "Labels images in bulk and trains classifiers: what the `labelyard` command does, for programs. Errors are problem "
    "documents (RFC 9457). Times are seconds since 1970."
)
