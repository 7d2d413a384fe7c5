"""What those who operate an installation look at: workers, settings, tokens, kept features. And the page of words."""

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import Response

from core.errors import UsageError
from db.tokens import revoke
from orchestrator.checks import check_setup
from orchestrator.dashboard.visits import AdminVisit, ReaderVisit, go_to
from orchestrator.features import list_features
from orchestrator.settings_report import describe_settings
from orchestrator.tokens import summarise_tokens

router = APIRouter()
forms = APIRouter()

TokenId = Annotated[str, Path(pattern=r"^[0-9a-f]{12}$")]


@router.get("/workers")
def show_workers(visit: ReaderVisit) -> Response:
    """What each worker does."""
    return visit.page("workers.html", workers=visit.glance.load().workers)


@router.get("/workers/now")
def show_workers_now(visit: ReaderVisit) -> Response:
    """The same without its frame; asked for again and again."""
    return visit.page("workers_now.html", workers=visit.glance.load().workers)


@router.get("/settings")
def show_settings(visit: AdminVisit) -> Response:
    """Settings with their passwords masked, tokens, kept features."""
    database = visit.backend.database
    return visit.page(
        "settings.html",
        settings=describe_settings(visit.backend.settings),
        tokens=database.query(summarise_tokens),
        features=list_features(database),
    )


@router.get("/settings/checks")
def show_checks(visit: AdminVisit) -> Response:
    """Whether everything is there that work needs."""
    return visit.page("checks.html", findings=list(check_setup(visit.backend.settings)))


@forms.post("/settings/tokens/{token_id}/revoke")
def revoke_token(visit: AdminVisit, token_id: TokenId) -> Response:
    """Let a token be good for nothing any more."""
    if not visit.backend.database.transact(lambda session: revoke(session, token_id)):
        raise UsageError(f"Received {token_id!r} as a token's id. Expected one that is there and not revoked yet.")
    return go_to("/settings")


@router.get("/help")
def show_help(visit: ReaderVisit) -> Response:
    """Words and keys."""
    return visit.page("help.html")
