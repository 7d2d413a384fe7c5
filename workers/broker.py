"""Waking workers through the broker. A wake-up names a chunk so that Flower and the logs read well; it is no more.

Losing any number of them is harmless: every sweep tops them up again.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import NoPermissionError, RedisError
from sqlalchemy import select

from core.errors import BrokerError
from core.queues import MAX_WAKE_UPS, Queue
from core.types import ChunkState, JobState
from db.database import Database
from db.tables import ChunkTable, JobTable, chunk_is


class BrokerWaker:
    """Publishes wake-ups, never more than a bounded number.

    Args:
        app: the Celery app.
        database: the ledger, which says what is queued.
    """

    def __init__(self, app: Celery, database: Database) -> None:
        self._app = app
        self._database = database

    def top_up(self) -> int:
        """Publish wake-ups until each queue holds one per queued chunk, or `MAX_WAKE_UPS`.

        Raises:
            BrokerError: the broker does not answer.
        """
        with _translated():
            return sum(self._top_up(queue) for queue in Queue)

    def num_waiting(self) -> int:
        """How many wake-ups wait in the broker.

        Raises:
            BrokerError: the broker does not answer.
        """
        with _translated():
            return sum(_num_waiting(self._app, queue) for queue in Queue)

    def _top_up(self, queue: Queue) -> int:
        num_there = _num_waiting(self._app, queue)
        proposals = self._queued_chunks(queue, skip=num_there, limit=MAX_WAKE_UPS - num_there)
        for job_id, chunk_id in proposals:
            self._app.send_task(queue.task, kwargs={"job": job_id, "chunk": chunk_id}, retry=False)
        return len(proposals)

    def _queued_chunks(self, queue: Queue, *, skip: int, limit: int) -> list[tuple[int, int]]:
        if limit <= 0:
            return []
        jobs = (
            select(JobTable.id)
            .where(JobTable.state == JobState.RUNNING, JobTable.kind.in_(sorted(queue.kinds)))
            .order_by(JobTable.priority, JobTable.id)
        )
        found: list[tuple[int, int]] = []
        with self._database.read() as session:
            # Job by job, each along its index: a job may have 40,000 queued chunks, and a queue takes a few.
            for job_id in session.scalars(jobs).all():
                queued = (
                    select(ChunkTable.id)
                    .where(ChunkTable.job_id == job_id, chunk_is(ChunkState.QUEUED))
                    .order_by(ChunkTable.id)
                    .limit(skip + limit - len(found))
                )
                found += [(job_id, chunk_id) for chunk_id in session.scalars(queued)]
                if len(found) == skip + limit:
                    break
        # The first ones have their wake-ups already; a proposal twice would be harmless, but confusing to read.
        return found[skip:]


def num_waiting(app: Celery, queue_name: str) -> int:
    """How many messages wait in a queue.

    Raises:
        BrokerError: the broker does not answer.
    """
    with _translated():
        return _num_waiting(app, queue_name)


def _num_waiting(app: Celery, queue_name: str) -> int:
    with app.connection_or_acquire() as connection:
        connection.ensure_connection(max_retries=1, interval_start=0.1)
        return int(connection.default_channel.client.llen(queue_name))


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except NoPermissionError as error:
        raise BrokerError(
            f"Redis forbids its user something: {str(error).rstrip('.')}. "
            "docs/how-to/secure.md lists what Labelyard needs."
        ) from error
    except (OperationalError, RedisError) as error:
        raise BrokerError(
            f"The broker does not answer: {str(error).rstrip('.')}. "
            "Check that Redis runs and that LABELYARD_BROKER_URL is right."
        ) from error
