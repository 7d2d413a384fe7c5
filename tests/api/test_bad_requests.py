"""Requests that cannot be meant: refused with a problem document, and nothing is written."""

import httpx
import pytest
from api_jobs import JOBS

BAD = [
    ({}, 422, "unreadable-request"),
    ({"sources": []}, 422, "unreadable-request"),
    ({"sources": ["relative/folder"]}, 422, "unreadable-request"),
    ({"sources": ["/x"], "unknown": 1}, 422, "unreadable-request"),
    ({"sources": ["/x"], "top_k": "5"}, 422, "unreadable-request"),
    ({"sources": ["/x"], "top_k": 0}, 422, "unreadable-request"),
    ({"sources": ["/x\x00y"]}, 422, "unreadable-request"),
    ({"sources": ["/etc"]}, 409, "source"),
    ({"sources": ["upload:0123456789abcdef"]}, 409, "source"),
    ({"sources": ["job:999"]}, 409, "source"),
    ({"sources": ["/x"], "models": ["nothing-like-it"]}, 404, "unknown-model"),
]


@pytest.mark.parametrize(("body", "status", "kind"), BAD)
def test_a_request_that_cannot_be_meant_is_refused_and_nothing_is_written(
    api: httpx.Client, body: dict[str, object], status: int, kind: str
) -> None:
    answer = api.post(JOBS, json=body)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:labelyard:problem:{kind}")
    assert api.get(JOBS).json()["items"] == []


@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [
        (b"{", "application/json", 422),
        (b"[" * 100_000, "application/json", 400),
        (b'{"sources": ["/x"]}', "text/plain", 422),
        (b'{"sources": ["/x"], "top_k": ' + b"9" * 5000 + b"}", "application/json", 400),
        (b'{"sources": ["\\ud800"]}', "application/json", 422),
        (b"\xff\xfe", "application/json", 422),
        (b'"' + b"x" * 5_000_000 + b'"', "application/json", 413),
    ],
)
def test_a_body_that_is_no_json_is_refused(api: httpx.Client, content: bytes, media_type: str, status: int) -> None:
    answer = api.post(JOBS, content=content, headers={"Content-Type": media_type})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/jobs/0", 422),
        ("/jobs/-1", 422),
        ("/jobs/x", 422),
        ("/jobs/99999999999999999999", 422),
        ("/jobs/77", 404),
        ("/jobs/77/results", 404),
        ("/jobs/77/results/0", 404),
        ("/jobs/77/export", 404),
        ("/jobs/77/events", 404),
        ("/jobs/77/diff?before=78", 404),
        ("/jobs?cursor=abc", 404),
        ("/jobs?cursor=WyJ4Il0", 404),
        ("/jobs?limit=0", 422),
        ("/jobs?limit=1001", 422),
        ("/jobs?state=asleep", 422),
        ("/nothing", 404),
    ],
)
def test_what_is_not_there_is_said_so(api: httpx.Client, path: str, status: int) -> None:
    answer = api.get(f"/api/v1{path}")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]


def test_a_method_that_a_path_does_not_take_is_refused_with_those_that_it_takes(api: httpx.Client) -> None:
    answer = api.put(JOBS)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")
