"""One client of the ledger: does what a worker does, as fast as it can, and times each transaction.

Run in a process of its own; several of them share a job. Only the ledger's part of a worker is here: nothing is read,
decoded or computed.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from benchmarks.ledger_costs.stock import NETWORK
from benchmarks.ledger_costs.stopwatch import Laps, Stopwatch
from core.features import FeatureKey
from core.jobs import Claim, Outcome, Prediction, StageSeconds, WorkerProfile
from db import workers as worker_store
from db.database import Database
from db.features import find_features, save_features
from db.ledger import leasing, sweeping
from db.ledger.closing import is_left_open
from db.schema import require_revision
from db.workers import WorkerIdentity, WorkerReport
from workers.chunks import ChunkWork, read_work

LEASE_S = 600.0
AT_ONCE = 16  # chunks that a client goes through in step
WARM_UP = 8  # chunks before the clock starts; psycopg prepares a statement when it comes for the sixth time
LOOKS = RENEWALS = 10  # of each lease
SWEEPS = 10  # behind so many chunks
PREDICTION = Prediction((281, 282, 285, 287, 478), (0.61234567, 0.21234567, 0.10123456, 0.03123456, 0.01234567))
SECONDS = StageSeconds(1.0, 1.0, 1.0, 1.0, 1.0)
# What MobileNet-0.75 makes of an image: 768 numbers of four bytes, looked for by 64 and stored by 256.
EXTRACTOR, NUM_FEATURES, FOUND_AT_ONCE = f"{NETWORK}/crop/224x224", 768, 64


@dataclass(frozen=True, slots=True)
class Task:
    """What a client is to do."""

    url: str
    number: int  # which client it is
    num_chunks: int
    with_features: bool = False
    only_claims: bool = False  # and sweeps; the chunks have no images


def work(task: Task) -> dict[str, Laps]:
    """Be a client: the transactions of so many chunks, by their names."""
    database = Database(task.url)
    client = _Client(database, f"client-{task.number}-{os.getpid()}")
    try:
        client.do("hello", [client.say_hello])
        for done in (-WARM_UP, *range(0, task.num_chunks - WARM_UP, AT_ONCE)):
            number = WARM_UP if done < 0 else min(AT_ONCE, task.num_chunks - WARM_UP - done)
            if task.only_claims:
                client.claim_chunks(number)
            else:
                client.do_chunks(number, with_features=task.with_features)
            client.do("sweep", [client.sweep] * SWEEPS)
            if done < 0:
                client.watch.laps.clear()
    finally:
        database.close()
    return client.watch.laps


class _Client:
    def __init__(self, database: Database, worker_id: str) -> None:
        self._database = database
        self._profile = WorkerProfile(worker_id, warm=frozenset({NETWORK}))
        self.watch = Stopwatch(database)

    def do(self, operation: str, works: Sequence[Callable[[Session], Any]], *, writes: bool = True) -> list[Any]:
        begin = self._database.write if writes else self._database.read

        def one(work: Callable[[Session], Any]) -> Any:  # noqa: ANN401 - whatever the ledger answers
            with begin() as session:
                return work(session)

        return self.watch.time(operation, [partial(one, work) for work in works])

    def say_hello(self, session: Session) -> None:
        identity = WorkerIdentity(self._profile.worker_id, "here", os.getpid())
        worker_store.report(session, identity, WorkerReport(warm=[NETWORK]))

    def claim(self, session: Session) -> Claim | None:
        require_revision(session)
        return leasing.claim(session, self._profile, lease_s=LEASE_S)

    def sweep(self, session: Session) -> None:
        require_revision(session)
        sweeping.sweep(session)
        worker_store.touch(session, [self._profile.worker_id])

    def claim_chunks(self, number: int) -> list[Claim]:
        return [lease for lease in self.do("claim", [self.claim] * number) if lease is not None]

    def do_chunks(self, number: int, *, with_features: bool) -> None:
        leases = self.claim_chunks(number)
        works = self.do("read", [partial(read_work, claim=lease) for lease in leases], writes=False)
        self.do("look", [partial(leasing.holds, lease=lease) for lease in leases for _ in range(LOOKS)], writes=False)
        renewals = [partial(leasing.renew, lease=lease, lease_s=LEASE_S, num_processed=64) for lease in leases]
        self.do("renew", renewals * RENEWALS)
        if with_features:
            self._do_features(works)
        finishes = [partial(leasing.finish, lease=w.claim, outcomes=outcomes(w), seconds=SECONDS) for w in works]
        assert all(self.do("finish", finishes)), "nobody else works on these chunks"  # noqa: S101
        self.do("close", [partial(is_left_open, job_id=lease.job_id) for lease in leases], writes=False)

    def _do_features(self, works: Sequence[ChunkWork]) -> None:
        keys = [[_key(w.claim.job_id, image.ordinal) for image in w.images] for w in works]
        finds = [
            partial(find_features, extractor=EXTRACTOR, keys=some[first : first + FOUND_AT_ONCE])
            for some in keys
            for first in range(0, len(some), FOUND_AT_ONCE)
        ]
        self.do("find features", finds, writes=False)
        # Random, because PostgreSQL would compress what repeats itself.
        vectors = [{key: os.urandom(4 * NUM_FEATURES) for key in some} for some in keys]
        self.do("save features", [partial(save_features, extractor=EXTRACTOR, vectors=some) for some in vectors])


def outcomes(work: ChunkWork) -> list[Outcome]:
    """A prediction with five classes for each image of a chunk."""
    (model,) = work.models
    return [
        Outcome(image.ordinal, model.id, PREDICTION, _key(work.claim.job_id, image.ordinal).sha256)
        for image in work.images
    ]


def _key(job_id: int, ordinal: int) -> FeatureKey:
    return FeatureKey(hashlib.sha256(f"{job_id} {ordinal}".encode()).hexdigest())
