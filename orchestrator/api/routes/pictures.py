"""Pictures of a job's images: small ones, and what all routes of pictures share."""

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from sqlalchemy.orm import Session

from core.errors import EngineError, EngineTimeoutError, InputError, UnknownJobError
from core.items import Locator, locator_from_text
from core.settings import Settings
from core.types import Reason
from db.database import Database
from db.ledger.control import get_job
from db.results import read_locator
from orchestrator.api.backend import BackendDependency
from orchestrator.api.callers import Reader
from orchestrator.api.fields import JobId
from orchestrator.api.paging import MAX_ID
from orchestrator.api.problems import RETRY_AFTER_S, RefusedError, documented
from orchestrator.api.turns import Turns
from orchestrator.pictures.explaining import Explanations
from orchestrator.pictures.making import NUM_PROCESSES, Made, PictureMaker

Result = TypeVar("Result")

router = APIRouter(prefix="/jobs/{job_id}/images/{ordinal}", tags=["pictures"])

MIN_SIZE, MAX_SIZE, DEFAULT_SIZE = 32, 1024, 320
# How long a picture may wait behind others before whoever asks is told to come again.
MAX_WAIT_S = 20.0
# One is computed; another one may be kept already, and need not wait for that.
NUM_EXPLAINING = 2
# For so long a browser need not ask whether a picture is still the same.
CACHE_CONTROL = "private, max-age=60"
# What an image's own fault is answered with; the others are 409: it is there, and no picture can be made of it.
_STATUSES = {
    Reason.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Reason.UNREADABLE: HTTPStatus.NOT_FOUND,
    Reason.NOT_ALLOWED: HTTPStatus.FORBIDDEN,
    Reason.TIMED_OUT: HTTPStatus.GATEWAY_TIMEOUT,
}

Ordinal = Annotated[int, Path(ge=0, le=MAX_ID, description="The image's place in the job.")]
Size = Annotated[int, Query(ge=MIN_SIZE, le=MAX_SIZE, description="The longer side, in pixels, at the most.")]


class Pictures:
    """What the routes of pictures share.

    Args:
        database: where models are.
        settings: limits of images, and where pictures are kept.
    """

    def __init__(self, database: Database, settings: Settings) -> None:
        self.maker = PictureMaker.of(settings)
        self.explanations = Explanations(database, self.maker)
        self.turns = Turns(NUM_PROCESSES, max_wait_s=MAX_WAIT_S, what="pictures")
        self.explaining_turns = Turns(NUM_EXPLAINING, max_wait_s=MAX_WAIT_S, what="explanations")

    def close(self) -> None:
        """End the processes."""
        self.maker.close()
        self.explanations.close()


def get_pictures(request: Request) -> Pictures:
    """The app's own."""
    pictures: Pictures = request.app.state.pictures
    return pictures


PicturesDependency = Annotated[Pictures, Depends(get_pictures)]


def picture_responses(content: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    """What a route of pictures may answer, for the description of the API."""
    return {
        HTTPStatus.OK.value: {"description": "The picture.", "content": content},
        HTTPStatus.NOT_MODIFIED.value: {"description": "Whoever asks has the picture already."},
        **documented(HTTPStatus.GATEWAY_TIMEOUT),
    }


@router.get("/thumbnail", response_class=Response, responses=picture_responses({"image/jpeg": {}}))
async def thumbnail(
    request: Request,
    backend: BackendDependency,
    pictures: PicturesDependency,
    _: Reader,
    job_id: JobId,
    ordinal: Ordinal,
    *,
    size: Size = DEFAULT_SIZE,
) -> Response:
    """Show an image of a job, small and upright, as a JPEG."""
    locator = await run_in_threadpool(backend.database.query, partial(locate, job_id=job_id, ordinal=ordinal))
    make = partial(pictures.maker.thumbnail, locator, size, known=known_keys(request))
    return picture_response(await pictures.turns.take(partial(refusing, make)), "image/jpeg")


def locate(session: Session, job_id: int, ordinal: int) -> Locator:
    """Where an image of a job is.

    Raises:
        UnknownJobError: there is no such job, or it has no such image.
    """
    text = read_locator(session, get_job(session, job_id).id, ordinal)
    if text is None:
        raise UnknownJobError(f"Job {job_id} has no image {ordinal}. GET /jobs/{job_id}/results lists those it has.")
    return locator_from_text(text)


def refusing(make: Callable[[], Result]) -> Result:
    """Make something of an image.

    Raises:
        RefusedError: the image cannot be read or decoded, or whoever computes has no time or memory for it.
    """
    try:
        return make()
    except InputError as error:
        status = _STATUSES.get(error.reason, HTTPStatus.CONFLICT)
        raise RefusedError(status, f"image-{error.reason.replace('_', '-')}", error.detail) from error
    except EngineTimeoutError as error:
        raise RefusedError(HTTPStatus.GATEWAY_TIMEOUT, "engine-timeout", str(error)) from error
    except EngineError as error:
        headers = {"Retry-After": str(RETRY_AFTER_S)}
        raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "engine", str(error), headers=headers) from error


def known_keys(request: Request) -> frozenset[str]:
    """The keys of the pictures that whoever asks has. Source: RFC 9110, section 13.1.2."""
    tags = request.headers.get("if-none-match", "").split(",")
    return frozenset(tag.strip().removeprefix("W/").strip('"') for tag in tags)


def picture_response(made: Made, media_type: str) -> Response:
    """The answer that a picture is."""
    headers = {"ETag": f'"{made.key}"', "Cache-Control": CACHE_CONTROL, "Vary": "Accept"}
    if made.data is None:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(made.data, headers=headers, media_type=media_type)
