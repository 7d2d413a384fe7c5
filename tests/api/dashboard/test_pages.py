"""Pages over HTTP: each is whole by itself, with work and without, and what is wrong is said on a page."""

import re
from html.parser import HTMLParser

import httpx

PAGES = (
    "/",
    "/overview/now",
    "/overview/throughput",
    "/jobs",
    "/models",
    "/train",
    "/upload",
    "/review",
    "/schedules",
    "/workers",
    "/workers/now",
    "/settings",
    "/settings/checks",
    "/help",
    "/login",
)
OF_A_WORLD = (
    "/jobs/{label}",
    "/jobs/{label}/progress",
    "/jobs/{label}/counts",
    "/jobs/{label}/gallery",
    "/jobs/{label}/images/0",
    "/jobs/{train}",
    "/jobs/{train}/images/0",
    "/models/colours",
    "/models/colours/versions/1",
    "/models/compare?first=colours@1&second=colours@2",
    "/review/colours",
)


class Elements(HTMLParser):
    """What a page is made of."""

    VOID = frozenset({"meta", "link", "input", "img", "br", "rect", "path"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.ids: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name) for name, _ in attrs]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID and tag != "option" and self.open.pop() != tag:
            # Options may be left open.
            while self.open.pop() != tag:
                pass


def require_sound(answer: httpx.Response) -> None:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/html")
    found = Elements(answer.text)
    assert [tag for tag in found.open if tag != "option"] == []
    assert len(found.ids) == len(set(found.ids)), "an id is given once"
    # The content security policy would keep them out.
    assert [one for one in found.attributes if one[1] == "style" or one[1].startswith("on")] == []
    assert re.findall(r"(?:src|href|action)=[\"']?(?:https?:)?//", answer.text) == [], "nothing leads elsewhere"


def test_each_page_is_whole_where_nothing_has_been_done(site: httpx.Client):
    for path in PAGES:
        require_sound(site.get(path))


def test_each_page_is_whole_where_there_is_something_to_see(site: httpx.Client, world):
    for path in (*PAGES, *OF_A_WORLD):
        require_sound(site.get(path.format(label=world.label_job, train=world.train_job)))


NOT_THERE = (
    ("/nothing", 404),
    ("/jobs/99", 404),
    ("/jobs/0", 422),
    ("/jobs/x", 422),
    ("/jobs/99999999999999999999", 422),
    ("/jobs/99/images/0", 404),
    ("/jobs?state=odd", 422),
    ("/jobs?before=-1", 422),
    ("/models/unknown", 404),
    ("/models/unknown/versions/1", 404),
    ("/models/compare?first=a&second=b", 404),
    ("/models/compare", 422),
    ("/schedules/unknown", 404),
    ("/review/unknown", 404),
)


def test_what_is_not_there_is_said_on_a_page(site: httpx.Client):
    for path, status in NOT_THERE:
        answer = site.get(path)
        assert (path, answer.status_code) == (path, status)
        assert answer.headers["content-type"].startswith("text/html")
        assert 'role="alert"' in answer.text
        assert "Traceback" not in answer.text


def test_programs_get_problem_documents_as_before(site: httpx.Client):
    for path in ("/api/v1/nothing", "/api/v1/jobs/99", "/api/v1/jobs/x"):
        assert site.get(path).headers["content-type"] == "application/problem+json"


def test_a_method_that_a_page_does_not_take_is_refused(site: httpx.Client):
    answer = site.put("/jobs")
    assert answer.status_code == 405
    assert "GET" in answer.headers["allow"]


def test_the_description_of_the_api_knows_nothing_of_pages(site: httpx.Client):
    paths = site.get("/api/v1/openapi.json").json()["paths"]
    assert [path for path in paths if not path.startswith(("/api/v1/", "/healthz", "/readyz", "/metrics"))] == []


def test_pages_may_load_nothing_but_what_is_served_here(site: httpx.Client):
    answer = site.get("/")
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    files = re.findall(r'(?:src|href)="(/static/[^"]+)"', answer.text)
    assert len(files) > 5
    for path in files:
        assert site.get(path).status_code == 200, path


def test_files_are_kept_for_good_by_what_they_hold_and_pages_are_not(site: httpx.Client):
    page = site.get("/help")
    assert page.headers["cache-control"] == "private, no-cache"
    (path,) = re.findall(r'href="(/static/css/base.css[^"]*)"', page.text)
    assert "immutable" in site.get(path).headers["cache-control"]
    for other in ("/static/css/base.css", "/static/css/base.css?v=000000000000"):
        assert site.get(other).headers["cache-control"] == "no-cache"


def test_a_rate_that_is_exceeded_is_said_on_a_page(serve):
    site = serve(rate_limit="2/minute")
    answers = [site.get("/help") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1].headers["retry-after"] == "60"
    assert answers[-1].headers["content-type"].startswith("text/html")


def test_no_path_leads_out_of_pictures(site: httpx.Client, world):
    here = f"/api/v1/jobs/{world.label_job}/images"
    assert site.get(f"{here}/1/thumbnail?size=160").status_code == 200
    for wrong in ("..%2f..%2fetc%2fpasswd", "%2e%2e", "0%00", "-1", "1e1"):
        assert site.get(f"{here}/{wrong}/thumbnail?size=160").status_code in (404, 422), wrong
    assert site.get(f"{here}/0/thumbnail?size=../../x").status_code == 422
