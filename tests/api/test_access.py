"""Who may ask: tokens and scopes, rates, other sites' pages, and where a server may listen."""

import socket
import time
from collections.abc import Callable

import httpx
import pytest
from problems import kind

from core.errors import SetupError, UsageError
from core.settings import Settings
from core.types import Scope
from db.database import Database
from db.tokens import list_tokens, revoke
from orchestrator.metrics.registry import OrchestratorMetrics
from orchestrator.serving.web import WebServer
from orchestrator.tokens import summarise_tokens
from workers.waking import NullWaker

Serve = Callable[..., httpx.Client]
Token = Callable[..., str]

JOBS, UPLOADS = "/api/v1/jobs", "/api/v1/uploads"


@pytest.fixture
def guarded(serve: Serve) -> httpx.Client:
    """A client of a server that others can ask too."""
    return serve("0.0.0.0:0")


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_without_a_token_a_server_that_others_reach_tells_nothing(guarded: httpx.Client) -> None:
    answer = guarded.get(JOBS)
    assert (answer.status_code, kind(answer)) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer x", "Basic abc", f"Bearer ly_000000000000_{'a' * 43}", "x" * 8000]
)
def test_a_token_that_is_none_is_refused(guarded: httpx.Client, header: str) -> None:
    assert guarded.get(JOBS, headers={"Authorization": header}).status_code == 401


def test_a_token_with_another_secret_is_refused(guarded: httpx.Client, token: Token) -> None:
    right = token()
    wrong = right[:-1] + ("a" if right[-1] != "a" else "b")
    assert guarded.get(JOBS, headers=bearer(right)).status_code == 200
    assert guarded.get(JOBS, headers=bearer(wrong)).status_code == 401


@pytest.mark.parametrize(
    ("scope", "statuses"),
    [(Scope.READ, (200, 403, 403)), (Scope.SUBMIT, (200, 201, 403)), (Scope.ADMIN, (200, 201, 404))],
)
def test_a_scope_includes_the_narrower_ones(
    guarded: httpx.Client, token: Token, scope: Scope, statuses: tuple[int, ...]
) -> None:
    headers = bearer(token(scope))
    answers = (
        guarded.get(UPLOADS, headers=headers),
        guarded.post(UPLOADS, headers=headers, json={"name": "mine"}),
        guarded.delete(f"{UPLOADS}/{'0' * 16}", headers=headers),
    )
    assert tuple(answer.status_code for answer in answers) == statuses
    assert all(kind(answer) == "scope-missing" for answer in answers if answer.status_code == 403)


def test_a_token_ends_when_it_expires_and_when_it_is_revoked(
    guarded: httpx.Client, token: Token, ledger: Database
) -> None:
    short, long = token(lasts_s=0.01), token()
    time.sleep(0.1)
    assert guarded.get(JOBS, headers=bearer(short)).status_code == 401
    assert guarded.get(JOBS, headers=bearer(long)).status_code == 200
    with ledger.write() as session:
        assert revoke(session, long.split("_")[1])
        assert not revoke(session, long.split("_")[1])
    assert guarded.get(JOBS, headers=bearer(long)).status_code == 401
    with ledger.read() as session:
        assert [one.state for one in summarise_tokens(session)] == ["expired", "revoked"]


def test_secrets_are_not_in_the_database(guarded: httpx.Client, token: Token, ledger: Database) -> None:
    made = token()
    assert guarded.get(JOBS, headers=bearer(made)).status_code == 200
    with ledger.read() as session:
        (row,) = list_tokens(session)
        assert made.split("_", 2)[2] not in "".join(map(str, vars(row).values()))
        assert row.used_at is not None


def test_who_asks_too_often_is_told_when_to_come_again(serve: Serve, token: Token) -> None:
    guarded = serve("0.0.0.0:0", rate_limit="3/minute")
    first, second = bearer(token()), bearer(token())
    assert [guarded.get(JOBS, headers=first).status_code for _ in range(5)] == [200, 200, 200, 429, 429]
    answer = guarded.get(JOBS, headers=first)
    assert (kind(answer), answer.headers["retry-after"]) == ("too-many-requests", "60")
    assert guarded.get(JOBS, headers=second).status_code == 200, "another token has its own count"
    assert [guarded.get(JOBS).status_code for _ in range(4)] == [401, 401, 401, 429], "guessing is counted too"


def test_a_page_of_another_site_changes_nothing(api: httpx.Client) -> None:
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        answer = api.post(UPLOADS, json={"name": "theirs"}, headers=headers)
        assert (answer.status_code, kind(answer)) == (403, "other-site")
    assert api.get(UPLOADS).json()["items"] == []
    own = f"http://{api.base_url.host}:{api.base_url.port}"
    assert api.post(UPLOADS, json={"name": "ours"}, headers={"Origin": own}).status_code == 201


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8600", "", "[", "10.0.0.1"])
def test_without_tokens_a_name_that_is_not_this_machines_own_is_refused(api: httpx.Client, host: str) -> None:
    answer = api.get(JOBS, headers={"Host": host})
    assert (answer.status_code, kind(answer)) == (403, "other-site")


def test_answers_tell_browsers_to_take_nothing_from_elsewhere(api: httpx.Client) -> None:
    headers = api.get("/healthz").headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert "server" not in headers


def test_a_server_that_others_reach_needs_to_be_told_what_may_be_read(ledger: Database, settings: Settings) -> None:
    open_to_all = settings.model_copy(update={"source_roots": []})
    with pytest.raises(UsageError, match="LABELYARD_SOURCE_ROOTS is empty"):
        WebServer.open(ledger, open_to_all, NullWaker(), "0.0.0.0:0")


@pytest.mark.parametrize("address", ["", "8600", "127.0.0.1", "127.0.0.1:", "127.0.0.1:99999", "a b:1", "http://x:1"])
def test_an_address_that_is_none_is_refused(ledger: Database, settings: Settings, address: str) -> None:
    with pytest.raises(UsageError, match="HOST:PORT"):
        WebServer.open(ledger, settings, NullWaker(), address)


def test_an_address_that_is_taken_is_refused(ledger: Database, settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SetupError, match="choose another"):
        WebServer.open(ledger, settings, NullWaker(), f"127.0.0.1:{taken.getsockname()[1]}")


def test_a_rate_that_is_none_is_refused(serve: Serve) -> None:
    with pytest.raises(UsageError, match="LABELYARD_RATE_LIMIT"):
        serve(rate_limit="often")


def test_figures_for_prometheus_need_no_token_and_hold_no_names(
    ledger: Database, settings: Settings, token: Token
) -> None:
    token()
    metrics = OrchestratorMetrics(ledger, settings)
    server = WebServer.open(ledger, settings, NullWaker(), "0.0.0.0:0", metrics=metrics)
    server.start()
    try:
        answer = httpx.get(f"http://127.0.0.1:{server.url.rpartition(':')[2]}/metrics")
    finally:
        server.stop()
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert "labelyard_queue_chunks" in answer.text
    assert "tester" not in answer.text
