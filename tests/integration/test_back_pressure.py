"""However many images are planned, Redis holds few messages: the ledger has the work, the broker only wakes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from ledger_steps import claim, finish
from servers import RedisServer

from core.queues import MAX_WAKE_UPS, Queue
from core.settings import Settings
from db.database import Database
from db.ledger.progress import progress
from orchestrator.planning import plan_or_fail
from orchestrator.submitting import LabelRequest, submit
from workers.access import Access
from workers.app import create_app
from workers.broker import BrokerWaker
from workers.sweeper import Sweeper
from workers.waking import wake

MAX_KEYS = 1000
MAX_BYTES = 10 * 1000**2
NUM_SWEEPS = 20
NUM_OF_SECOND_JOB = 20_000


@pytest.fixture
def ledger(postgres_url: str) -> Iterator[Database]:
    database = Database(postgres_url)
    yield database
    database.close()


def write_manifest(file: Path, num_images: int) -> Path:
    with file.open("w") as lines:
        lines.writelines(f"/nowhere/{number:08d}.jpg\n" for number in range(num_images))
    return file


@pytest.mark.parametrize("num_images", [30_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_redis_holds_a_bounded_number_of_wake_ups_however_much_is_planned(
    ledger: Database, own_redis_server: RedisServer, tmp_path: Path, num_images: int
):
    settings = Settings(broker_url=own_redis_server.url)
    waker = BrokerWaker(create_app(settings), ledger)
    client = redis.Redis.from_url(own_redis_server.url)
    bytes_before = client.info("memory")["used_memory"]
    # A second job, so that what is held does not grow with jobs either.
    for number in (num_images, NUM_OF_SECOND_JOB):
        manifest = str(write_manifest(tmp_path / f"{number}.txt", number))
        submitted = submit(ledger, settings, LabelRequest([manifest], ["mobilenet"]))
        plan_or_fail(ledger, submitted.job_id, Access.of(settings), after_commit=lambda: wake(waker))
    sweeper = Sweeper(ledger, waker, interval_s=60.0, lease_s=60.0)
    for _ in range(NUM_SWEEPS):
        finish(ledger, claim(ledger))
        sweeper.sweep_once()
    with ledger.read() as session:
        assert [progress(session, job_id).num_planned for job_id in (1, 2)] == [num_images, NUM_OF_SECOND_JOB]
    assert client.llen(Queue.LABEL) == MAX_WAKE_UPS
    num_keys, num_bytes = client.dbsize(), client.info("memory")["used_memory"] - bytes_before
    client.close()
    assert num_keys < MAX_KEYS
    assert num_bytes < MAX_BYTES
