"""The end of every scenario: the jobs must end, the interrupted work must have gone on, each image has its one row."""

import time
from collections import Counter
from collections.abc import Callable

from e2e.faults import observation
from e2e.faults.cluster import PATIENCE_S, Cluster
from e2e.faults.observation import Labels, Recoveries
from e2e.faults.scenario import Outcome

POLL_S = 0.1


def conclude(cluster: Cluster, labels: Labels, *, count: int, recoveries: Recoveries) -> Outcome:
    """Wait for the end of all jobs, within patience, and count."""
    patiently(lambda: recoveries.look() and cluster.have_ended(), recoveries)
    found = observation.damage(cluster.ledger, cluster.job_ids, labels)
    executions = Counter(cluster.finished_executions())
    num_repeated = sum(number - 1 for number in executions.values())
    return Outcome(
        count=count,
        lost=found.lost,
        duplicated=found.duplicated + num_repeated,
        recovered=len(recoveries.seconds),
        slowest_recovery_s=max(recoveries.seconds, default=None),
    )


def patiently(condition: Callable[[], object], recoveries: Recoveries | None = None) -> bool:
    """Wait until something holds, and watch meanwhile; False if it never does."""
    give_up_at_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up_at_s:
        if recoveries is not None:
            recoveries.look()
        if condition():
            return True
        time.sleep(POLL_S)
    return False
