"""A training whose worker is killed again and again."""

from random import Random

from e2e.faults import observation
from e2e.faults.cluster import Cluster
from e2e.faults.conclusion import patiently
from e2e.faults.observation import Recoveries
from e2e.faults.scenario import Outcome, Scenario
from e2e.faults.stage import Stage
from pictures import write_labelled_pictures

NUM_EPOCHS = 600
# Epochs between two deaths, at most; a death without a checkpoint since the last would count against the training.
MAX_EPOCHS_BETWEEN = 5
METRICS = (
    "SELECT epoch.number, epoch.split, epoch.loss, epoch.accuracy FROM epoch JOIN model ON model.id = epoch.model_id "
    "WHERE model.name = :name ORDER BY epoch.number, epoch.split"
)


def kill_trainings(stage: Stage, random: Random, count: int) -> Outcome:
    """Kill the worker that trains after some epochs, again and again; compare with a training that nothing befell."""
    cluster = stage.cluster(stage.timing_of(TRAININGS.timing))
    pictures = write_labelled_pictures(stage.new_folder("dataset") / "pictures", num_images=12)
    cluster.have_workers(2)
    unbroken = f"unbroken-{pictures.parent.name}"
    broken = f"broken-{pictures.parent.name}"
    for name in (broken, unbroken):
        train(cluster, str(pictures), name)
    recoveries = Recoveries(cluster.ledger)
    num_epochs = 0
    for _ in range(count):
        num_wanted = num_epochs + random.randint(1, MAX_EPOCHS_BETWEEN)
        patiently(lambda: count_epochs(cluster, broken) >= num_wanted, recoveries)  # noqa: B023 - asked at once
        kill_trainer(cluster, broken, recoveries)
        num_epochs = count_epochs(cluster, broken)
        cluster.have_workers(2)
    patiently(cluster.have_ended, recoveries)
    expected, found = (
        [tuple(row) for row in observation.ask(cluster.ledger, METRICS, name=name)] for name in (unbroken, broken)
    )
    return Outcome(
        count=count,
        lost=len(set(expected) - set(found)),
        duplicated=len(found) - len(set(found)),
        recovered=len(recoveries.seconds) if found == expected else 0,
        slowest_recovery_s=max(recoveries.seconds, default=None),
    )


def train(cluster: Cluster, pictures: str, name: str) -> None:
    """Accept a training from random weights, the one kind that trains all of a network."""
    options = ("--backbone", "lenet-5", "--mode", "scratch", "--epochs", str(NUM_EPOCHS), "--early-stop", "0")
    cluster.job_ids.append(cluster.cli.json("train", pictures, "--name", name, *options, "--no-wait")["job_id"])


def count_epochs(cluster: Cluster, name: str) -> int:
    """How far a training is."""
    sql = "SELECT count(DISTINCT number) FROM epoch JOIN model ON model.id = epoch.model_id WHERE model.name = :name"
    return int(observation.ask(cluster.ledger, sql, name=name)[0][0])


def kill_trainer(cluster: Cluster, name: str, recoveries: Recoveries) -> None:
    """Kill the worker that trains a model, as when its machine goes."""
    sql = (
        "SELECT chunk.worker_id FROM chunk JOIN job_model ON job_model.job_id = chunk.job_id "
        "JOIN model ON model.id = job_model.model_id WHERE model.name = :name AND chunk.state = 'leased'"
    )
    found: list[str] = []

    def find() -> bool:
        found[:] = [row[0] for row in observation.ask(cluster.ledger, sql, name=name)]
        return bool(found)

    assert patiently(find, recoveries), f"No worker trains {name}, of {NUM_EPOCHS} epochs."
    held = observation.leases(cluster.ledger, found[0])
    at_s = observation.now_s(cluster.ledger)
    cluster.drop(next(worker for worker in cluster.workers if worker.id == found[0]))
    recoveries.add(held, at_s)


TRAININGS = Scenario(
    name="kill-training",
    fault="a training's worker is killed, five times",
    expected="ends with the metrics of an unbroken run",
    run=kill_trainings,
    count=5,
    num_in_tests=0,
)
