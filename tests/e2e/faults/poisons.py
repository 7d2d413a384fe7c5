"""An image in the middle of a full chunk that crashes its decoder, stops it, or takes all memory."""

from random import Random

from e2e.faults.conclusion import conclude
from e2e.faults.observation import Recoveries
from e2e.faults.scenario import Outcome, Scenario
from e2e.faults.stage import Stage
from hostile import REASONS, hostile_environment, make_hostile

CHUNK_SIZE = 256


def label_hostile_images(stage: Stage, random: Random, count: int) -> Outcome:
    """Hide one image of each kind, in turns, among 255 others."""
    cluster = stage.cluster(stage.timing_of(HOSTILE.timing))
    cluster.have_workers(0)
    cluster.have_workers(1, **hostile_environment({}))
    outcome = Outcome()
    kinds = list(REASONS)
    for number in range(count):
        kind = kinds[number % len(kinds)]
        images = stage.new_folder("hostile")
        for picture in sorted(stage.photographs.iterdir())[:CHUNK_SIZE]:
            (images / picture.name).write_bytes(picture.read_bytes())
        victim = random.choice(sorted(images.iterdir()))
        make_hostile(victim, kind)
        cluster.job_ids.clear()
        cluster.submit(images, chunk_size=CHUNK_SIZE)
        labels = {**stage.labels, victim.name: REASONS[kind]}
        found = conclude(cluster, labels, count=1, recoveries=Recoveries(cluster.ledger))
        outcome.count += 1
        outcome.lost += found.lost
        outcome.duplicated += found.duplicated
        outcome.recovered += not found.lost
    cluster.have_workers(0)
    return outcome


HOSTILE = Scenario(
    name="hostile-images",
    fault="an image that crashes its decoder, stops it, or takes all memory, in a chunk of 256",
    expected="255 predictions, 1 error row",
    run=label_hostile_images,
    count=12,
    num_in_tests=0,  # test_hostile_images.py
)
