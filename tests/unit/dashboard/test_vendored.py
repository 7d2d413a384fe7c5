"""What is served of others' software is what was taken from npm, in the versions of the lock file, with its licence."""

import hashlib
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
NOTES = sorted(
    [*ROOT.glob("orchestrator/dashboard/static/vendor/*/vendored.json"), *ROOT.glob("tests/vendor/*/*.json")]
)
LOCK = json.loads((ROOT / "frontend" / "package-lock.json").read_text())


def test_there_is_something_to_look_at():
    assert {path.parent.name for path in NOTES} == {"htmx", "uplot", "axe-core"}


@pytest.mark.parametrize("path", NOTES, ids=lambda path: path.parent.name)
def test_each_file_is_as_it_was_taken(path: Path):
    note = json.loads(path.read_text())
    assert LOCK["packages"][f"node_modules/{note['package']}"]["version"] == note["version"]
    files = {one.name: hashlib.sha256(one.read_bytes()).hexdigest() for one in path.parent.iterdir() if one != path}
    assert files == note["sha256"]
    assert "LICENSE" in files


def test_the_lock_file_has_a_hash_for_each_package_and_names_no_registry():
    packages = {name: one for name, one in LOCK["packages"].items() if name}
    assert all(one["integrity"].startswith("sha512-") for one in packages.values())
    assert not re.search(r"https?://", json.dumps(LOCK))


def test_our_own_files_lead_nowhere_else():
    folder = ROOT / "orchestrator" / "dashboard"
    own = [path for path in folder.rglob("*") if path.suffix in (".html", ".css", ".js") and "vendor" not in path.parts]
    assert len(own) > 30
    assert [path.name for path in own if re.search(r"https?://|(?:src|href)=\"//", path.read_text())] == []
