"""A PostgreSQL that is restarted, crashes, or is away for a minute."""

import time
from random import Random

from e2e.faults import observation
from e2e.faults.conclusion import conclude, patiently
from e2e.faults.deaths import CHUNK_SIZE, MAX_DELAY_S, some_leased_worker
from e2e.faults.observation import Recoveries
from e2e.faults.scenario import AS_SHIPPED, Outcome, Scenario
from e2e.faults.stage import Stage

NUM_WORKERS = 2
AWAY_S = 60.0
AWAY_IN_TESTS_S = 5.0


def restart_postgres(stage: Stage, random: Random, count: int) -> Outcome:
    """Shut it down in order, let it crash, keep it away for longer than a lease lasts, in turns."""
    cluster = stage.cluster(stage.timing_of(RESTARTED.timing))
    recoveries = Recoveries(cluster.ledger)
    num_half_written = 0
    away_s = AWAY_IN_TESTS_S if stage.is_quick else AWAY_S
    for number in range(count):
        cluster.have_workers(NUM_WORKERS)
        cluster.submit(stage.images(4 * NUM_WORKERS * CHUNK_SIZE), chunk_size=CHUNK_SIZE)
        some_leased_worker(cluster, random, recoveries)
        time.sleep(random.uniform(0, MAX_DELAY_S))
        match number % 3:
            case 0:
                cluster.postgres.kill()
                time.sleep(away_s)
                cluster.postgres.start()
            case 1:
                cluster.postgres.restart()
            case _:
                cluster.postgres.kill()
                cluster.postgres.start()
        num_half_written += observation.num_half_written(cluster.ledger)
        recoveries.add(observation.leases(cluster.ledger), observation.now_s(cluster.ledger))
        if not patiently(lambda: recoveries.look() and cluster.have_ended()):
            break
    outcome = conclude(cluster, stage.labels, count=count, recoveries=recoveries)
    outcome.duplicated += num_half_written
    return outcome


RESTARTED = Scenario(
    name="postgres-away",
    fault="PostgreSQL away for 60 s, restarted, crashed, in turns",
    expected="transactions retried, no half chunk, goes on within 45 s of its return",
    run=restart_postgres,
    count=6,
    num_in_tests=1,
    timing=AS_SHIPPED,
    max_recovery_s=45,
)
