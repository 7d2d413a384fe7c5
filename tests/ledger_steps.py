"""Steps that tests of the ledger are made of: accept, plan, claim, finish, as a planner and workers do them."""

from collections.abc import Sequence

from sqlalchemy import func, select, update

from core.items import FileLocator, Item
from core.jobs import Claim, ImageError, JobRequest, LabelOptions, Outcome, Prediction, WorkerProfile
from core.types import ChunkState, JobKind, JobState, Priority, Reason
from db.database import Database
from db.ledger import accepting, control, leasing, sweeping
from db.ledger.progress import models_of
from db.models import ensure_model
from db.tables import ChunkTable, ResultTable

LEASE_S = 30.0
ANNA, BERT = WorkerProfile("anna"), WorkerProfile("bert")


def accept(
    ledger: Database,
    *,
    priority: Priority = Priority.BULK,
    backbone: str = "mobilenet",
    kind: JobKind = JobKind.LABEL,
) -> int:
    with ledger.write() as session:
        model_id = ensure_model(session, name=f"imagenet:{backbone}", version=1, backbone=backbone)
        options = LabelOptions(chunk_size=4)
        request = JobRequest("test", (model_id,), [{"text": "x"}], "hash", options, priority, kind)
        return accepting.accept(session, request)


def plan(ledger: Database, job_id: int, num_images: int, *, finish: bool = True) -> None:
    items = [Item(f"{n}.jpg", FileLocator(f"/{n}.jpg"), str(n)) for n in range(num_images)]
    with ledger.write() as session:
        assert accepting.append_items(session, job_id, items, after=0, cursor="end", chunk_size=4)
        if finish:
            accepting.finish_planning(session, job_id, num_skipped=0)


def job_with(ledger: Database, num_images: int, **options: object) -> int:
    job_id = accept(ledger, **options)
    plan(ledger, job_id, num_images)
    return job_id


def claim(ledger: Database, profile: WorkerProfile = ANNA, *, proposed: int | None = None) -> Claim | None:
    with ledger.write() as session:
        return leasing.claim(session, profile, lease_s=LEASE_S, proposed=proposed)


def outcomes(ledger: Database, lease: Claim, *, bad: Sequence[int] = ()) -> list[Outcome]:
    model_id = model_of(ledger, lease.job_id)
    with ledger.read() as session:
        ordinals = session.scalars(
            leasing.owed_ordinals(lease.job_id, lease.first_ordinal, lease.last_ordinal, redo=lease.redo)
        ).all()
    error = ImageError(Reason.TRUNCATED, "cut off")
    good = Prediction((7, 3), (0.75, 0.25))
    return [Outcome(ordinal, model_id, error if ordinal in bad else good) for ordinal in ordinals]


def finish(ledger: Database, lease: Claim, *, bad: Sequence[int] = ()) -> bool:
    done = outcomes(ledger, lease, bad=bad)
    with ledger.write() as session:
        return leasing.finish(session, lease, done)


def expire_leases(ledger: Database) -> None:
    """As if their time had run out."""
    with ledger.write() as session:
        session.execute(update(ChunkTable).where(ChunkTable.state == ChunkState.LEASED).values(lease_expires_at=0))


def sweep(ledger: Database):
    with ledger.write() as session:
        return sweeping.sweep(session)


def state_of(ledger: Database, job_id: int) -> JobState:
    with ledger.read() as session:
        return control.get_job(session, job_id).state


def num_results(ledger: Database, job_id: int) -> int:
    with ledger.read() as session:
        return session.scalars(select(func.count()).where(ResultTable.job_id == job_id)).one()


def model_of(ledger: Database, job_id: int) -> int:
    with ledger.read() as session:
        return models_of(session, job_id)[0].id
