"""What holds for every file of the repository, whoever wrote it."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Written so that none of these patterns matches its own source.
INDEX_ADDRESS = re.compile(r"pythonhosted\.org|pypi\.org/simple|--(extra-)?index[-_]url[ =]|--find[-_]links")
MACHINE_PATH = re.compile(r"/work/(main|shared)\b|/tmp/(bash_jobs|brief)\b")


@pytest.fixture(scope="module")
def files():
    """Every text file that is in the repository or would be with the next commit, by name."""
    if not (ROOT / ".git").exists():
        pytest.skip("Not a git checkout: git cannot say which files belong to the repository")
    # The tests may run as another user than the one who cloned.
    git = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
    listing = subprocess.run([*git, "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True)
    names = sorted(set(listing.stdout.decode().split("\0")) - {""})
    return {name: (ROOT / name).read_text(errors="replace") for name in names if (ROOT / name).is_file()}


@pytest.mark.parametrize("pattern", [INDEX_ADDRESS, MACHINE_PATH], ids=["index address", "machine path"])
def test_no_file_names_a_package_index_or_a_path_of_one_machine(files, pattern):
    assert [name for name, text in files.items() if pattern.search(text)] == []


def test_the_patterns_find_what_they_are_for():
    assert INDEX_ADDRESS.search("--index" + "-url x")
    assert INDEX_ADDRESS.search("--extra-index" + "-url=x")
    assert not INDEX_ADDRESS.search("uv pip compile --no-emit-index-url --output-file x")


def test_dependencies_are_locked_with_hashes_and_not_in_a_lock_that_names_its_index(files):
    assert "uv" + ".lock" not in files
    for name in ("requirements.lock", "requirements-dev.lock", "requirements-bench.lock"):
        pins = re.findall(r"^\S+==\S+.*", files[name], re.MULTILINE)
        assert len(pins) > 20
        assert [pin for pin in pins if not pin.endswith("\\")] == []


def test_the_development_lock_pins_what_the_run_time_lock_pins(files):
    pins = re.compile(r"^\S+==\S+", re.MULTILINE)
    run_time = set(pins.findall(files["requirements.lock"]))
    assert run_time
    assert run_time - set(pins.findall(files["requirements-dev.lock"])) == set()


def test_what_only_the_benchmarks_need_is_locked_beside_the_development_lock_and_never_against_it(files):
    pins = re.compile(r"^(\S+)==(\S+)", re.MULTILINE)
    development, bench = (set(pins.findall(files[f"requirements-{name}.lock"])) for name in ("dev", "bench"))
    shared = {name for name, _ in development} & {name for name, _ in bench}
    assert {pin for pin in bench if pin[0] in shared} - development == set()
