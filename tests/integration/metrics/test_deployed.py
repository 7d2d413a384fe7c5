"""Dashboards, alerts and documents name figures that are shown, and Prometheus can read all of it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from promtool import require_clean
from server_process import HOST, free_port

from core.settings import Settings
from db.database import Database
from orchestrator.metrics.registry import OrchestratorMetrics
from workers.metrics.page import MetricsPage

ROOT = Path(__file__).parents[3]
PROMETHEUS = ROOT / "deploy/prometheus"
BOARD = ROOT / "deploy/grafana/dashboards/labelyard.json"
DOCUMENT = (ROOT / "docs/how-to/monitor.md").read_text(encoding="utf-8")
NAME = r"\blabelyard_[a-z_]+\b"


@pytest.fixture
def shown(ledger: Database, redis_url: str) -> set[str]:
    """The names of all families that an orchestrator with a broker and a worker show, as they are written there."""
    metrics = OrchestratorMetrics(ledger, Settings(broker_url=redis_url))
    metrics.ticked()
    with MetricsPage(f"{HOST}:{free_port()}") as page:
        begin = "from workers.metrics.counting import metrics_of_process as begin; begin()"
        subprocess.run([sys.executable, "-c", begin], env=os.environ | page.environment, check=True)
        texts = [metrics.exposition().decode(), generate_latest(page.registry).decode()]
    families = [family for text in texts for family in text_string_to_metric_families(text)]
    return {
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in families
        if not family.name.endswith("_created")
    }


def expressions() -> list[str]:
    """What the dashboard and the alerts ask, as it is written."""
    board = json.loads(BOARD.read_text(encoding="utf-8"))
    asked = [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    return asked + [rule["expr"] for rule in rules()]


def rules() -> list[dict[str, str]]:
    (group,) = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    return list(group["rules"])


def names_in(texts: list[str]) -> set[str]:
    """Names of families; a histogram's parts are of it."""
    found = {name for text in texts for name in re.findall(NAME, text)}
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in found}


def test_every_name_in_the_dashboard_and_the_alerts_is_shown(shown: set[str]):
    asked = names_in(expressions())
    assert len(asked) > 20
    assert asked - shown == set()


def test_what_scales_workers_is_shown(shown: set[str]):
    files = [path.read_text(encoding="utf-8") for path in (ROOT / "deploy/kubernetes").rglob("scaling.yaml")]
    asked = names_in([query for text in files for query in re.findall(r"query: (.+)", text)])
    assert asked
    assert asked - shown == set()


def test_the_document_has_every_name_that_is_shown_and_no_other(shown: set[str]):
    (table,) = re.findall(r"<!-- metrics: .*? -->\n(.*?)<!-- /metrics -->", DOCUMENT, re.DOTALL)
    assert set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == shown


def test_the_document_has_every_alert_and_every_alert_is_played():
    alerts = [rule["alert"] for rule in rules()]
    assert re.findall(r"^\| `(Labelyard\w+)`", DOCUMENT, re.MULTILINE) == alerts
    played = yaml.safe_load((PROMETHEUS / "alerts_test.yml").read_text(encoding="utf-8"))["tests"]
    checks = [check for test in played for check in test["alert_rule_test"]]
    for alert in alerts:
        expected = [bool(check["exp_alerts"]) for check in checks if check["alertname"] == alert]
        assert set(expected) == {True, False}, f"{alert} is to fire in one test and to keep silent in another"


def test_promtool_reads_the_configuration_and_plays_the_alerts():
    require_clean("check", "config", str(PROMETHEUS / "prometheus.yml"))
    require_clean("check", "rules", "--lint-fatal", str(PROMETHEUS / "alerts.yml"))
    require_clean("test", "rules", str(PROMETHEUS / "alerts_test.yml"))


def test_every_expression_of_the_dashboard_can_be_read(tmp_path: Path):
    # Grafana puts a time in this place.
    asked = [expression.replace("$__rate_interval", "1m") for expression in expressions()]
    recorded = [{"record": f"panel:{number}", "expr": expression} for number, expression in enumerate(asked)]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": recorded}]}))
    require_clean("check", "rules", str(file))


def test_the_dashboard_asks_the_source_that_is_provisioned_and_panels_have_names_of_their_own():
    board = json.loads(BOARD.read_text(encoding="utf-8"))
    provisioned = ROOT / "deploy/grafana/provisioning/datasources/prometheus.yml"
    (source,) = yaml.safe_load(provisioned.read_text(encoding="utf-8"))["datasources"]
    panels = board["panels"]
    asked = {target["datasource"]["uid"] for panel in panels for target in panel.get("targets", ())}
    assert asked == {source["uid"]}
    for key in ("id", "title"):
        values = [panel[key] for panel in panels]
        assert len(values) == len(set(values))
    assert all(panel["description"] for panel in panels if panel["type"] != "row")


def test_no_figure_has_a_label_that_grows_with_the_work(ledger: Database, redis_url: str):
    text = OrchestratorMetrics(ledger, Settings(broker_url=redis_url)).exposition().decode()
    labels = {
        name for family in text_string_to_metric_families(text) for sample in family.samples for name in sample.labels
    }
    assert labels == {"kind", "priority", "state", "fate", "queue", "version", "python"}
