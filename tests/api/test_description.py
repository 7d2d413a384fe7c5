"""The API is as its description says: schemathesis asks it whatever that allows, and what it does not."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from colours import ColourWorker, label, paint_red_and_green, train

from core.types import Scope
from db.database import Database

Serve = Callable[..., httpx.Client]
TIMEOUT_S = 290
# Drawn for each of three kinds of requests, for each of the API's operations.
NUM_EXAMPLES = 5

pytestmark = [
    # One kind of database will do: these thousands of requests are about HTTP.
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
    pytest.mark.timeout(TIMEOUT_S + 10),
]


@pytest.fixture
def inhabited(ledger: Database, serve: Serve, tmp_path: Path) -> httpx.Client:
    """A client of a server that has a model, a training and a labelling."""
    worker = ColourWorker(ledger)
    photographs = paint_red_and_green(tmp_path / "photographs", num_train=6, num_val=4)
    train(ledger, worker, photographs, "colours")
    label(worker, photographs / "val")
    return serve("0.0.0.0:0", rate_limit="1000000/minute")


def ask_all(api: httpx.Client, token: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(folder / "schemathesis.toml"), "run"]
    address = f"{api.base_url}/api/v1/openapi.json"
    given = [f"--header=Authorization: Bearer {token}", f"--max-examples={NUM_EXAMPLES}", "--seed=1", "--no-color"]
    return subprocess.run(
        [*command, address, *given, "--request-timeout=60", "--generation-database=none", *options],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def test_the_description_is_openapi_3_1(inhabited: httpx.Client) -> None:
    description = inhabited.get("/api/v1/openapi.json").json()
    assert description["openapi"].startswith("3.1.")
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], f"{method} {path} says what it does"
            assert operation["description"].endswith("."), f"{method} {path} says it in sentences"


def test_whatever_is_asked_is_answered_as_described(
    inhabited: httpx.Client, token: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "schemathesis.toml").write_text("")
    done = ask_all(inhabited, token(Scope.ADMIN), tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_there_is_answered_as_described(
    inhabited: httpx.Client, token: Callable[..., str], tmp_path: Path
) -> None:
    """As above, but job, image and model are always ones that there are."""
    known = "[parameters]\n'path.job_id' = 2\n'path.ordinal' = 0\n'path.name' = 'colours'\n'path.version' = 1\n"
    (tmp_path / "schemathesis.toml").write_text(known)
    done = ask_all(
        inhabited,
        token(Scope.ADMIN),
        tmp_path,
        "--phases=coverage,fuzzing",
        "--include-path-regex=/(jobs|models)/",
    )
    assert done.returncode == 0, done.stdout + done.stderr
