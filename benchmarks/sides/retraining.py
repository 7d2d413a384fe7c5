"""Training a head, then training it again after 5% new images: what was computed for the others is still there.

One worker that stays does both, as it would on a schedule, and has trained something else before, on other images: so
importing TensorFlow and loading the backbone are left out on both sides. What is compared is what the training itself
took, as it is stored with each model: reading images, computing features, epochs, choosing the best.
"""

import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import select

from benchmarks import datasets, labelyard
from benchmarks.measurement import Measurement, print_measurements
from core.training import TrainingRecord
from db.database import Database
from db.model_tables import ModelTable

NAME = "insects"
MAX_TRAINING_S = 600.0
POLL_INTERVAL_S = 0.1


def main() -> None:
    """Train three times in a new state folder; the first time does not count."""
    with labelyard.fresh_home() as env, _worker(env):
        warm_up = _train(datasets.other_insects(), env, version=1)
        first = _train(datasets.insects(with_new=False), env, version=2)
        again = _train(datasets.insects(with_new=True), env, version=3)
    trainings = {"train_first": first, "train_again": again}
    print_measurements(
        {key: Measurement(1, record.duration_s, warm_up[1], seconds) for key, (record, seconds) in trainings.items()}
    )


@contextmanager
def _worker(env: Mapping[str, str]) -> Iterator[None]:
    command = [*labelyard.PROGRAM, "worker"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=env, **quiet) as process:  # type: ignore[call-overload]  # noqa: S603 - our own
        try:
            yield
        finally:
            process.terminate()


def _train(folder: Path, env: Mapping[str, str], *, version: int) -> tuple[TrainingRecord, float]:
    """Train a version and wait for it: how that went, and how long it took all in all."""
    started_at_s = time.monotonic()
    labelyard.run("train", folder, "--name", NAME, "--backbone", labelyard.MODEL, "--no-wait", env=env)
    query = select(ModelTable.training).where(ModelTable.name == NAME, ModelTable.version == version)
    database = Database(labelyard.sqlite_url(env))
    try:
        while time.monotonic() - started_at_s < MAX_TRAINING_S:
            with database.read() as session:
                values = session.scalars(query).one_or_none()
            if values is not None:
                return TrainingRecord.from_json(values), time.monotonic() - started_at_s
            time.sleep(POLL_INTERVAL_S)
    finally:
        database.close()
    raise RuntimeError(f"{NAME}@{version} was not trained within {MAX_TRAINING_S:.0f} s.")


if __name__ == "__main__":
    main()
