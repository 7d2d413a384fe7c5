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
from starlette.responses import Response

from core.errors import (
    BrokerError,
    DatabaseError,
    KeyReusedError,
    LabelyardError,
    NotAllowedError,
    SetupError,
    StateError,
    UnknownJobError,
    UnknownModelError,
    UnknownScheduleError,
    UnknownUploadError,
    UsageError,
)
from orchestrator.api.answers import to_json

logger = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:labelyard:problem:"
# When to try again after the database or the broker was away.
RETRY_AFTER_S = 5
_UNKNOWN = (UnknownJobError, UnknownModelError, UnknownScheduleError, UnknownUploadError)
_STATUSES: Sequence[tuple[type[LabelyardError], HTTPStatus]] = (
    (StateError, HTTPStatus.CONFLICT),
    (KeyReusedError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (NotAllowedError, HTTPStatus.FORBIDDEN),
    (UsageError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (DatabaseError, HTTPStatus.SERVICE_UNAVAILABLE),
    (BrokerError, HTTPStatus.SERVICE_UNAVAILABLE),
    (SetupError, HTTPStatus.CONFLICT),
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
    status = _status(request, error)
    headers = {}
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        logger.warning("request_failed", path=request.url.path, problem=str(error))
        headers["Retry-After"] = str(RETRY_AFTER_S)
    return respond(request, status, str(error), kind=kind, headers=headers)


def _status(request: Request, error: Exception) -> HTTPStatus:
    if isinstance(error, _UNKNOWN):
        # What the path names is not there; what only the body names makes a request that cannot be carried out.
        return HTTPStatus.NOT_FOUND if request.path_params else HTTPStatus.UNPROCESSABLE_ENTITY
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), HTTPStatus.UNPROCESSABLE_ENTITY)


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
    return respond(request, HTTPStatus(error.status_code), str(error.detail), kind=kind, headers=error.headers)


def _of_mistake(request: Request, error: Exception) -> Response:
    # The server logs where it happened; those who ask are told nothing of the inside.
    logger.error("request_broke", path=request.url.path, exc_info=error)
    detail = "A mistake of Labelyard's own; its log says more. The request may have been carried out in part."
    return respond(request, HTTPStatus.INTERNAL_SERVER_ERROR, detail, kind="internal")
