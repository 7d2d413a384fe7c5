"""Fixtures of the dashboard's tests over HTTP: a client that sends what browsers send, and a small world to look at."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from colours import ColourWorker, label, paint_red_and_green, train

from db.database import Database

Serve = Callable[..., httpx.Client]


def as_browser(client: httpx.Client) -> httpx.Client:
    """The same client, saying what browsers say of a form on one of our pages."""
    client.headers["Origin"] = f"http://{client.base_url.host}:{client.base_url.port}"
    return client


@pytest.fixture
def site(api: httpx.Client) -> httpx.Client:
    """A browser in front of a server that only this machine can ask."""
    return as_browser(api)


@dataclass(frozen=True)
class World:
    """What there is to look at."""

    worker: ColourWorker
    pictures: Path
    train_job: int
    label_job: int


@pytest.fixture
def world(ledger: Database, tmp_path: Path) -> World:
    """Two versions of the model `colours`, and a job of eight pictures and a broken one."""
    worker = ColourWorker(ledger)
    dataset = paint_red_and_green(tmp_path / "photographs", num_train=6, num_val=4)
    train_job = train(ledger, worker, dataset, "colours")
    train(ledger, worker, dataset, "colours", seed=1)
    pictures = paint_red_and_green(tmp_path / "new", num_train=1, num_val=3)
    (pictures / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"x" * 40)
    return World(worker, pictures, train_job, label(worker, pictures))
