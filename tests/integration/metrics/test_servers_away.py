"""What an orchestrator shows of its servers, also while they are away."""

from pathlib import Path

import pytest
from ledger_steps import job_with
from server_process import HOST, free_port
from servers import RedisServer

from core.queues import MAX_WAKE_UPS
from core.settings import Settings
from db.database import Database
from db.schema import upgrade
from orchestrator.metrics import broker
from orchestrator.metrics.registry import OrchestratorMetrics
from workers.app import create_app
from workers.broker import BrokerWaker


def value(metrics: OrchestratorMetrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"labelyard_{name}", labels)


def test_a_ledger_that_is_away_is_said_so_and_the_page_answers():
    metrics = OrchestratorMetrics(Database(f"postgresql://{HOST}:{free_port()}/nothing"), Settings())
    text = metrics.exposition().decode()
    assert "labelyard_ledger_up 0.0" in text
    assert "labelyard_build_info" in text
    assert "labelyard_queue_chunks" not in text


def test_a_ledger_that_comes_back_is_shown_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("orchestrator.metrics.collector.FRESH_S", 0.0)
    monkeypatch.setattr("orchestrator.metrics.collector.REST_FACTOR", 0.0)
    database = Database(f"sqlite:///{tmp_path / 'labelyard.db'}")
    metrics = OrchestratorMetrics(database, Settings())
    assert value(metrics, "ledger_up") == 0, "it has no tables yet"

    upgrade(database)
    assert value(metrics, "ledger_up") == 1
    database.close()


def test_wake_ups_that_wait_are_counted_by_queue(ledger: Database, redis_url: str):
    settings = Settings(broker_url=redis_url)
    job_with(ledger, 4 * (MAX_WAKE_UPS + 10))
    BrokerWaker(create_app(settings, include=()), ledger).top_up()
    metrics = OrchestratorMetrics(ledger, settings)
    assert value(metrics, "broker_up") == 1
    assert value(metrics, "broker_messages", queue="label") == MAX_WAKE_UPS
    assert value(metrics, "broker_messages", queue="train") == 0
    assert value(metrics, "broker_messages", queue="schedule") == 0


def test_a_broker_that_is_away_is_said_so_and_the_page_answers(
    ledger: Database, own_redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(broker, "FRESH_S", 0.0)
    metrics = OrchestratorMetrics(ledger, Settings(broker_url=own_redis_server.url))
    assert value(metrics, "broker_up") == 1
    own_redis_server.kill()
    assert value(metrics, "broker_up") == 0
    assert value(metrics, "broker_messages", queue="label") is None
    assert value(metrics, "ledger_up") == 1
    own_redis_server.start()
    assert value(metrics, "broker_up") == 1


def test_without_a_broker_nothing_is_said_of_one(ledger: Database):
    assert b"labelyard_broker" not in OrchestratorMetrics(ledger, Settings()).exposition()
