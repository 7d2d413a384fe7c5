"""Two programs on one SQLite file."""

import time
from random import Random

from e2e.faults.conclusion import conclude
from e2e.faults.deaths import CHUNK_SIZE
from e2e.faults.observation import Recoveries
from e2e.faults.scenario import Outcome, Scenario
from e2e.faults.stage import Stage
from program import MODEL, RUN_TIMEOUT_S

NUM_PROGRAMS = 2
MAX_DELAY_S = 1.0


def label_together(stage: Stage, random: Random, count: int) -> Outcome:
    """Run two `labelyard label` at once, each with workers of its own, begun at any distance."""
    cluster = stage.cluster(stage.timing_of(TOGETHER.timing), is_embedded=True)
    cluster.have_workers(0)
    num_ended = 0
    for round_number in range(count):
        running = []
        for number in range(NUM_PROGRAMS):
            images = stage.images(5 * CHUNK_SIZE)
            options = ("--chunk-size", str(CHUNK_SIZE), "--top-k", str(1 + NUM_PROGRAMS * round_number + number))
            running.append(cluster.cli.start("label", images, "--model", MODEL, *options, "--no-features"))
            time.sleep(random.uniform(0, MAX_DELAY_S))
        for process in running:
            process.communicate(timeout=RUN_TIMEOUT_S)
        num_ended += all(process.returncode == 0 for process in running)
    cluster.job_ids.extend(cluster.all_job_ids()[-NUM_PROGRAMS * count :])
    outcome = conclude(cluster, stage.labels, count=count, recoveries=Recoveries(cluster.ledger))
    outcome.recovered = num_ended
    return outcome


TOGETHER = Scenario(
    name="two-programs-sqlite",
    fault="two `labelyard label` processes on one SQLite file",
    expected="both end well",
    run=label_together,
    count=5,
    num_in_tests=1,
)
