"""Workers whose clocks are an hour off, in either direction."""

from random import Random

from e2e.faults import observation
from e2e.faults.conclusion import conclude, patiently
from e2e.faults.deaths import CHUNK_SIZE
from e2e.faults.observation import Recoveries
from e2e.faults.scenario import Outcome, Scenario
from e2e.faults.stage import Stage

HOUR_S = 3600
NUM_WORKERS = 2
# Fewer would be done by one of the two.
MIN_CHUNKS = 8


def set_clocks_wrong(stage: Stage, random: Random, count: int) -> Outcome:
    """Have one worker live an hour ahead and another an hour behind; no lease may run out before its time."""
    del random
    cluster = stage.cluster(stage.timing_of(WRONG_CLOCKS.timing))
    cluster.have_workers(0)
    for sign in (1, -1):
        cluster.start_worker(FAULTS_CLOCK_S=str(sign * HOUR_S))
    cluster.have_workers(NUM_WORKERS)
    count = max(count, MIN_CHUNKS)
    job_id = cluster.submit(stage.images(count * CHUNK_SIZE), chunk_size=CHUNK_SIZE)
    patiently(cluster.have_ended)
    outcome = conclude(cluster, stage.labels, count=count, recoveries=Recoveries(cluster.ledger))
    sql = "SELECT count(*) FROM chunk WHERE job_id = :job AND attempt = 1 AND deaths = 0"
    outcome.recovered = int(observation.ask(cluster.ledger, sql, job=job_id)[0][0])
    sql = "SELECT count(DISTINCT worker_id) FROM chunk WHERE job_id = :job"
    assert observation.ask(cluster.ledger, sql, job=job_id)[0][0] == NUM_WORKERS, (
        "Only one of the two clocks was tried."
    )
    cluster.have_workers(0)
    return outcome


WRONG_CLOCKS = Scenario(
    name="wrong-clocks",
    fault="worker clocks an hour ahead and an hour behind",
    expected="no early expiry, of any chunk",
    run=set_clocks_wrong,
    count=20,
    num_in_tests=0,
)
