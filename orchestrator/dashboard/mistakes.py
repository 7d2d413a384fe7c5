"""Errors as pages for people: what the API would answer as a problem document, in the dashboard's own frame."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from inspect import isawaitable
from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from core.errors import LabelyardError
from orchestrator.api.callers import SESSION_COOKIE
from orchestrator.api.problems import MEDIA_TYPE, Problem
from orchestrator.dashboard.addresses import own_path
from orchestrator.dashboard.rendering import link
from orchestrator.tokens import ANYBODY, Caller, identify

Handler = Callable[[Request, Exception], Response | Awaitable[Response]]

# What programs ask; everything else is for people.
_FOR_PROGRAMS = ("/api/", "/healthz", "/readyz", "/metrics")
_TITLES = {
    HTTPStatus.FORBIDDEN: "Not allowed",
    HTTPStatus.NOT_FOUND: "Not found",
    HTTPStatus.METHOD_NOT_ALLOWED: "This page does not do that",
    HTTPStatus.CONFLICT: "This cannot be done now",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Too large",
    HTTPStatus.UNPROCESSABLE_ENTITY: "This was not understood",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many requests",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something went wrong here",
    HTTPStatus.SERVICE_UNAVAILABLE: "Not available right now",
}


def answer_with_pages(app: FastAPI) -> None:
    """Have an app that answers errors with problem documents answer people with pages."""
    for kind, handler in list(app.exception_handlers.items()):
        app.add_exception_handler(kind, _for_people(handler))


def is_for_programs(path: str) -> bool:
    """Whether a path belongs to the API."""
    return path.startswith(_FOR_PROGRAMS)


def _for_people(handler: Handler) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def answer(request: Request, error: Exception) -> Response:
        made = handler(request, error)
        response = await made if isawaitable(made) else made
        if is_for_programs(request.url.path) or response.headers.get("content-type") != MEDIA_TYPE:
            return response
        return await run_in_threadpool(_page, request, response)

    return answer


def _page(request: Request, response: Response) -> Response:
    if response.status_code == HTTPStatus.UNAUTHORIZED:
        return _to_login(request)
    problem = Problem.model_validate_json(bytes(response.body))
    caller = _find_caller(request)
    headers = {name: value for name, value in response.headers.items() if name in ("retry-after", "allow")}
    html = request.app.state.templates.render(
        "problem.html",
        request,
        caller,
        title=_TITLES.get(HTTPStatus(response.status_code), problem.title),
        sentences=_sentences(problem, caller),
        back=_way_back(request),
    )
    return HTMLResponse(html, response.status_code, headers | {"Cache-Control": "private, no-cache"})


def _sentences(problem: Problem, caller: Caller | None) -> list[str]:
    """What went wrong, for people; what is between backticks is something to type."""
    if problem.type.endswith(":scope-missing") and caller is not None:
        may = " and ".join(sorted(caller.scopes))
        return [f"You are logged in as {caller.name}, who may {may}.", "Ask whoever made that token for one that may."]
    if problem.errors:
        return [f"{fault.where.rpartition('.')[2]}: {fault.detail}." for fault in problem.errors]
    if problem.detail == problem.title:
        return [f"There is nothing at {problem.instance} that does this."]
    return [problem.detail]


def _find_caller(request: Request) -> Caller | None:
    """Whose frame the page is put into.

    Where a path leads nowhere nobody has looked yet who asks. That is not worth another mistake where there is no
    database: the frame is then that of somebody unknown.
    """
    known: Caller | None = getattr(request.state, "caller", None)
    backend = request.app.state.backend
    if known is not None:
        return known
    if not backend.asks_for_tokens:
        return ANYBODY
    token = request.cookies.get(SESSION_COOKIE)
    try:
        return None if token is None else identify(backend.database, token)
    except LabelyardError:
        return None


def _way_back(request: Request) -> str | None:
    """The page that somebody came from, if it is another one of ours."""
    try:
        parts = urlsplit(request.headers.get("referer", ""))
    except ValueError:
        # Brackets where a host would be.
        return None
    if parts.netloc != request.url.netloc or parts.path in (request.url.path, "/", "/login"):
        return None
    path = own_path(parts.path + (f"?{parts.query}" if parts.query else ""))
    return None if path == "/" or is_for_programs(path) else path


def _to_login(request: Request) -> Response:
    if request.headers.get("hx-request"):
        # A part of a page cannot be a login; the browser is told to go there as a whole.
        return Response(status_code=HTTPStatus.UNAUTHORIZED, headers={"HX-Redirect": "/login"})
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(link("/login", next=here if request.method == "GET" else "/"), HTTPStatus.SEE_OTHER)
