"""Errors as problem documents (RFC 9457). Nothing that goes wrong is answered by anything else.

Source: RFC 9457, Problem Details for HTTP APIs, section 3.
"""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Match

from core.errors import (
    BrokerError,
    DatabaseError,
    LabelyardError,
    UnknownJobError,
    UnknownModelError,
    UnknownScheduleError,
    UnknownUploadError,
    UploadTooLargeError,
)
from orchestrator.api.answers import to_json
from orchestrator.api.paging import UnknownPageError

logger = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:labelyard:problem:"
# When to try again after the database or the broker was away.
RETRY_AFTER_S = 5
_METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")
# 422 is for requests that are not as the API's description says. One that is, and still cannot be carried out with what
# is there, conflicts with it.
_STATUSES: Sequence[tuple[type[LabelyardError], HTTPStatus]] = (
    (UnknownJobError, HTTPStatus.NOT_FOUND),
    (UnknownModelError, HTTPStatus.NOT_FOUND),
    (UnknownScheduleError, HTTPStatus.NOT_FOUND),
    (UnknownUploadError, HTTPStatus.NOT_FOUND),
    (UnknownPageError, HTTPStatus.NOT_FOUND),
    (UploadTooLargeError, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (DatabaseError, HTTPStatus.SERVICE_UNAVAILABLE),
    (BrokerError, HTTPStatus.SERVICE_UNAVAILABLE),
)


class Fault(BaseModel):
    """One place of a request that is wrong."""

    where: str = Field(description="The part of the request: `body.sources.0`, `query.limit`.")
    detail: str = Field(description="What is wrong with it.")


class Problem(BaseModel):
    """Why a request was not carried out."""

    type: str = Field(description="What kind of problem it is, for programs.")
    title: str = Field(description="The same for people.")
    status: int = Field(description="The HTTP status again.")
    detail: str = Field(description="What was received, what was expected, how to mend it.")
    instance: str = Field(description="The path that was asked for.")
    errors: list[Fault] = Field(default_factory=list, description="Each fault of a request that cannot be read.")


class RefusedError(HTTPException):
    """A request that is refused before it is looked at: who asks, how often, from where.

    Args:
        status: the answer's.
        kind: what kind of problem it is, in small letters and hyphens.
        detail: what was received, what was expected, how to mend it.
        headers: to go along.
    """

    def __init__(self, status: HTTPStatus, kind: str, detail: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, detail, headers)
        self.kind = kind


def documented(*statuses: HTTPStatus) -> dict[int | str, dict[str, object]]:
    """What a route may answer apart from what it is for, for the description of the API."""
    return {
        int(status): {"description": status.phrase, "content": {MEDIA_TYPE: {"schema": _REFERENCE}}}
        for status in statuses
    }


_REFERENCE = {"$ref": "#/components/schemas/Problem"}


def answer_with_problems(app: FastAPI) -> None:
    """Have an app answer every error with a problem document."""
    app.add_exception_handler(LabelyardError, _of_ours)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(ClientDisconnect, _of_a_hang_up)
    app.add_exception_handler(Exception, _of_mistake)


def respond(
    request: Request,
    status: HTTPStatus,
    detail: str,
    *,
    kind: str | None = None,
    errors: Sequence[Fault] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A problem document as an answer."""
    problem = Problem(
        type="about:blank" if kind is None else TYPE_PREFIX + kind,
        title=status.phrase if kind is None else kind.replace("-", " ").capitalize(),
        status=status,
        detail=detail,
        instance=request.url.path,
        errors=list(errors),
    )
    return Response(to_json(problem.model_dump()), status, dict(headers or {}), media_type=MEDIA_TYPE)


def _of_ours(request: Request, error: Exception) -> Response:
    kind = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", type(error).__name__.removesuffix("Error")).lower()
    status = next((status for each, status in _STATUSES if isinstance(error, each)), HTTPStatus.CONFLICT)
    headers = {}
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        logger.warning("request_failed", path=request.url.path, problem=str(error))
        headers["Retry-After"] = str(RETRY_AFTER_S)
    return respond(request, status, str(error), kind=kind, headers=headers)


def _of_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - what it is registered for
    faults = [Fault(where=".".join(map(str, each["loc"])), detail=str(each["msg"])) for each in error.errors()]
    listed = "; ".join(f"{fault.where}: {fault.detail}" for fault in faults[:3])
    return respond(
        request,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        f"The request cannot be read: {listed}. /api/v1/openapi.json says what is expected.",
        kind="unreadable-request",
        errors=faults,
    )


def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - what it is registered for
    kind = error.kind if isinstance(error, RefusedError) else None
    status, headers = HTTPStatus(error.status_code), error.headers
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        # Starlette names the methods of the first route of that path alone.
        headers = {"Allow": ", ".join(_methods(request))}
    return respond(request, status, str(error.detail), kind=kind, headers=headers)


def _methods(request: Request) -> list[str]:
    """The methods that some route takes at the path of a request."""
    return [
        method
        for method in _METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in request.app.routes)
    ]


def _of_a_hang_up(request: Request, error: Exception) -> Response:
    del error
    return respond(request, HTTPStatus.BAD_REQUEST, "The connection was closed before the request had come whole.")


def _of_mistake(request: Request, error: Exception) -> Response:
    # The server logs where it happened; those who ask are told nothing of the inside.
    logger.error("request_broke", path=request.url.path, exc_info=error)
    detail = "A mistake of Labelyard's own; its log says more. The request may have been carried out in part."
    return respond(request, HTTPStatus.INTERNAL_SERVER_ERROR, detail, kind="internal")
