"""What a refusal says of itself over HTTP: the problem documents of RFC 9457. Knows nothing of pytest."""

import httpx


def kind(answer: httpx.Response) -> str:
    """The kind of problem that an answer names, after a look at the rest of its document."""
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["instance"] == answer.request.url.path
    return str(problem["type"]).removeprefix("urn:labelyard:problem:")
