"""A Redis that dies, forgets everything, or is out of reach without saying so."""

import time
from random import Random

import redis
from e2e.faults import observation
from e2e.faults.conclusion import conclude, patiently
from e2e.faults.deaths import CHUNK_SIZE, MAX_DELAY_S
from e2e.faults.observation import Held, Recoveries
from e2e.faults.proxy import Proxy
from e2e.faults.scenario import AS_SHIPPED, Outcome, Scenario
from e2e.faults.stage import Stage
from server_process import HOST

NUM_WORKERS = 2
MAX_DOWN_S = 3.0
# Longer than any time-out on a question to Redis, so that reconnecting in the dark is tried too.
DARK_S = 15.0


def empty_redis(stage: Stage, random: Random, count: int) -> Outcome:
    """Kill Redis in mid-job and start it empty, or flush it; then see that idle workers hear of new work."""
    cluster = stage.cluster(stage.timing_of(EMPTIED.timing))
    recoveries = Recoveries(cluster.ledger)
    for number in range(count):
        cluster.have_workers(NUM_WORKERS)
        job_id = cluster.submit(stage.images(2 * NUM_WORKERS * CHUNK_SIZE), chunk_size=CHUNK_SIZE)
        patiently(lambda: observation.leases(cluster.ledger), recoveries)
        time.sleep(random.uniform(0, MAX_DELAY_S))
        at_s = observation.now_s(cluster.ledger)
        if number % 2:
            with redis.Redis.from_url(cluster.redis.url) as client:
                client.flushall()
        else:
            cluster.redis.kill()
            time.sleep(random.uniform(0, MAX_DOWN_S))
            cluster.redis.start()
        # Workers that are idle by now hear of work through Redis alone. It is accepted as if its wake-ups were lost.
        patiently(cluster.have_ended, recoveries)
        later_id = cluster.accept(stage.images(CHUNK_SIZE), chunk_size=CHUNK_SIZE)
        recoveries.add([Held(chunk_id, 0, "") for chunk_id in cluster.chunks_of(job_id)], at_s)
        later_at_s = observation.now_s(cluster.ledger)
        reached = Recoveries(cluster.ledger)
        reached.add([Held(chunk_id, 0, "") for chunk_id in cluster.chunks_of(later_id)], later_at_s)
        if not patiently(lambda: reached.look() and cluster.have_ended(), recoveries):  # noqa: B023 - asked at once
            break
        recoveries.seconds[-1] = max(recoveries.seconds[-1], *reached.seconds)
    return conclude(cluster, stage.labels, count=count, recoveries=recoveries)


def black_hole(stage: Stage, random: Random, count: int) -> Outcome:
    """Darken the wire between idle workers and Redis, and have work for them."""
    cluster = stage.cluster(stage.timing_of(DARK.timing))
    recoveries = Recoveries(cluster.ledger)
    for _ in range(count):
        cluster.have_workers(0)
        with Proxy(cluster.redis.port) as proxy:
            url = cluster.redis.url.replace(f"{HOST}:{cluster.redis.port}", f"{HOST}:{proxy.port}")
            cluster.have_workers(NUM_WORKERS, LABELYARD_BROKER_URL=url)
            at_s = observation.now_s(cluster.ledger)
            proxy.go_dark()
            # Through the wire that works; the workers have none.
            job_id = cluster.submit(stage.images(2 * CHUNK_SIZE), chunk_size=CHUNK_SIZE)
            recoveries.add([Held(chunk_id, 0, "") for chunk_id in cluster.chunks_of(job_id)], at_s)
            time.sleep(DARK_S * random.uniform(0.5, 1))
            proxy.go_light()
            if not patiently(lambda: recoveries.look() and cluster.have_ended()):
                break
            cluster.have_workers(0)
    return conclude(cluster, stage.labels, count=count, recoveries=recoveries)


EMPTIED = Scenario(
    name="redis-empty",
    fault="Redis killed and restarted empty; FLUSHALL in mid-job",
    expected="goes on within 60 s",
    run=empty_redis,
    count=20,
    num_in_tests=1,
    timing=AS_SHIPPED,
    max_recovery_s=60,
)
DARK = Scenario(
    name="redis-black-hole",
    fault="a TCP black hole between worker and Redis",
    expected="reconnects within 75 s, nothing lost",
    run=black_hole,
    count=4,
    num_in_tests=0,
    timing=AS_SHIPPED,
    max_recovery_s=75,
)
