"""Workers and commands do all of their work with the PostgreSQL roles that `labelyard db grants` prints."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from program import MODEL, Cli, wait_for
from sqlalchemy import create_engine, make_url, text

ROLES = {"--worker": "e2e_worker", "--orchestrator": "e2e_orchestrator"}


@pytest.fixture
def as_role(cluster: Cli) -> Iterator[Callable[[str], str]]:
    """Makes the roles, and gives the URL of one."""
    url = cluster.env["LABELYARD_DATABASE_URL"]
    owner = create_engine(url)
    printed = cluster("db", "grants", *[part for option in ROLES.items() for part in option])
    assert printed.returncode == 0, printed.stderr
    with owner.begin() as connection:
        for role in ROLES.values():
            connection.execute(text(f"CREATE ROLE {role} LOGIN PASSWORD 'role-s3cret'"))
        for statement in printed.stdout.splitlines():
            connection.execute(text(statement))
    yield lambda role: make_url(url).set(username=role, password="role-s3cret").render_as_string(hide_password=False)
    cluster.close()
    with owner.begin() as connection:
        for role in ROLES.values():
            connection.execute(text(f"DROP OWNED BY {role}"))
            connection.execute(text(f"DROP ROLE {role}"))
    owner.dispose()


def test_a_worker_labels_trains_and_retries_with_its_role(
    cluster: Cli,
    as_role: Callable[[str], str],
    photographs: Callable[..., Path],
    make_labelled_pictures: Callable[..., Path],
):
    folder = photographs(12)
    (folder / "bad.jpg").write_bytes(b"no image")
    make_labelled_pictures(cluster.cwd / "pictures", num_images=12)
    quick = {"LABELYARD_SWEEP_INTERVAL_S": "1", "LABELYARD_LEASE_S": "4"}
    worker = cluster.start("worker", "--preload", MODEL, LABELYARD_DATABASE_URL=as_role(ROLES["--worker"]), **quick)
    cluster.env["LABELYARD_DATABASE_URL"] = as_role(ROLES["--orchestrator"])
    assert cluster.json("label", "photographs", "--model", MODEL, "--chunk-size", "4")["num_errors"] == 1
    assert cluster("jobs", "retry", "1").returncode == 0
    wait_for(lambda: cluster.json("jobs", "show", "1")["state"] == "done", "the retry")
    for mode in ("head", "finetune"):
        arguments = ("--name", f"by-{mode}", "--backbone", MODEL, "--mode", mode, "--epochs", "2")
        done = cluster("train", "pictures", *arguments)
        assert done.returncode == 0, done.stderr
    assert cluster.json("label", "photographs", "--model", "by-head")["state"] == "done"
    worker.terminate()
    said = worker.communicate(timeout=60)[0]
    assert not re.search("permission denied|Traceback", said), said


def test_upgrading_needs_the_owner_and_says_so(cluster: Cli, as_role: Callable[[str], str]):
    owner = create_engine(cluster.env["LABELYARD_DATABASE_URL"])
    with owner.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0002'"))
    owner.dispose()
    done = cluster("db", "upgrade", LABELYARD_DATABASE_URL=as_role(ROLES["--orchestrator"]))
    assert done.returncode == 3
    assert "must be owner of table" in done.stderr
    assert "role-s3cret" not in done.stdout + done.stderr
