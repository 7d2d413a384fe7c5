"""Errors as pages for people: what the API would answer as a problem document, in the dashboard's own frame."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from inspect import isawaitable

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from orchestrator.api.problems import MEDIA_TYPE, Problem
from orchestrator.dashboard.rendering import link

Handler = Callable[[Request, Exception], Response | Awaitable[Response]]

# What programs ask; everything else is for people.
_FOR_PROGRAMS = ("/api/", "/healthz", "/readyz", "/metrics")


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
        return _page(request, response)

    return answer


def _page(request: Request, response: Response) -> Response:
    if response.status_code == HTTPStatus.UNAUTHORIZED:
        return _to_login(request)
    problem = Problem.model_validate_json(bytes(response.body))
    if problem.detail == problem.title:
        problem = problem.model_copy(update={"detail": f"There is nothing at {problem.instance} that does this."})
    headers = {name: value for name, value in response.headers.items() if name in ("retry-after", "allow")}
    html = request.app.state.templates.render("problem.html", request, None, problem=problem)
    return HTMLResponse(html, response.status_code, headers)


def _to_login(request: Request) -> Response:
    if request.headers.get("hx-request"):
        # A part of a page cannot be a login; the browser is told to go there as a whole.
        return Response(status_code=HTTPStatus.UNAUTHORIZED, headers={"HX-Redirect": "/login"})
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(link("/login", next=here if request.method == "GET" else "/"), HTTPStatus.SEE_OTHER)
