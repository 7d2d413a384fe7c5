"""Who asks, how often, and whether they may. Tokens come in the header `Authorization: Bearer …`, or in a cookie.

Where only this machine can ask, nobody is asked for a token.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer
from limits import RateLimitItem
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from core.types import Scope
from orchestrator.api.backend import BackendDependency
from orchestrator.api.problems import RefusedError
from orchestrator.tokens import ANYBODY, Caller, identify

SESSION_COOKIE = "labelyard_session"

_bearer = HTTPBearer(auto_error=False, description="What `labelyard tokens create` printed.")
_cookie = APIKeyCookie(name=SESSION_COOKIE, auto_error=False, description="The same, kept by the dashboard.")


class Rates:
    """How often each may ask, counted in this process.

    Args:
        limit: so many in so long.
    """

    def __init__(self, limit: RateLimitItem) -> None:
        self._limit = limit
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def count(self, who: str) -> None:
        """Count one request.

        Raises:
            RefusedError: it is one too many.
        """
        if self._limiter.hit(self._limit, who):
            return
        wait_s = self._limit.get_expiry()
        raise RefusedError(
            HTTPStatus.TOO_MANY_REQUESTS,
            "too-many-requests",
            f"Received more than {self._limit.amount} requests in {wait_s} s from {who}. Expected fewer; wait, or have "
            "LABELYARD_RATE_LIMIT raised.",
            headers={"Retry-After": str(wait_s)},
        )


def find_caller(
    request: Request,
    backend: BackendDependency,
    header: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    cookie: Annotated[str | None, Security(_cookie)],
) -> Caller:
    """Find out who asks.

    Raises:
        RefusedError: nobody that is known, or too often.
    """
    rates: Rates = request.app.state.rates
    address = "an unknown address" if request.client is None else request.client.host
    if not backend.asks_for_tokens:
        # Noted for pages that say what went wrong: they keep the frame of whoever asked.
        request.state.caller = ANYBODY
        rates.count(address)
        return ANYBODY
    token = header.credentials if header is not None else cookie
    caller = None if token is None else identify(backend.database, token)
    if caller is None:
        rates.count(address)
        raise _unknown(token)
    request.state.caller = caller
    rates.count(f"token {caller.token_id}")
    return caller


def require(scope: Scope) -> Callable[[Caller], Caller]:
    """A dependency that lets only those pass who may do what needs this scope."""

    def check(caller: Annotated[Caller, Depends(find_caller)]) -> Caller:
        if scope not in caller.scopes:
            raise RefusedError(
                HTTPStatus.FORBIDDEN,
                "scope-missing",
                f"The token {caller.token_id} ({caller.name}) may {', '.join(sorted(caller.scopes))}. Expected one "
                f"that may {scope}: labelyard tokens create NAME --scope {scope}.",
            )
        return caller

    return check


def _unknown(token: str | None) -> RefusedError:
    received = "no token" if token is None else "a token that is unknown, expired or revoked"
    return RefusedError(
        HTTPStatus.UNAUTHORIZED,
        "unauthorized",
        f"Received {received}. Expected the header Authorization: Bearer TOKEN; `labelyard tokens create NAME` makes "
        "one.",
        headers={"WWW-Authenticate": "Bearer"},
    )


Reader = Annotated[Caller, Depends(require(Scope.READ))]
Submitter = Annotated[Caller, Depends(require(Scope.SUBMIT))]
Admin = Annotated[Caller, Depends(require(Scope.ADMIN))]
