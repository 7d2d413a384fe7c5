"""Names that both sides of the broker must agree on."""

from enum import StrEnum


class Queue(StrEnum):
    """The broker's queues; a worker listens to some of them."""

    LABEL = "label"
    TRAIN = "train"


LABEL_CHUNK_TASK = "labelyard.label_chunk"

# How many wake-ups the broker holds at most, however many chunks are queued: the ledger hands out the work, a wake-up
# only says that there is some. A worker that finishes a chunk tops them up again.
MAX_WAKE_UPS = 64
