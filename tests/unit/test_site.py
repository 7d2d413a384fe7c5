"""The documentation is a site: it builds without a warning, and a reader's browser fetches nothing from elsewhere."""

import importlib
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import db
from core.settings import ENV_PREFIX, Settings
from db.base import Base
from orchestrator.cli.main import app
from orchestrator.client import Client

ROOT = Path(__file__).parents[2]


def build(config: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Build a site as `make docs` does."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict"]
    return subprocess.run(
        [*command, "--config-file", config, "--site-dir", folder],
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    done = build(ROOT / "docs" / "site" / "mkdocs.yml", folder)
    assert done.returncode == 0, done.stderr
    return folder


def import_all_tables():
    for module in pkgutil.iter_modules(db.__path__, "db."):
        importlib.import_module(module.name)


def pages(site):
    return {str(path.relative_to(site)): path.read_text(encoding="utf-8") for path in site.rglob("*.html")}


def test_every_page_is_built_and_can_be_reached_from_the_navigation(site):
    start = (site / "index.html").read_text(encoding="utf-8")
    linked = set(re.findall(r'href="([^"#]+\.html)"', start))
    documents = [path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md") if "site" not in path.parts]
    built = {str(path.with_suffix(".html")).replace("README", "index") for path in documents}
    assert len(built) > 40
    assert built - linked == set()


def test_a_browser_needs_no_network_for_any_page(site):
    fetched = re.compile(r"""<(?:script|img|iframe)\b[^>]*\bsrc="?(?:https?:)?//|<link\b[^>]*\bhref="?(?:https?:)?//""")
    texts = pages(site)
    assert len(texts) > 40
    assert [name for name, text in texts.items() if fetched.search(text)] == []
    assert (site / "assets" / "iframe-worker.js").is_file(), "without it search fails where pages are opened as files"
    assert "Why an image has no label" in (site / "search" / "search_index.js").read_text(encoding="utf-8")


def test_no_list_or_table_is_taken_for_a_sentence(site):
    """GitHub begins a list or table right below a sentence; on the site it needs an empty line before it."""
    swallowed = re.compile(r"<p>(?:(?!</p>).)*\n(?:[-*] |\d+\. |\| )", re.DOTALL)
    assert [name for name, text in pages(site).items() if swallowed.search(text)] == []


def test_a_link_to_nowhere_stops_the_build(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "README.md").write_text("[There](nowhere.md) is nothing.\n")
    site = ROOT / "docs" / "site"
    config = yaml.safe_load(re.sub(r"!!\S+", "", (site / "mkdocs.yml").read_text(encoding="utf-8")))
    config |= {"docs_dir": str(tmp_path / "docs"), "hooks": [str(site / "hooks.py")], "nav": ["README.md", "project/*"]}
    (tmp_path / "mkdocs.yml").write_text(yaml.safe_dump(config))
    done = build(tmp_path / "mkdocs.yml", tmp_path / "site")
    assert done.returncode != 0
    assert "nowhere.md" in done.stderr


def test_the_reference_has_every_command_with_its_options(site):
    text = pages(site)["reference/cli.html"]
    commands = [command.name for command in app.registered_commands] + [group.name for group in app.registered_groups]
    assert len(commands) > 15
    assert [name for name in commands if f"<code>labelyard {name}</code>" not in text] == []
    assert "--abstain 0.95" in text


def test_the_reference_has_every_setting_and_every_table_with_its_columns(site):
    texts = pages(site)
    settings = [f"<code>{ENV_PREFIX}{name.upper()}</code>" for name in Settings.model_fields]
    assert [name for name in settings if name not in texts["reference/settings.html"]] == []
    tables = texts["reference/tables.html"]
    import_all_tables()
    assert len(Base.metadata.tables) > 5
    columns = [column for table in Base.metadata.tables.values() for column in table.columns]
    assert [column for column in columns if f"<code>{column.name}</code>" not in tables] == []
    assert "the fence: every claim adds one, a finish must name the last" in tables
    assert "core.jobs.StageSeconds of the attempt that finished it" in tables


def test_the_reference_has_every_request_and_every_link_in_it_leads_somewhere(site):
    text = pages(site)["reference/http-api.html"]
    for request in (
        "POST /api/v1/jobs",
        "GET /api/v1/jobs/{job_id}/events",
        "PUT /api/v1/uploads/{upload_id}/files/{name}",
    ):
        assert f"<code>{request}" in text
    anchors = set(re.findall(r'id="([^"]+)"', text))
    assert {link for link in re.findall(r'href="#([^"]+)"', text) if link not in anchors} == set()


def test_the_reference_has_every_method_of_the_client(site):
    text = pages(site)["reference/python-client.html"]
    methods = [name for name, value in vars(Client).items() if callable(value) and not name.startswith("_")]
    assert len(methods) > 10
    assert [name for name in methods if f"<code>{name}</code>" not in text] == []


def test_the_reference_shows_the_tree_of_errors_and_the_exit_codes(site):
    text = pages(site)["reference/errors.html"]
    assert "UnknownScheduleError" in text
    assert "<td>130</td>" in text
    assert "generated:" not in "".join(pages(site).values()).replace("&lt;!-- generated:", "")
