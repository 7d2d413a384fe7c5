"""An image that crashes the decoder, stops it or takes all memory harms its own row alone."""

import os
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import pytest
from hostile import REASONS, hostile_environment, make_hostile
from program import MODEL, Cli, read_csv, wait_for
from sqlalchemy import text

from db.database import Database

NUM_IMAGES, VICTIM = 256, 100
TRAIN = ("train", "pictures", "--name", "shapes", "--backbone", MODEL, "--epochs", "2", "--max-bad", "20%")

Photographs = Callable[..., Path]


@pytest.fixture
def hostile_cli(cli: Cli) -> Cli:
    cli.env = hostile_environment(cli.env)
    return cli


@pytest.fixture
def hostile_cluster(cluster: Cli) -> Cli:
    cluster.env = hostile_environment(cluster.env)
    return cluster


@pytest.fixture
def cluster_ledger(hostile_cluster: Cli) -> Iterator[Database]:
    database = Database(hostile_cluster.env["LABELYARD_DATABASE_URL"])
    yield database
    database.close()


def hostile_folder(photographs: Photographs, *kinds: str) -> tuple[Path, dict[str, str]]:
    """A chunk's worth of pictures for each kind, one of which is of that kind; and the reasons to expect."""
    folder = photographs(NUM_IMAGES * len(kinds))
    expected = {}
    for number, kind in enumerate(kinds):
        name = f"{number * NUM_IMAGES + VICTIM:05d}.jpg"
        make_hostile(folder / name, kind)
        expected[f"photographs/{name}"] = REASONS[kind]
    return folder, expected


def check(path: Path, expected: dict[str, str]) -> None:
    rows = read_csv(path)
    assert len(rows) == len({row["image"] for row in rows}) == NUM_IMAGES * len(expected)
    assert {row["image"]: row["error"].partition(":")[0] for row in rows if row["error"]} == expected
    labelled = Counter(bool(row["label"]) for row in rows)
    assert labelled == {True: (NUM_IMAGES - 1) * len(expected), False: len(expected)}


def deaths(database: Database) -> list[int]:
    with database.read() as session:
        return sorted(session.scalars(text("SELECT deaths FROM chunk")))


def test_one_hostile_image_in_a_chunk_of_256_is_one_error_row_after_one_death(
    hostile_cli: Cli, photographs: Photographs
):
    _, expected = hostile_folder(photographs, *REASONS)
    done = hostile_cli("label", "photographs", "--model", MODEL, "--out", "o.csv")
    assert done.returncode == 0, done.stderr
    check(hostile_cli.cwd / "o.csv", expected)
    database = Database(f"sqlite:///{hostile_cli.env['LABELYARD_HOME']}/labelyard.db")
    assert deaths(database) == [1, 1, 1], "isolated at once, not cut in halves"
    database.close()


def test_hostile_images_of_every_kind_through_celery_are_one_error_row_each(
    hostile_cluster: Cli, cluster_ledger: Database, photographs: Photographs
):
    _, expected = hostile_folder(photographs, *REASONS)
    worker = hostile_cluster.start("worker", "--preload", MODEL)
    done = hostile_cluster("label", "photographs", "--model", MODEL, "--out", "o.csv")
    assert done.returncode == 0, done.stderr
    assert worker.poll() is None, "the parent outlives its children"
    check(hostile_cluster.cwd / "o.csv", expected)
    assert max(deaths(cluster_ledger)) == 1


def test_what_a_killed_child_of_celery_held_is_taken_back_without_waiting_for_its_lease(
    cluster: Cli, photographs: Photographs
):
    photographs(600)
    # Leases and sweeps are so long that nothing but the child's successor can be what goes on.
    patient = {"LABELYARD_LEASE_S": "3600", "LABELYARD_SWEEP_INTERVAL_S": "3600"}
    cluster.start("worker", "--preload", MODEL, **patient)
    database = Database(cluster.env["LABELYARD_DATABASE_URL"])

    def child_with_a_chunk() -> int | None:
        query = "SELECT pid FROM worker JOIN chunk ON chunk.worker_id = worker.id WHERE chunk.state = 'leased'"
        with database.read() as session:
            return session.scalars(text(query)).first()

    wait_for(lambda: num_workers(database), "the worker")
    running = cluster.start(
        "label", "photographs", "--model", MODEL, "--chunk-size", "100", "--out", "o.csv", **patient
    )
    os.kill(wait_for(child_with_a_chunk, "a leased chunk"), signal.SIGKILL)
    said = finished(running)
    assert running.returncode == 0, said
    assert len(read_csv(cluster.cwd / "o.csv")) == 600
    database.close()


def test_a_hostile_image_in_a_training_is_left_out_and_named(
    hostile_cli: Cli, make_labelled_pictures: Callable[..., Path]
):
    folder = make_labelled_pictures(hostile_cli.cwd / "pictures", num_images=12)
    # The first of its class, which is looked at before anything is trained, and one in the middle.
    make_hostile(as_jpeg(folder / "blue" / "00.png"), "segfault")
    make_hostile(as_jpeg(folder / "red" / "05.png"), "hang")
    trained = hostile_cli.json(*TRAIN, "--mode", "finetune")
    assert trained["model"]["state"] == "champion"
    assert trained["model"]["training"]["num_bad"] == 2


def test_a_contact_sheet_with_a_hostile_image_is_drawn_all_the_same(hostile_cli: Cli, photographs: Photographs):
    folder = photographs(4)
    make_hostile(folder / "00001.jpg", "segfault")
    done = hostile_cli("label", "photographs", "--model", MODEL, "--figure", "sheet.png")
    assert done.returncode == 0, done.stderr
    assert (hostile_cli.cwd / "sheet.png").stat().st_size > 0


def as_jpeg(png: Path) -> Path:
    jpeg = png.with_suffix(".jpg")
    assert cv2.imwrite(str(jpeg), cv2.imread(str(png)))
    png.unlink()
    return jpeg


def num_workers(database: Database) -> int:
    with database.read() as session:
        return session.scalars(text("SELECT count(*) FROM worker")).one()


def finished(process: subprocess.Popen[str]) -> str:
    return process.communicate(timeout=240)[0]
