"""What is refused before a route is looked for: other sites' pages in a browser of somebody who is logged in.

A page from elsewhere can send requests to this address, and read the answers by a name of its own that it lets resolve
to this address. Hence names are checked, and what changes something must come from our own pages or from no page.
"""

import ipaddress
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestrator.api.problems import respond

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITES = frozenset({"same-origin", "none"})
_TOO_LARGE = "Received a larger body than this path takes. Expected at most 4 MiB of JSON; files come as uploads."
# Everything that a page of ours loads comes from us; nobody frames it.
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """Refuses what comes from other sites, and says how browsers are to treat answers.

    Args:
        app: what it guards.
        only_local_names: whether this server is to be called by no name but this machine's own.
    """

    def __init__(self, app: ASGIApp, *, only_local_names: bool) -> None:
        self._app = app
        self._only_local_names = only_local_names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        problem = self._problem(request.method, request.headers)
        if problem is not None:
            response = respond(request, HTTPStatus.FORBIDDEN, problem, kind="other-site")
            await response(scope, receive, send)
            return

        is_too_large = False

        async def send_with_headers(message: Message) -> None:
            nonlocal is_too_large
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                # FastAPI's own limit answers in plain text.
                is_too_large = message["status"] == HTTPStatus.REQUEST_ENTITY_TOO_LARGE and headers.get(
                    "content-type", ""
                ).startswith("text/plain")
                for name, value in _PAGE_HEADERS.items():
                    headers.setdefault(name, value)
            if not is_too_large:
                await send(message)

        await self._app(scope, receive, send_with_headers)
        if is_too_large:
            await respond(request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _TOO_LARGE, kind="content-too-large")(
                scope, receive, send
            )

    def _problem(self, method: str, headers: Headers) -> str | None:
        host = headers.get("host", "")
        if self._only_local_names and not _is_local(host):
            return (
                f"Received the host name {host!r}. Expected 127.0.0.1 or localhost: without tokens this server answers "
                "to this machine's own names alone."
            )
        if method in SAFE_METHODS:
            return None
        origin = headers.get("origin")
        site = headers.get("sec-fetch-site")
        if (site is not None and site not in _OWN_SITES) or (origin is not None and origin.partition("://")[2] != host):
            return f"Received a request from {origin or 'another site'}. Expected one from this site's own pages."
        return None


def _is_local(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        if name == "localhost":
            return True
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
