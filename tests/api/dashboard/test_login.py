"""Who sees pages where others can ask too: a token becomes a cookie, and its scopes decide which buttons are there."""

import time
from collections.abc import Callable

import httpx
import pytest

from core.types import Scope

from .conftest import as_browser

Serve = Callable[..., httpx.Client]
Token = Callable[..., str]
COOKIE = "labelyard_session"


@pytest.fixture
def guarded(serve: Serve) -> httpx.Client:
    return as_browser(serve("0.0.0.0:0"))


def log_in(site: httpx.Client, token: str, **more: str) -> httpx.Response:
    return site.post("/login", data={"token": token, **more})


def test_who_has_no_token_is_asked_for_one_and_comes_back(guarded: httpx.Client, token):
    answer = guarded.get("/jobs?state=failed")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2Fjobs%3Fstate%3Dfailed")
    page = guarded.get(answer.headers["location"]).text
    assert 'value="/jobs?state=failed"' in page
    answer = log_in(guarded, token(), next="/jobs?state=failed")
    assert (answer.status_code, answer.headers["location"]) == (303, "/jobs?state=failed")
    assert guarded.get("/jobs").status_code == 200


def test_a_part_of_a_page_sends_the_whole_page_to_the_login(guarded: httpx.Client):
    answer = guarded.get("/overview/now", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/login")


def test_the_cookie_is_for_this_site_alone_and_for_no_script(guarded: httpx.Client, token):
    plain = log_in(guarded, token()).headers["set-cookie"].lower()
    assert {"httponly", "samesite=strict", "path=/"} <= set(plain.split("; "))
    assert "secure" not in plain.split("; ")
    by_proxy = guarded.post("/login", data={"token": token()}, headers={"X-Forwarded-Proto": "https"})
    assert "secure" in by_proxy.headers["set-cookie"].lower().split("; ")


@pytest.mark.parametrize("wrong", ["", "x", "ly_000000000000_" + "a" * 43, "x" * 5000])
def test_a_token_that_is_none_is_refused_and_leaves_no_cookie(guarded: httpx.Client, wrong: str):
    answer = log_in(guarded, wrong)
    assert answer.status_code == 403
    assert "unknown, expired or revoked" in answer.text
    assert "set-cookie" not in answer.headers


def test_guessing_tokens_is_counted(serve: Serve):
    site = as_browser(serve("0.0.0.0:0", rate_limit="3/minute"))
    assert [log_in(site, "x").status_code for _ in range(4)] == [403, 403, 403, 429]


@pytest.mark.parametrize(
    "next_page", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "jobs", "/\n/x"]
)
def test_nobody_is_sent_elsewhere_after_the_login(guarded: httpx.Client, token, next_page: str):
    assert log_in(guarded, token(), next=next_page).headers["location"] == "/"


def test_who_comes_by_a_link_of_another_site_is_sent_on_with_the_cookie(guarded: httpx.Client):
    page = guarded.get("/login?next=/jobs", headers={"Sec-Fetch-Site": "cross-site"}).text
    assert '<meta http-equiv="refresh" content="0; url=/jobs">' in page
    assert "refresh" not in guarded.get("/login?next=/jobs", headers={"Sec-Fetch-Site": "same-origin"}).text


def test_logging_out_forgets_the_token_here(guarded: httpx.Client, token):
    log_in(guarded, token())
    assert "Log out" in guarded.get("/").text
    assert guarded.post("/logout").headers["location"] == "/login"
    assert COOKIE not in guarded.cookies
    assert guarded.get("/").status_code == 303


def test_a_token_that_has_expired_leads_to_the_login(guarded: httpx.Client, token):
    log_in(guarded, token(lasts_s=0.2))
    time.sleep(0.3)
    assert guarded.get("/").headers["location"] == "/login?next=%2F"


@pytest.mark.parametrize(
    ("scope", "may_submit", "may_admin"),
    [(Scope.READ, False, False), (Scope.SUBMIT, True, False), (Scope.ADMIN, True, True)],
)
@pytest.mark.usefixtures("world")
def test_scopes_decide_what_is_offered_and_what_is_done(
    guarded: httpx.Client, token: Token, scope: Scope, *, may_submit: bool, may_admin: bool
):
    log_in(guarded, token(scope))
    assert ("/upload" in guarded.get("/").text.partition("<main")[2]) is may_submit
    assert guarded.get("/upload").status_code == (200 if may_submit else 403)
    assert ("Add a schedule" in guarded.get("/schedules").text) is may_admin
    assert ("Promote" in guarded.get("/models/colours").text) is may_admin
    assert guarded.get("/settings").status_code == (200 if may_admin else 403)


def test_nobody_is_asked_where_only_this_machine_can_ask(site: httpx.Client):
    assert site.get("/").status_code == 200
    assert "Log out" not in site.get("/").text


def test_a_page_about_a_mistake_keeps_the_frame_of_whoever_asked(guarded: httpx.Client, token: Token):
    log_in(guarded, token(Scope.ADMIN))
    for path, title in (("/nothing", "Not found"), ("/jobs/99", "Not found"), ("/jobs/x", "This was not understood")):
        page = guarded.get(path).text
        assert f"<h1>{title}</h1>" in page
        assert "Log out" in page
        assert 'href="/settings"' in page
    refused = guarded.post("/models/unknown/rollback")
    assert "Log out" in refused.text


def test_a_page_about_a_mistake_leads_back_to_our_own_pages_alone(guarded: httpx.Client, token: Token):
    log_in(guarded, token())
    own = str(guarded.base_url.join("/models?a=b"))
    assert '<a class="button" href="/models?a=b">Back</a>' in guarded.get("/nothing", headers={"Referer": own}).text
    for foreign in ("https://evil.example/models", "javascript:alert(1)", "//evil.example", "http://[", ""):
        page = guarded.get("/nothing", headers={"Referer": foreign}).text
        assert "Back</a>" not in page
        assert "To the overview" in page


def test_the_menu_has_only_what_a_token_may_do(guarded: httpx.Client, token: Token):
    for scope, pages in ((Scope.READ, set()), (Scope.SUBMIT, {"/upload"}), (Scope.ADMIN, {"/upload", "/settings"})):
        log_in(guarded, token(scope))
        menu = guarded.get("/help").text.partition("<main")[0]
        assert {path for path in ("/upload", "/settings") if f'href="{path}"' in menu} == pages
        refused = guarded.get("/settings")
        assert ("<h1>Not allowed</h1>" in refused.text) is (scope is not Scope.ADMIN)
