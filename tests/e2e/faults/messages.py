"""More of everything than there should be: messages, sweepers, planners, dispatchers."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from random import Random

from e2e.faults import observation
from e2e.faults.conclusion import conclude, patiently
from e2e.faults.deaths import CHUNK_SIZE, NUM_WORKERS
from e2e.faults.observation import Recoveries
from e2e.faults.scenario import Outcome, Scenario
from e2e.faults.stage import Stage

from core.queues import Queue
from orchestrator.planning import plan
from workers.access import Access
from workers.broker import BrokerWaker
from workers.sweeper import Sweeper

NUM_MESSAGES = 10
SWEEP_INTERVAL_S = 0.05


def repeat_messages(stage: Stage, random: Random, count: int) -> Outcome:
    """Propose each chunk ten times while two planners plan it, and two sweepers and two dispatchers are at work."""
    cluster = stage.cluster(stage.timing_of(REPEATED.timing))
    cluster.have_workers(min(NUM_WORKERS, count))
    ledger = cluster.ledger
    job_id = cluster.accept(stage.images(count * CHUNK_SIZE), chunk_size=CHUNK_SIZE, is_planned=False)
    waker = BrokerWaker(cluster.app, ledger)
    run_twice(lambda: plan(ledger, job_id, Access(), after_commit=waker.top_up))
    sweepers = [Sweeper(ledger, waker, interval_s=SWEEP_INTERVAL_S, lease_s=cluster.timing.lease_s) for _ in range(2)]
    for sweeper in sweepers:
        sweeper.start()
    proposals = cluster.chunks_of(job_id) * NUM_MESSAGES
    random.shuffle(proposals)
    for chunk_id in proposals:
        cluster.app.send_task(Queue.LABEL.task, kwargs={"job": job_id, "chunk": chunk_id})
    patiently(cluster.have_ended)
    for sweeper in sweepers:
        sweeper.stop()
    outcome = conclude(cluster, stage.labels, count=count, recoveries=Recoveries(ledger))
    attempts = [row[0] for row in observation.ask(ledger, "SELECT attempt FROM chunk WHERE job_id = :job", job=job_id)]
    outcome.duplicated += sum(attempts) - len(attempts)
    outcome.recovered = sum(attempt == 1 for attempt in attempts)
    return outcome


def run_twice(do: Callable[[], object]) -> None:
    """Do the same in two threads at once."""
    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(do) for _ in range(2)]:
            future.result()


REPEATED = Scenario(
    name="repeated-messages",
    fault="the same message ten times; two sweepers, two dispatchers, two planners",
    expected="one execution of each chunk",
    run=repeat_messages,
    count=20,
    num_in_tests=4,
)
