"""What `labelyard serve` counts and shows of itself and of its workers."""

import time
import urllib.request
from pathlib import Path

import pytest
from ledger_steps import claim, expire_leases, job_with
from server_process import HOST, free_port

from core.errors import SetupError
from core.settings import Settings
from db.database import Database
from orchestrator.metrics.registry import OrchestratorMetrics
from orchestrator.serving.orchestrator import Part, parts_of
from workers.metrics.page import MetricsPage
from workers.waking import NullWaker

PATIENCE_S = 30


def serve_with(ledger: Database, settings: Settings, metrics: OrchestratorMetrics) -> dict[str, Part]:
    parts = parts_of(ledger, settings, NullWaker(), tick=lambda *_: None, metrics=metrics)
    return {part.name: part for part in parts}


def wait_for(metrics: OrchestratorMetrics, name: str, **labels: str) -> None:
    give_up_at_s = time.monotonic() + PATIENCE_S
    while not metrics.registry.get_sample_value(name, labels):
        assert time.monotonic() < give_up_at_s, f"{name} stays at nothing"
        time.sleep(0.02)


def test_ticks_and_expired_leases_are_counted(ledger: Database, tmp_path: Path):
    settings = Settings(home=tmp_path)
    metrics = OrchestratorMetrics(ledger, settings)
    parts = serve_with(ledger, settings, metrics)
    job_with(ledger, 4)
    claim(ledger)
    expire_leases(ledger)
    for name in ("scheduler", "sweeper"):
        parts[name].service.start()
    wait_for(metrics, "labelyard_leases_expired_total", fate="requeued")
    wait_for(metrics, "labelyard_schedule_ticks_total")
    for name in ("scheduler", "sweeper"):
        parts[name].service.stop()


def test_workers_figures_have_a_page_if_settings_say_where(ledger: Database, tmp_path: Path):
    address = f"{HOST}:{free_port()}"
    settings = Settings(home=tmp_path, metrics_listen=address)
    metrics = OrchestratorMetrics(ledger, settings)
    page = serve_with(ledger, settings, metrics)["figures"]
    page.service.start()
    with urllib.request.urlopen(f"http://{address}/metrics") as answer:
        assert b"labelyard_build_info" in answer.read()
    with pytest.raises(SetupError, match="nobody can listen there"):
        serve_with(ledger, settings, metrics)
    page.service.stop()
    with MetricsPage(address):
        """The address is free again."""


def test_without_that_setting_there_is_none(ledger: Database, tmp_path: Path):
    settings = Settings(home=tmp_path, metrics_listen=None)
    assert "figures" not in serve_with(ledger, settings, OrchestratorMetrics(ledger, settings))
