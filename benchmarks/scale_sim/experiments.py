"""What is asked of the simulation: how it grows, what saturates, what helps, and what dying does."""

from dataclasses import replace

from benchmarks.scale_sim.scenario import Scenario

THOUSAND = Scenario(workers=1_000)
# A database's machine that carries a thousand workers, so that what failures do is not mixed with saturation; and work
# that lasts for a while, so that something can happen.
ROOMY = replace(THOUSAND, cores=16, chunk_size=1_024, images_per_row=128)

EXPERIMENTS: dict[str, list[Scenario]] = {
    "growth": [
        Scenario(name=f"{workers:,} workers, {cores} cores", workers=workers, cores=cores)
        for cores, numbers in ((2, (1, 10, 100, 200, 300, 500, 1_000)), (8, (500, 1_000)))
        for workers in numbers
    ],
    "remedies": [
        replace(THOUSAND, name="as it is, 2 cores"),
        replace(THOUSAND, name="one sweeper", sweepers=1),
        replace(THOUSAND, name="a look every 2 s", look_interval_s=2.0),
        replace(THOUSAND, name="chunks of 1,024", chunk_size=1_024),
        replace(THOUSAND, name="all three", chunk_size=1_024, look_interval_s=2.0, sweepers=1),
        replace(
            THOUSAND,
            name="and a renewal every 10 s",
            chunk_size=1_024,
            look_interval_s=10.0,
            renewal_interval_s=10.0,
            lease_s=100.0,
            sweepers=1,
        ),
        replace(THOUSAND, name="8 cores instead of 2", cores=8),
        replace(
            THOUSAND,
            name="8 cores and all three",
            cores=8,
            chunk_size=1_024,
            look_interval_s=2.0,
            sweepers=1,
        ),
    ],
    "too much": [
        replace(THOUSAND, name="features kept, 2 cores", with_features=True),
        replace(THOUSAND, name="leases of 4 s, 2 cores", lease_s=4.0),
    ],
    "failures": [
        replace(ROOMY, name="1% die a minute", deaths_per_min=0.01),
        replace(ROOMY, name="10% die a minute", deaths_per_min=0.1),
        replace(ROOMY, name="10% freeze a minute, for 45 s", freezes_per_min=0.1),
        replace(ROOMY, name="a rack of 100 dies", rack=100),
    ],
}
