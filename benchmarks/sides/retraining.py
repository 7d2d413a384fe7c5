"""Training a head, then training it again after 5% new images: what was computed for the others is still there.

What is compared is what the training itself took, as it is stored with each model: reading images, features, epochs,
choosing the best. The interpreter, the worker's start and waiting for its end are the start-up.
"""

import time
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import select

from benchmarks import datasets, labelyard
from benchmarks.measurement import Measurement, print_measurements
from core.training import TrainingRecord
from db.database import Database
from db.model_tables import ModelTable

NAME = "insects"


def main() -> None:
    """Train twice in a new state folder."""
    with labelyard.fresh_home() as env:
        first = _train(datasets.insects(with_new=False), env, version=1)
        second = _train(datasets.insects(with_new=True), env, version=2)
    print_measurements({"train_first": first, "train_again": second})


def _train(folder: Path, env: Mapping[str, str], *, version: int) -> Measurement:
    started_at_s = time.monotonic()
    labelyard.run("train", folder, "--name", NAME, "--backbone", labelyard.MODEL, env=env)
    wall_s = time.monotonic() - started_at_s
    seconds = _record(labelyard.sqlite_url(env), version).duration_s
    return Measurement(1, seconds, wall_s - seconds, wall_s)


def _record(database_url: str, version: int) -> TrainingRecord:
    database = Database(database_url)
    query = select(ModelTable.training).where(ModelTable.name == NAME, ModelTable.version == version)
    try:
        with database.read() as session:
            values = session.scalars(query).one()
    finally:
        database.close()
    if values is None:
        raise RuntimeError(f"{NAME}@{version} was not trained.")
    return TrainingRecord.from_json(values)


if __name__ == "__main__":
    main()
