"""Workers that are killed or told to stop while they work."""

import os
import signal
import time
from collections.abc import Callable
from functools import partial
from random import Random

from e2e.faults import observation
from e2e.faults.cluster import Cluster
from e2e.faults.conclusion import conclude, patiently
from e2e.faults.observation import Held, Recoveries
from e2e.faults.scenario import AS_SHIPPED, Outcome, Scenario
from e2e.faults.stage import Stage
from e2e.faults.worker import Worker

# Small chunks, and several workers: a chunk that somebody died over is done alone, and must not wait long for its turn.
NUM_WORKERS, SMALL_CHUNK_SIZE = 5, 12
CHUNK_SIZE = 24
# So many faults at most are waited for at a time; with more, chunks that somebody died over queue for workers.
MAX_OPEN = 6
# Takes longer than a worker that was told to stop goes on.
LONG_CHUNK_SIZE = 96
# A moment of a chunk's life that nobody chose.
MAX_DELAY_S = 1.0


def kill_workers(stage: Stage, random: Random, count: int, *, is_embedded: bool) -> Outcome:
    """Kill computing processes, supervising ones, and both at once, while jobs are never done."""
    scenario = SQLITE_DEATHS if is_embedded else DEATHS
    cluster = stage.cluster(stage.timing_of(scenario.timing), is_embedded=is_embedded)
    num_workers = min(NUM_WORKERS, 2 + count // 4)
    cluster.have_workers(num_workers)
    recoveries = Recoveries(cluster.ledger)
    ways: list[Callable[[Cluster, Worker], None]] = [kill_child, kill_parent, kill_all]
    for number in range(count):
        # Each has two chunks in hand.
        if cluster.num_queued() < 2 * num_workers:
            cluster.submit(stage.images(8 * num_workers * SMALL_CHUNK_SIZE), chunk_size=SMALL_CHUNK_SIZE)
        patiently(lambda: recoveries.num_open < MAX_OPEN, recoveries)
        victim = some_leased_worker(cluster, random, recoveries, num_ready=max(2, num_workers - 1))
        time.sleep(random.uniform(0, MAX_DELAY_S))
        at_s = observation.now_s(cluster.ledger)
        ways[number % len(ways)](cluster, victim)
        recoveries.add(observation.leases(cluster.ledger, victim.id), at_s)
        if not victim.is_alive:
            cluster.start_worker()
    return conclude(cluster, stage.labels, count=count, recoveries=recoveries)


def some_leased_worker(cluster: Cluster, random: Random, recoveries: Recoveries, *, num_ready: int = 2) -> Worker:
    """One of the workers that hold chunks, when so many work: the rest must be able to go on."""
    found: list[tuple[Worker, list[Held]]] = []

    def find() -> bool:
        found[:] = cluster.leased_workers()
        return bool(found) and len(cluster.ready()) >= num_ready

    assert patiently(find, recoveries), "No worker holds a chunk."
    return random.choice(found)[0]


def kill_child(cluster: Cluster, worker: Worker) -> None:
    """The process that computes."""
    os.kill(cluster.child_of(worker), signal.SIGKILL)


def kill_parent(cluster: Cluster, worker: Worker) -> None:
    """The process that supervises; what it leaves behind goes on for a while."""
    del cluster
    worker.process.kill()
    worker.process.wait()


def kill_all(cluster: Cluster, worker: Worker) -> None:
    """As when the machine goes."""
    cluster.signal(worker, signal.SIGKILL)
    worker.process.wait()


def stop_workers(stage: Stage, random: Random, count: int, *, is_embedded: bool) -> Outcome:
    """SIGTERM in mid-chunk, while another worker is idle: who stops on purpose gives back, and wakes."""
    scenario = SQLITE_STOPS if is_embedded else STOPS
    cluster = stage.cluster(stage.timing_of(scenario.timing), is_embedded=is_embedded)
    recoveries = Recoveries(cluster.ledger)
    for _ in range(count):
        cluster.have_workers(2)
        cluster.submit(stage.images(LONG_CHUNK_SIZE), chunk_size=LONG_CHUNK_SIZE)
        victim = some_leased_worker(cluster, random, recoveries)
        time.sleep(random.uniform(0, MAX_DELAY_S / 2))
        held = observation.leases(cluster.ledger, victim.id)
        at_s = observation.now_s(cluster.ledger)
        victim.process.send_signal(signal.SIGTERM)
        recoveries.add(held, at_s)
        patiently(lambda: not victim.is_alive and cluster.have_ended(), recoveries)  # noqa: B023 - asked at once
    outcome = conclude(cluster, stage.labels, count=count, recoveries=recoveries)
    # Neither finished while it stopped, nor taken back by a sweeper.
    sql = "SELECT count(*) FROM chunk WHERE job_id >= :job AND attempt = 2 AND deaths = 0"
    outcome.recovered = int(observation.ask(cluster.ledger, sql, job=min(cluster.job_ids))[0][0])
    return outcome


DEATHS = Scenario(
    name="kill-worker",
    fault="kill -9 of a worker's child, of its parent, of both, at random moments",
    expected="re-leased within 45 s",
    run=partial(kill_workers, is_embedded=False),
    count=160,
    num_in_tests=3,
    timing=AS_SHIPPED,
    max_recovery_s=45,
)
SQLITE_DEATHS = Scenario(
    name="kill-worker-sqlite",
    fault="the same kills, embedded on SQLite",
    expected="re-leased within 45 s",
    run=partial(kill_workers, is_embedded=True),
    count=40,
    num_in_tests=2,
    timing=AS_SHIPPED,
    max_recovery_s=45,
)
STOPS = Scenario(
    name="sigterm",
    fault="SIGTERM in mid-chunk",
    expected="lease given back, next claim within 5 s",
    run=partial(stop_workers, is_embedded=False),
    count=10,
    num_in_tests=1,
    timing=AS_SHIPPED,
    max_recovery_s=5,
)
SQLITE_STOPS = Scenario(
    name="sigterm-sqlite",
    fault="SIGTERM in mid-chunk, embedded on SQLite",
    expected="lease given back, next claim within 5 s",
    run=partial(stop_workers, is_embedded=True),
    count=5,
    num_in_tests=0,
    timing=AS_SHIPPED,
    max_recovery_s=5,
)
