"""Names that both sides of the broker must agree on."""

from collections.abc import Iterable
from enum import StrEnum

from core.types import JobKind


class Queue(StrEnum):
    """The broker's queues; a worker listens to some of them."""

    LABEL = "label"
    TRAIN = "train"

    @property
    def task(self) -> str:
        """The Celery task that its wake-ups call; its name is what Flower shows."""
        return _TASKS[self]

    @property
    def kinds(self) -> frozenset[JobKind]:
        """The jobs that it is for."""
        return _KINDS[self]


LABEL_CHUNK_TASK = "labelyard.label_chunk"
TRAIN_TASK = "labelyard.train"

_TASKS = {Queue.LABEL: LABEL_CHUNK_TASK, Queue.TRAIN: TRAIN_TASK}
_KINDS = {
    Queue.LABEL: frozenset({JobKind.LABEL, JobKind.EVALUATE}),
    Queue.TRAIN: frozenset({JobKind.TRAIN, JobKind.RETRAIN}),
}

# Where ticks of the schedules wait for an orchestrator. It is none of the queues above: no worker takes anything of it.
SCHEDULE_QUEUE = "schedule"
TICK_TASK = "labelyard.tick"
# One tick looks at everything, so a second that waits is one too many; the bound allows for two who send at once.
MAX_TICKS = 2

# How many wake-ups the broker holds at most in each queue, however many chunks are queued: the ledger hands out the
# work, a wake-up only says that there is some. A worker that finishes a chunk tops them up again.
MAX_WAKE_UPS = 64


def kinds_of(queues: Iterable[Queue]) -> frozenset[JobKind]:
    """The jobs that a worker takes which listens to these queues."""
    return frozenset().union(*(queue.kinds for queue in queues))
