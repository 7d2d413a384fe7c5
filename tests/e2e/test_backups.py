"""Whoever does what docs/how-to/backup-and-restore.md says has everything again, though a job ran meanwhile."""

import os
import secrets
import signal
from collections.abc import Callable
from pathlib import Path

from documents import ROOT
from program import MODEL, Cli, kill_with_children, read_csv, wait_for, wait_for_workers
from servers import ExternalPostgres, PostgresServer, database, find_postgres, plain_url
from sqlalchemy import text
from tutorials import Reader, environment

from db.database import Database

PAGE = ROOT / "docs" / "how-to" / "backup-and-restore.md"
# So many that the job goes on while it is copied, however fast the machine is.
NUM_IMAGES, CHUNK_SIZE = 3000, 5
LABEL = ("label", "photographs", "--model", MODEL, "--chunk-size", str(CHUNK_SIZE))
# Leases that run out soon, so that a test need not wait half a minute.
QUICK = {"LABELYARD_LEASE_S": "4", "LABELYARD_SWEEP_INTERVAL_S": "1"}


def reader_of(cli: Cli, keras_home: Path, **env: str) -> Reader:
    """Somebody at a terminal of the program's machine, whose programs of PostgreSQL are the server's."""
    env |= {name: value for name, value in cli.env.items() if name.startswith("LABELYARD_")}
    return Reader(cli.cwd, environment(keras_home) | env)


def test_a_copy_that_was_made_in_the_middle_of_a_job_is_restored_and_the_job_goes_on(
    cli: Cli, keras_home: Path, photographs: Callable[..., Path]
):
    photographs(NUM_IMAGES)
    cli.env |= QUICK
    reader = reader_of(cli, keras_home)
    running = cli.start(*LABEL)
    wait_for(cli.num_done_chunks, "a finished chunk")
    reader.follow(PAGE, "Copy, on one machine")
    assert [printed for _, printed in reader.shown] == ["ok\n"]
    os.kill(running.pid, signal.SIGINT)
    said = running.communicate(timeout=60)[0]
    assert running.returncode == 130, said
    Path(cli.env["LABELYARD_HOME"], "labelyard.db").write_bytes(b"This is no database any more.")

    reader.follow(PAGE, "Restore, on one machine", "Try it")
    assert 0 < cli.num_done_chunks() < NUM_IMAGES / CHUNK_SIZE
    resumed = cli("jobs", "resume", "1")
    assert resumed.returncode == 0, resumed.stderr
    assert cli("export", "1", "--out", "labels.csv").returncode == 0
    rows = read_csv(cli.cwd / "labels.csv")
    assert len({row["image"] for row in rows}) == len(rows) == NUM_IMAGES


def test_a_dump_that_was_made_in_the_middle_of_a_job_is_restored_and_the_job_goes_on(
    cluster: Cli,
    keras_home: Path,
    photographs: Callable[..., Path],
    postgres_server: PostgresServer | ExternalPostgres,
):
    photographs(NUM_IMAGES)
    cluster.env |= QUICK
    url = cluster.env["LABELYARD_DATABASE_URL"]
    worker = cluster.start("worker", "--preload", MODEL)
    wait_for_workers(cluster)
    accepted = cluster(*LABEL, "--no-wait")
    assert accepted.returncode == 0, accepted.stderr
    serving = cluster.start("serve")
    wait_for(lambda: num_done(url) > 0, "a finished chunk")
    with database(postgres_server.url, f"labelyard_restored_{secrets.token_hex(4)}") as restored:
        reader = reader_of(cluster, keras_home, OWNERS_URL=plain_url(url), NEW_OWNERS_URL=plain_url(restored))
        reader.env["PATH"] = os.pathsep.join([str(find_postgres()), reader.env["PATH"]])
        reader.follow(PAGE, "Copy, with PostgreSQL")
        kill_with_children(worker)
        kill_with_children(serving)

        reader.follow(PAGE, "Restore, with PostgreSQL")
        assert 0 < num_done(restored) < NUM_IMAGES / CHUNK_SIZE
        cluster.env["LABELYARD_DATABASE_URL"] = restored
        resumed = cluster("jobs", "resume", "1", "--no-wait")
        assert resumed.returncode == 0, resumed.stderr
        another = cluster.start("worker", "--preload", MODEL)
        wait_for(lambda: cluster.json("jobs", "show", "1")["state"] == "done", "the end of the job")
        assert cluster("export", "1", "--out", "labels.csv").returncode == 0
        kill_with_children(another)
    rows = read_csv(cluster.cwd / "labels.csv")
    assert len({row["image"] for row in rows}) == len(rows) == NUM_IMAGES


def num_done(url: str) -> int:
    """How many chunks are done in a database."""
    ledger = Database(url)
    with ledger.read() as session:
        number = session.scalars(text("SELECT count(*) FROM chunk WHERE state = 'done'")).one()
    ledger.close()
    return int(number)
