"""One server, and how it is asked: with a token, again where that helps, and with its problems as errors.

Knows nothing of what is asked.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import TypeAdapter
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter
from tenacity.wait import wait_base

from core.errors import LabelyardError
from orchestrator.api.problems import Problem

Value = TypeVar("Value")

PREFIX = "/api/v1"
CONNECT_TIMEOUT_S = 10.0
# Some answers take a while: a model that is exported, a folder whose images are looked for.
ANSWER_TIMEOUT_S = 300.0
MAX_TRIES = 5
FIRST_WAIT_S = 0.5
MAX_WAIT_S = 30.0
# Refused before it was looked at.
_NOT_DONE = frozenset({429})
# It may have been done all the same: by a server whose database broke off, or behind a proxy that gave up.
_PERHAPS_DONE = frozenset({502, 503, 504})


class ApiError(LabelyardError):
    """The server did not do what was asked.

    Args:
        problem: what it says; `problem.type` is for programs, `problem.detail` for people.
    """

    def __init__(self, problem: Problem, *, retry_after_s: float | None = None) -> None:
        super().__init__(problem.detail)
        self.problem = problem
        self.retry_after_s = retry_after_s

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.problem.status


class UnreachableError(LabelyardError, httpx.ConnectError):
    """Nobody listens where the server should be; also an `httpx.ConnectError`, for those who catch that."""


class Connection:
    """Asks one server.

    Args:
        url: where it is, such as `http://127.0.0.1:8600`.
        token: what `labelyard tokens create` printed; None: it asks for none.
        transport: how requests get there; None: by the network.
    """

    def __init__(self, url: str, token: str | None, transport: httpx.BaseTransport | None = None) -> None:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        timeout = httpx.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
        self._http = _Http(base_url=f"{url.rstrip('/')}{PREFIX}", headers=headers, timeout=timeout, transport=transport)

    def close(self) -> None:
        """Let go of the network."""
        self._http.close()

    def ask(self, kind: type[Value], method: str, path: str, **how: Any) -> Value:  # noqa: ANN401 - httpx's own
        """Ask for a value.

        Args:
            kind: what the answer is.
            method: HTTP's.
            path: below the API's.
            how: what `httpx.Client.request` takes; `params` that are None are left out.

        Raises:
            ApiError: the server refuses, or is away for too long.
            UnreachableError: nothing listens where it should be.
            httpx.TransportError: the answer was lost on the way.
        """
        answer = self._again(method, lambda: self._once(method, path, **how), headers=how.get("headers"))
        return TypeAdapter(kind).validate_python(answer.json() if answer.content else None)

    @contextmanager
    def stream(self, path: str, **params: object) -> Iterator[httpx.Response]:
        """Ask for an answer that is read piece by piece.

        Raises:
            ApiError: the server refuses.
        """
        with self._http.stream("GET", path, params=_said(params)) as answer:
            if answer.is_error:
                answer.read()
            _check(answer)
            yield answer

    def send(self, kind: type[Value], path: str, content: Iterable[bytes]) -> Value:
        """Send a file's bytes, once: they cannot be read again.

        Raises:
            ApiError: the server refuses.
        """
        answer = self._http.put(path, content=content)
        _check(answer)
        return TypeAdapter(kind).validate_python(answer.json())

    def _once(self, method: str, path: str, params: Mapping[str, object] | None = None, **how: Any) -> httpx.Response:  # noqa: ANN401
        answer = self._http.request(method, path, params=_said(params or {}), **how)
        _check(answer)
        return answer

    def _again(self, method: str, attempt: Any, headers: Mapping[str, str] | None) -> httpx.Response:  # noqa: ANN401
        # Doing it twice is as good as once: nothing changes, or the server knows the request by its key.
        is_repeatable = method == "GET" or "Idempotency-Key" in (headers or {})

        def is_worth_it(error: BaseException) -> bool:
            if isinstance(error, ApiError):
                return error.status in _NOT_DONE or (is_repeatable and error.status in _PERHAPS_DONE)
            return isinstance(error, httpx.TransportError) and is_repeatable

        retrying = Retrying(
            retry=retry_if_exception(is_worth_it),
            stop=stop_after_attempt(MAX_TRIES),
            wait=_AsToldOrLonger(),
            reraise=True,
        )
        answer: httpx.Response = retrying(attempt)
        return answer


class _Http(httpx.Client):
    """The network, whose errors name the server that was asked."""

    def send(self, request: httpx.Request, **how: Any) -> httpx.Response:  # noqa: ANN401 - httpx's own
        """Send a request; all others end here."""
        try:
            return super().send(request, **how)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            url = str(self.base_url).rstrip("/").removesuffix(PREFIX)
            raise UnreachableError(
                f"Nothing answers at {url}: {error}. Start `labelyard up` there, or say where the server is: "
                'Client(url="http://HOST:PORT"), or LABELYARD_URL.',
                request=request,
            ) from error


class _AsToldOrLonger(wait_base):
    """Waits as long as the server says, else longer each time."""

    def __init__(self) -> None:
        self._longer = wait_exponential_jitter(multiplier=FIRST_WAIT_S, max=MAX_WAIT_S)

    def __call__(self, retry_state: Any) -> float:  # noqa: ANN401 - tenacity's
        error = retry_state.outcome.exception()
        told_s = error.retry_after_s if isinstance(error, ApiError) else None
        return self._longer(retry_state) if told_s is None else min(told_s, MAX_WAIT_S)


def part(name: str) -> str:
    """A name as a part of a path, whatever it holds."""
    return quote(name, safe="")


def _said(params: Mapping[str, object]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}


def _check(answer: httpx.Response) -> None:
    if not answer.is_error:
        return
    retry_after = answer.headers.get("retry-after", "")
    raise ApiError(_problem(answer), retry_after_s=float(retry_after) if retry_after.isdigit() else None)


def _problem(answer: httpx.Response) -> Problem:
    try:
        return Problem.model_validate(answer.json())
    except (json.JSONDecodeError, ValueError):
        # Something between us and the server: a proxy, or not our server at all.
        return Problem(
            type="about:blank",
            title=answer.reason_phrase,
            status=answer.status_code,
            detail=f"{answer.request.url} answered {answer.status_code} {answer.reason_phrase}, not as Labelyard does.",
            instance=answer.request.url.path,
        )
