"""Requests that cannot be carried out: a clear message, the right exit code, nothing written."""

import gzip
import os
import pickle
import shutil
import sqlite3
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from program import MODEL, Cli

Photographs = Callable[..., Path]


def num_jobs(cli: Cli) -> int:
    path = Path(cli.env["LABELYARD_HOME"]) / "labelyard.db"
    if not path.exists():
        return 0
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute("SELECT count(*) FROM job").fetchone()[0])
    finally:
        connection.close()


def refuse(cli: Cli, *arguments: str, code: int, says: str, **env: str) -> None:
    done = cli("label", *arguments, **env)
    assert done.returncode == code, done.stderr
    assert says in " ".join(done.stderr.split()), done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert num_jobs(cli) == 0


def test_a_source_that_does_not_exist(cli: Cli):
    refuse(cli, "nowhere", "--model", MODEL, code=2, says="nowhere")


def test_a_folder_without_an_image(cli: Cli):
    (cli.cwd / "empty").mkdir()
    (cli.cwd / "empty" / "notes.txt").write_text("words")
    refuse(cli, "empty", "--model", MODEL, code=2, says="no image")


def test_an_unknown_model_with_the_nearest_names(cli: Cli, photographs: Photographs):
    photographs(1)
    refuse(cli, "photographs", "--model", "mobilnet-0.75", code=2, says="mobilenet-0.75")


def test_a_version_that_does_not_exist(cli: Cli, photographs: Photographs):
    photographs(1)
    refuse(cli, "photographs", "--model", f"{MODEL}@7", code=2, says="no version '7'")


def test_a_model_that_is_named_twice(cli: Cli, photographs: Photographs):
    photographs(1)
    refuse(cli, "photographs", "--model", MODEL, "--model", f"imagenet:{MODEL}@1", code=2, says="named twice")


def test_weights_that_cannot_be_had(cli: Cli, photographs: Photographs, tmp_path: Path):
    photographs(1)
    says = "vgg16_weights_tf_dim_ordering_tf_kernels.h5"
    refuse(cli, "photographs", "--model", "vgg16", code=3, says=says, KERAS_HOME=str(tmp_path / "no-weights"))


def test_a_database_that_does_not_answer(cli: Cli, photographs: Photographs):
    photographs(1)
    url = "postgresql://someone:secret-word@127.0.0.1:9/nothing"
    done = cli("label", "photographs", "--model", MODEL, LABELYARD_DATABASE_URL=url)
    assert done.returncode == 3
    assert "does not answer" in done.stderr
    assert "secret-word" not in done.stderr


def test_a_broker_that_does_not_answer(cli: Cli, photographs: Photographs):
    photographs(1)
    url = "redis://:secret-word@127.0.0.1:9/0"
    refuse(cli, "photographs", "--model", MODEL, code=3, says="broker", LABELYARD_BROKER_URL=url)
    assert "secret-word" not in cli("label", "photographs", LABELYARD_BROKER_URL=url).stderr


def test_a_manifest_without_that_column(cli: Cli):
    (cli.cwd / "list.csv").write_text("path,label\na.jpg,cat\n")
    refuse(cli, "list.csv", "--column", "file", "--model", MODEL, code=2, says="it has 'path', 'label'")


def test_an_output_folder_that_does_not_exist(cli: Cli, photographs: Photographs):
    photographs(1)
    refuse(cli, "photographs", "--model", MODEL, "--out", "nowhere/o.csv", code=2, says="does not exist")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_output_folder_that_cannot_be_written(cli: Cli, photographs: Photographs):
    photographs(1)
    (cli.cwd / "locked").mkdir(mode=0o555)
    refuse(cli, "photographs", "--model", MODEL, "--out", "locked/o.csv", code=2, says="cannot be written")


def test_an_output_of_an_unknown_kind(cli: Cli, photographs: Photographs):
    photographs(1)
    refuse(cli, "photographs", "--model", MODEL, "--out", "o.xlsx", code=2, says=".csv, .jsonl, .parquet")


def test_an_array_that_is_not_images(cli: Cli):
    np.save(cli.cwd / "array.npy", np.zeros((4, 5)))
    refuse(cli, "array.npy", "--model", MODEL, code=2, says="(4, 5)")


def test_http_without_leave(cli: Cli):
    refuse(cli, "http://127.0.0.1:9/a.jpg", "--model", MODEL, code=2, says="--allow-http")


def test_a_source_outside_of_the_roots(cli: Cli, photographs: Photographs):
    photographs(1)
    (cli.cwd / "allowed").mkdir()
    roots = f"{cli.cwd}/allowed"
    for source in ("photographs", "allowed/../photographs/*.jpg", "s3://bucket/photographs"):
        refuse(cli, source, "--model", MODEL, code=2, says=f"read here: {roots}.", LABELYARD_SOURCE_ROOTS=roots)
    done = cli("train", "photographs", "--name", "parts", LABELYARD_SOURCE_ROOTS=roots)
    assert done.returncode == 2
    assert "LABELYARD_SOURCE_ROOTS" in done.stderr


def test_a_web_address_inside_of_the_network(cli: Cli):
    for url in ("http://127.0.0.1:9/a.jpg", "http://169.254.169.254/latest/meta-data", "https://[::1]/a.jpg"):
        refuse(cli, url, "--allow-http", "--model", MODEL, code=2, says="LABELYARD_ALLOW_PRIVATE_HOSTS=true.")


def test_a_chained_url(cli: Cli):
    refuse(cli, "simplecache::file:///etc/passwd", "--model", MODEL, code=2, says="chains file systems")


def test_an_archive_that_would_grow_without_end(cli: Cli):
    header = tarfile.TarInfo("a.jpg")
    header.size = 9 * 1024**3
    zeros = gzip.compress(bytes(64 * 1024**2))
    with (cli.cwd / "bomb.tar.gz").open("wb") as file:
        file.write(gzip.compress(header.tobuf(tarfile.GNU_FORMAT)))
        for _ in range(header.size // 1024**2 // 64):
            file.write(zeros)
    done = cli("label", "bomb.tar.gz", "--model", MODEL, "--no-wait")
    assert done.returncode == 2
    assert "it grows to more than 100 times its size" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert cli.json("jobs", "show", "1")["state"] == "failed"


@pytest.mark.parametrize("name", ["model.keras", "model.h5", "model.pkl"])
def test_a_model_file_that_could_run_code(cli: Cli, name: str):
    heads = {"model.keras": b"PK\x03\x04", "model.h5": b"\x89HDF\r\n\x1a\n", "model.pkl": pickle.dumps(["words"])}
    (cli.cwd / name).write_bytes(heads[name] + bytes(1000))
    done = cli("models", "import", name)
    assert done.returncode == 3
    assert "never opened here" in " ".join(done.stderr.split())
    assert cli.json("models") == []


def test_a_setting_that_cannot_be_read(cli: Cli, photographs: Photographs):
    photographs(1)
    refuse(cli, "photographs", "--model", MODEL, code=2, says="LABELYARD_WORKERS", LABELYARD_WORKERS="many")


@pytest.mark.parametrize(("name", "value"), [("LABELYARD_LOG_LEVEL", "loud"), ("LABELYARD_PRELOAD", "mobilnet")])
def test_a_setting_that_names_nothing(cli: Cli, photographs: Photographs, name: str, value: str):
    photographs(1)
    refuse(cli, "photographs", "--model", MODEL, code=2, says=value, **{name: value})


def test_a_settings_file_that_cannot_be_read(cli: Cli, photographs: Photographs):
    photographs(1)
    (cli.cwd / "labelyard.toml").write_text("workers = = 2")
    refuse(cli, "photographs", "--model", MODEL, code=2, says="labelyard.toml cannot be read")


def test_a_file_that_is_no_database(cli: Cli, photographs: Photographs):
    photographs(1)
    (cli.cwd / "letter.db").write_text("This is a letter, and long enough to have been a database header." * 99)
    done = cli("label", "photographs", "--model", MODEL, LABELYARD_DATABASE_URL="sqlite:///letter.db")
    assert done.returncode == 3
    assert "not a database" in done.stderr
    assert "Traceback" not in done.stderr


def test_secrets_are_never_printed(cli: Cli):
    env = {
        "LABELYARD_DATABASE_URL": "postgresql://127.0.0.1:9/x?user=u&password=secret-word",
        "LABELYARD_BROKER_URL": "redis://:secret-word@127.0.0.1:9/0?password=secret-word",
    }
    for command in (("settings",), ("settings", "--json"), ("jobs",), ("worker",)):
        done = cli(*command, **env)
        assert "secret-word" not in done.stdout + done.stderr


def test_an_option_that_cannot_be_meant(cli: Cli, photographs: Photographs):
    photographs(1)
    done = cli("label", "photographs", "--top-k", "0")
    assert done.returncode == 2
    assert "top-k" in done.stderr


def test_an_older_database_is_left_as_it_is(cli: Cli, photographs: Photographs):
    photographs(1)
    assert cli("db", "upgrade").returncode == 0
    path = Path(cli.env["LABELYARD_HOME"]) / "labelyard.db"
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = '0000'")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    refuse(cli, "photographs", "--model", MODEL, code=3, says="labelyard db upgrade")
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--queues", "label,paint"), "no queue 'paint'"),
        (("--preload", MODEL, "mobilnet"), "'mobilnet'"),
        ((MODEL,), f"--preload {MODEL}"),
    ],
)
def test_a_worker_that_is_asked_for_what_there_is_not(cli: Cli, arguments: tuple[str, ...], says: str):
    done = cli("worker", *arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_job_that_does_not_exist(cli: Cli):
    done = cli("jobs", "show", "12")
    assert done.returncode == 2
    assert "no job 12" in done.stderr


def test_a_state_folder_that_cannot_be_made(cli: Cli, photographs: Photographs, tmp_path: Path):
    photographs(1)
    (tmp_path / "file").touch()
    done = cli("label", "photographs", "--model", MODEL, LABELYARD_HOME=str(tmp_path / "file" / "state"))
    assert done.returncode == 3
    assert "LABELYARD_HOME" in done.stderr


def test_a_job_that_is_done_cannot_be_resumed(cli: Cli, photographs: Photographs):
    folder = photographs(1)
    cli("label", "photographs", "--model", MODEL, "--no-wait")
    shutil.rmtree(folder)
    assert cli("jobs", "resume", "1").returncode == 0
    done = cli("jobs", "resume", "1")
    assert done.returncode == 2
    assert "Job 1 is done" in done.stderr


def test_a_manifest_of_impossible_names_becomes_error_rows_with_their_reasons(cli: Cli, photographs: Photographs):
    photographs(1)
    entries = [b"photographs/00000.jpg", b"caf\xe9.jpg", b"a\0b.jpg", b"a\0b.npy#1", b"caf\xe9.tar#x.jpg"]
    (cli.cwd / "list.txt").write_bytes(b"\n".join(entries))
    summary = cli.json("label", "list.txt", "--model", MODEL, "--out", "o.csv")
    assert (summary["num_predictions"], summary["num_errors"]) == (1, 4)
    assert set(summary["errors"]) <= {"not_found", "unreadable"}


def test_a_worker_process_whose_setup_is_missing_says_so_and_ends_with_3(cli: Cli):
    env = cli.env | {"LABELYARD_DATABASE_URL": "mysql://127.0.0.1:9/nothing"}
    command = [sys.executable, "-m", "workers.local", "--worker-id", "anna"]
    # Its standard input stays open, as under a supervisor.
    with subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        said = worker.stdout.read()
        assert worker.wait(60) == 3
    assert "Expected sqlite or postgresql" in said


def test_a_source_that_vanishes_while_it_waits_becomes_error_rows(cli: Cli, photographs: Photographs):
    folder = photographs(3)
    cli("label", "photographs", "--model", MODEL, "--no-wait")
    shutil.rmtree(folder)
    done = cli.json("jobs", "resume", "1")
    assert (done["state"], done["errors"]) == ("done", {"not_found": 3})
