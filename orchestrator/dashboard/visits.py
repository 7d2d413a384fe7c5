"""Who looks at a page, with what they may do, and how they are answered."""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from core.types import Scope
from orchestrator.api.backend import Backend, BackendDependency
from orchestrator.api.callers import require
from orchestrator.api.problems import RefusedError
from orchestrator.dashboard.glance import Glance
from orchestrator.dashboard.rendering import Templates, link
from orchestrator.tokens import Caller


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of somebody who may make it."""

    request: Request
    backend: Backend
    caller: Caller

    @property
    def glance(self) -> Glance:
        """What all visitors look at together."""
        found: Glance = self.request.app.state.glance
        return found

    def may(self, scope: Scope) -> bool:
        """Whether whoever asks may do what needs this scope."""
        return scope in self.caller.scopes

    def page(self, template: str, *, status: HTTPStatus = HTTPStatus.OK, **context: Any) -> Response:  # noqa: ANN401 - any plain values
        """Answer with a page, or a part of one."""
        templates: Templates = self.request.app.state.templates
        html = templates.render(template, self.request, self.caller, **context)
        # Proxies keep nothing that was shown to one person.
        return HTMLResponse(html, status, {"Cache-Control": "private, no-cache"})


def go_to(path: str, **query: object) -> Response:
    """Send somebody who has changed something on, so that loading the page again changes nothing again."""
    return RedirectResponse(link(path, **query), HTTPStatus.SEE_OTHER)


def require_own_page(request: Request) -> None:
    """Let only requests pass that a browser says are from this site's pages.

    `orchestrator.api.guarding` has refused those that it says are from others. A program may leave both headers out;
    no browser does, and forms are for browsers.

    Raises:
        RefusedError: it says nothing.
    """
    if request.headers.get("origin") is None and request.headers.get("sec-fetch-site") is None:
        raise RefusedError(
            HTTPStatus.FORBIDDEN,
            "other-site",
            "Received a form without Origin or Sec-Fetch-Site. Expected one that a browser sent from a page of this "
            "site; programs use /api/v1.",
        )


def _visit(scope: Scope) -> Callable[..., Visit]:
    def make(request: Request, backend: BackendDependency, caller: Annotated[Caller, Depends(require(scope))]) -> Visit:
        return Visit(request, backend, caller)

    return make


ReaderVisit = Annotated[Visit, Depends(_visit(Scope.READ))]
SubmitterVisit = Annotated[Visit, Depends(_visit(Scope.SUBMIT))]
AdminVisit = Annotated[Visit, Depends(_visit(Scope.ADMIN))]
