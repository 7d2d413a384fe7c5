"""Steps that tests of `labelyard gc` are made of: what there is, how old it is, and what is left."""

from pathlib import Path

from ledger_steps import claim, finish, job_with, state_of
from sqlalchemy import func, select, update

from core.labels import ClassLabel
from core.settings import Settings
from core.training import TrainingRecord
from core.types import ArtifactKind, JobState, ResizeMode, TrainMode
from db.artifacts import write_artifact
from db.database import Database
from db.model_tables import ModelTable
from db.models import NewModel, add_version, list_models
from db.trainings import TrainedModel, make_ready
from orchestrator import cleaning
from orchestrator.cleaning import Place, Rules

MONTH_S = 30 * 86400.0
RECORD = TrainingRecord({}, 10, 90, 5, 3, {"train": {"Hat": 4}}, 0, 0, 6, 0, 1.5, None, ())


def place(ledger: Database, tmp_path: Path, **rules: object) -> Place:
    return Place(ledger, Settings(home=tmp_path / "home"), Rules(MONTH_S, **rules))


def age(ledger: Database, table: type, column: str, *conditions: object) -> None:
    """As if it had happened a year ago."""
    with ledger.write() as session:
        when = {column: getattr(table, column) - 365 * 86400.0}
        session.execute(update(table).where(*conditions).values(when), execution_options={"synchronize_session": False})


def done_job(ledger: Database, num_images: int = 8, **options: object) -> int:
    job_id = job_with(ledger, num_images, **options)
    while lease := claim(ledger):
        assert finish(ledger, lease)
    assert state_of(ledger, job_id) is JobState.DONE
    return job_id


def count(ledger: Database, table: type, *conditions: object) -> int:
    with ledger.read() as session:
        return session.scalars(select(func.count()).select_from(table).where(*conditions)).one()


def version(ledger: Database, *, name: str = "parts", job_id: int | None = None, is_ready: bool = True) -> int:
    labels = (ClassLabel("Hat", "0"), ClassLabel("Cube", "1"))
    with ledger.write() as session:
        model = add_version(session, NewModel(name, "mobilenet", TrainMode.HEAD, ResizeMode.CROP, labels))
        model.job_id = job_id
        model_id = model.id
    if is_ready:
        artifact_id = write_artifact(ledger, model_id, ArtifactKind.HEAD, b"numbers")
        with ledger.write() as session:
            model = session.get_one(ModelTable, model_id)
            make_ready(session, model, TrainedModel((artifact_id,), "f" * 64, 1.0, RECORD, ()))
    return model_id


def versions(ledger: Database) -> list[str]:
    with ledger.read() as session:
        return sorted(model.label for model in list_models(session))


def kinds(found: list[cleaning.Leftover]) -> dict[str, int]:
    return {one.kind: one.number for one in found}
