"""Workers that stand still: in mid-chunk for longer than their lease, or idle just when they are woken."""

import signal
import time
from functools import partial
from random import Random
from typing import Any

import redis
from e2e.faults import observation
from e2e.faults.cluster import Cluster
from e2e.faults.conclusion import conclude, patiently
from e2e.faults.observation import Held, Recoveries
from e2e.faults.scenario import AS_SHIPPED, Outcome, Scenario
from e2e.faults.stage import Stage
from e2e.faults.worker import Worker, process_state

from core.queues import Queue
from workers.broker import BrokerWaker

# So many stand still at once.
NUM_FROZEN = 5
# Small chunks: those who are left have to do those of the others as well, one by one.
NUM_CHUNKS_EACH, CHUNK_SIZE = 3, 12
# Time for Redis to hand a message to a worker that cannot take it, far below that of a sweep.
HAND_OVER_S = 0.2


def freeze_past_lease(stage: Stage, random: Random, count: int, *, is_embedded: bool) -> Outcome:
    """Freeze workers that are about to write a chunk's results; thaw them when others have the chunk."""
    cluster = stage.cluster(stage.timing_of((SQLITE_FROZEN if is_embedded else FROZEN).timing), is_embedded=is_embedded)
    recoveries = Recoveries(cluster.ledger)
    late: set[tuple[int, int]] = set()  # (chunk, attempt) of those that must be refused
    num_left = count
    while num_left:
        num_frozen = min(NUM_FROZEN, num_left)
        workers = cluster.have_workers(num_frozen + 1)
        cluster.submit(stage.images(NUM_CHUNKS_EACH * len(workers) * CHUNK_SIZE), chunk_size=CHUNK_SIZE)
        frozen = freeze_as_they_finish(cluster, random.sample(workers, num_frozen))
        for worker in frozen:
            held = observation.leases(cluster.ledger, worker.id)
            late |= {(one.chunk_id, one.attempt) for one in held}
            recoveries.add(held, observation.now_s(cluster.ledger))
            if random.random() < 0.5:
                cluster.signal(worker, signal.SIGSTOP)  # its sweeper as well
        patiently(recoveries.look)
        for worker in frozen:
            cluster.signal(worker, signal.SIGCONT)
        if not patiently(cluster.have_ended):
            break
        num_left -= len(frozen)
    patiently(lambda: len(late_finishes(cluster, late)) >= count - num_left)
    outcome = conclude(cluster, stage.labels, count=count, recoveries=recoveries)
    finishes = late_finishes(cluster, late)
    outcome.recovered = sum(not finish["held"] for finish in finishes)
    outcome.duplicated += sum(finish["held"] for finish in finishes)
    return outcome


def freeze_as_they_finish(cluster: Cluster, workers: list[Worker]) -> list[Worker]:
    """Have workers freeze with results in their hands; those that did so before the work was over."""
    tokens = {cluster.freezer / str(cluster.child_of(worker)): worker for worker in workers}
    for token in tokens:
        token.touch()
    children = {worker.id: cluster.child_of(worker) for worker in workers}
    patiently(lambda: all(process_state(child) == "T" for child in children.values()) or cluster.have_ended())
    for token in tokens:
        token.unlink(missing_ok=True)
    frozen = [worker for worker in workers if process_state(children[worker.id]) == "T"]
    if not cluster.can_write():
        # One of its threads was writing. The whole SQLite file waits for it then, as it does for any slow writer.
        for worker in frozen:
            cluster.signal(worker, signal.SIGCONT)
        return []
    return frozen


def late_finishes(cluster: Cluster, late: set[tuple[int, int]]) -> list[dict[str, Any]]:
    """What thawed workers tried to write though it was too late, and whether the ledger took it."""
    events = [event for worker in cluster.all_workers for event in worker.events("finished_late")]
    return [event for event in events if (event["chunk_id"], event["attempt"]) in late]


def freeze_idle_then_kill(stage: Stage, random: Random, count: int) -> Outcome:
    """Let frozen workers have the wake-ups and kill them: nobody will ever see these messages again."""
    del random
    cluster = stage.cluster(stage.timing_of(IDLE_FROZEN.timing))
    recoveries = Recoveries(cluster.ledger)
    waker = BrokerWaker(cluster.app, cluster.ledger)
    num_left = count
    while num_left > 0:
        victims = cluster.have_workers(min(NUM_FROZEN, num_left))
        patiently(lambda: not observation.leases(cluster.ledger))
        with redis.Redis.from_url(cluster.redis.url) as client:
            waker.top_up()  # so that the connection is there
            for victim in victims:
                cluster.signal(victim, signal.SIGSTOP)
            job_id = cluster.accept(stage.images(len(victims)), chunk_size=1)
            waker.top_up()
            time.sleep(HAND_OVER_S)
            # What Redis still has would wake whoever comes.
            num_swallowed = len(victims) - int(client.llen(Queue.LABEL))
        at_s = observation.now_s(cluster.ledger)
        for victim in victims:
            cluster.drop(victim)
        for chunk_id in cluster.chunks_of(job_id)[:num_swallowed]:
            recoveries.add([Held(chunk_id, 0, "")], at_s)
        num_left -= num_swallowed
        cluster.have_workers(1)
        if not patiently(cluster.have_ended, recoveries):
            break
    return conclude(cluster, stage.labels, count=count, recoveries=recoveries)


FROZEN = Scenario(
    name="sigstop",
    fault="SIGSTOP longer than the lease, as results are about to be written, then CONT",
    expected="the late write is fenced",
    run=partial(freeze_past_lease, is_embedded=False),
    count=50,
    num_in_tests=1,
)
SQLITE_FROZEN = Scenario(
    name="sigstop-sqlite",
    fault="the same SIGSTOP, embedded on SQLite",
    expected="the late write is fenced",
    run=partial(freeze_past_lease, is_embedded=True),
    count=6,
    num_in_tests=0,
)
IDLE_FROZEN = Scenario(
    name="idle-freeze",
    fault="worker frozen while idle, wake-up sent, worker killed",
    expected="the sweeper wakes another",
    run=freeze_idle_then_kill,
    count=12,
    num_in_tests=1,
    timing=AS_SHIPPED,
    max_recovery_s=45,
)
