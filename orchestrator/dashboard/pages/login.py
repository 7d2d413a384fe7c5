"""Logging in: a token becomes a cookie that no script and no other site can use. The server keeps no session."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from orchestrator.api.backend import BackendDependency
from orchestrator.api.callers import SESSION_COOKIE, Rates
from orchestrator.dashboard.addresses import own_path
from orchestrator.dashboard.rendering import Templates
from orchestrator.tokens import identify

router = APIRouter()
forms = APIRouter()

# Browsers forget it then; a token that expires or is revoked ends earlier.
MAX_AGE_S = 30 * 24 * 3600
_MAX_TOKEN_LENGTH = 200


@router.get("/login")
def show(request: Request, next_page: Annotated[str, Query(alias="next", max_length=2000)] = "/") -> Response:
    """The page that asks for a token."""
    # A link on another site brings no cookie along, even if there is one. Once more from here, it does.
    is_from_elsewhere = request.headers.get("sec-fetch-site") == "cross-site"
    return _page(request, next_page, goes_on=own_path(next_page) if is_from_elsewhere else None)


@forms.post("/login")
def log_in(
    request: Request,
    backend: BackendDependency,
    token: Annotated[str, Form()] = "",
    next_page: Annotated[str, Form(alias="next", max_length=2000)] = "/",
) -> Response:
    """Take a token."""
    rates: Rates = request.app.state.rates
    rates.count("an unknown address" if request.client is None else request.client.host)
    token = token.strip()
    if not backend.asks_for_tokens:
        return RedirectResponse("/", HTTPStatus.SEE_OTHER)
    if len(token) > _MAX_TOKEN_LENGTH or identify(backend.database, token) is None:
        problem = "Received a token that is unknown, expired or revoked. `labelyard tokens create NAME` makes one."
        return _page(request, next_page, problem=problem, status=HTTPStatus.FORBIDDEN)
    response = RedirectResponse(own_path(next_page), HTTPStatus.SEE_OTHER)
    response.set_cookie(
        SESSION_COOKIE,
        token,
        max_age=MAX_AGE_S,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return response


@forms.post("/logout")
def log_out() -> Response:
    """Forget the token in this browser; it stays valid."""
    response = RedirectResponse("/login", HTTPStatus.SEE_OTHER)
    response.delete_cookie(SESSION_COOKIE)
    return response


def _page(
    request: Request,
    next_page: str,
    *,
    problem: str | None = None,
    goes_on: str | None = None,
    status: HTTPStatus = HTTPStatus.OK,
) -> Response:
    templates: Templates = request.app.state.templates
    html = templates.render(
        "login.html", request, None, next_page=own_path(next_page), problem=problem, goes_on=goes_on
    )
    return HTMLResponse(html, status)
