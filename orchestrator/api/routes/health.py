"""Whether this process lives, and whether it can do its work. Nobody needs a token to ask."""

from http import HTTPStatus
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from core.errors import SetupError
from db.schema import require_schema
from orchestrator.api.backend import BackendDependency
from orchestrator.api.problems import RefusedError, documented

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """All is well."""

    status: Literal["ok"] = "ok"


@router.get("/healthz")
async def is_alive() -> Health:
    """Whether the process answers; if not, it is to be started again."""
    # In no thread: while all of them wait for a database that is away, starting again would help nobody.
    return Health()


@router.get("/readyz", responses=documented(HTTPStatus.SERVICE_UNAVAILABLE))
def is_ready(backend: BackendDependency) -> Health:
    """Whether the database and the broker answer, and the tables are those of this version."""
    try:
        require_schema(backend.database)
        backend.waker.top_up()
    except SetupError:
        # What exactly is away is for those who may look, by `labelyard doctor`.
        raise RefusedError(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "not-ready",
            "The database or the broker does not answer, or its tables are of another version. `labelyard doctor` says "
            "which.",
        ) from None
    return Health()
