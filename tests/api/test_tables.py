"""Tables over HTTP: how many are sent at the same time. What is in them is in test_results.py."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from picture_jobs import at, job_of
from problems import kind

from db.database import Database
from orchestrator.api.routes import results

Serve = Callable[..., httpx.Client]


@pytest.fixture
def table(ledger: Database, tmp_path: Path) -> str:
    """The path of a job's table."""
    return f"/api/v1/jobs/{job_of(ledger, [at(tmp_path / 'a.jpg')])}/export"


def test_a_turn_is_given_back_behind_each_table(serve: Serve, table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "NUM_TABLES", 1)
    api = serve()
    assert [api.get(table).status_code for _ in range(3)] == [200, 200, 200]


def test_a_table_that_waits_too_long_for_others_is_refused(
    serve: Serve, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "NUM_TABLES", 0)
    monkeypatch.setattr(results, "MAX_WAIT_S", 0.1)
    answer = serve().get(table)
    assert (answer.status_code, kind(answer)) == (503, "busy")
    assert answer.headers["retry-after"].isdigit()
    assert "content-disposition" not in answer.headers
