"""What a sheet of paper says of a scenario: what a chunk asks of the database, and so how many a second it can take."""

import math

from benchmarks.scale_sim.costs import Costs
from benchmarks.scale_sim.scenario import Scenario
from workers.working import CHUNKS_AT_ONCE

BATCH_IMAGES = 32  # between two signs of progress
FIND_IMAGES = 64  # features that are looked for in one query


def chunk_server_s(scenario: Scenario, costs: Costs, *, leases: int) -> float:
    """Seconds of a core that a chunk costs a database that keeps nobody waiting; sweeps are not among them."""
    chunk_s = CHUNKS_AT_ONCE * scenario.chunk_size / scenario.images_per_s
    num_renewals = int(chunk_s / scenario.renewal_interval_s)
    # A worker looks when a batch has ended.
    batch_s = CHUNKS_AT_ONCE * BATCH_IMAGES / scenario.images_per_s
    look_s = math.ceil(scenario.look_interval_s / batch_s) * batch_s
    num_looks = max(0, int(chunk_s / look_s) - num_renewals)
    size = scenario.chunk_size
    total = costs["claim"].server_s(leases) + costs["read"].server_s(size) + costs["finish"].server_s(size)
    total += costs["close"].server_s(0)
    total += num_renewals * costs["renew"].server_s(0) + num_looks * costs["look"].server_s(0)
    if scenario.with_features:
        num_finds = -(-size // FIND_IMAGES)
        total += num_finds * costs["find features"].server_s(size) + costs["save features"].server_s(size)
    return total


def expected_images_per_s(scenario: Scenario, costs: Costs) -> float:
    """What workers could do, or what the database lets them, whichever is less."""
    leases = CHUNKS_AT_ONCE * scenario.workers
    sweepers = scenario.workers if scenario.sweepers is None else scenario.sweepers
    sweeps = sweepers / scenario.sweep_interval_s * costs["sweep"].server_s(leases)
    cores = max(scenario.cores - sweeps, 0.0)
    of_database = scenario.chunk_size * cores / chunk_server_s(scenario, costs, leases=leases)
    return min(scenario.workers * scenario.images_per_s, of_database)
