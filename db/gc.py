"""Deleting what nobody needs any more: ended jobs, unused versions, leftovers. What is running is never touched.

A job's row goes first, with its chunks, so that nobody sees or retries half a job; its images and rows, by then
nobody's, follow in batches, also after a death in between. Of jobs, models and versions the newest stays whatever its
age: SQLite would give its number to the next one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, and_, delete, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from core.types import ArtifactKind, JobState
from db.clock import now_s
from db.model_tables import ArtifactTable, ModelTable, PromotionTable, SampleTable
from db.schedule_tables import ScheduleTable
from db.tables import ChunkTable, ImageTable, JobModelTable, JobTable, ResultTable, WorkerTable

FINAL_STATES = tuple(state for state in JobState if state.is_final)
# Tables whose rows belong to a job without a foreign key; see `db.tables`.
BULK_TABLES = (ImageTable, ResultTable, SampleTable)
# What is half written for so long is written by nobody any more.
UNFINISHED_FOR_S = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class OldJob:
    """A job that may go."""

    id: int
    name: str
    num_images: int


def old_jobs(session: Session, *, older_than_s: float) -> list[OldJob]:
    """Jobs that ended so long ago, and that no model that stays and no schedule refers to."""
    query = select(JobTable).where(_is_old(JobTable, older_than_s), ~_is_kept()).order_by(JobTable.id)
    return [OldJob(job.id, job.name, job.num_planned) for job in session.scalars(query)]


def delete_job(session: Session, job_id: int, *, older_than_s: float) -> bool:
    """Delete a job and its chunks, if it may still go; `delete_orphans` does the rest.

    Returns:
        False if someone went on with it in the meantime.
    """
    # Locked, so that nobody goes on with it between the look and the deletion.
    chosen = select(JobTable.id).where(JobTable.id == job_id, _is_old(JobTable, older_than_s), ~_is_kept())
    if session.scalars(chosen.with_for_update()).one_or_none() is None:
        return False
    session.execute(delete(JobTable).where(JobTable.id == job_id))
    return True


def orphaned_jobs(session: Session) -> list[int]:
    """Numbers of jobs that are gone and have rows left."""
    found: set[int] = set()
    for table in BULK_TABLES:
        job_id = session.scalars(select(func.min(table.job_id))).one()
        # From job to job along the index, not over all rows.
        while job_id is not None:
            found.add(job_id)
            job_id = session.scalars(select(func.min(table.job_id)).where(table.job_id > job_id)).one()
    # All of them: as many parameters as there are jobs are more than a statement may have.
    return sorted(found.difference(session.scalars(select(JobTable.id))))


def delete_orphans(session: Session, job_id: int, *, limit: int) -> int:
    """Delete rows of a job that is gone.

    Returns:
        How many; below `limit` there are no more.
    """
    num_deleted = 0
    for table in BULK_TABLES:
        if num_deleted >= limit:
            break
        last = select(table.ordinal).where(table.job_id == job_id).order_by(table.ordinal)
        edge = session.scalars(last.offset(limit - num_deleted - 1).limit(1)).one_or_none()
        rows = delete(table).where(table.job_id == job_id)
        result = session.execute(rows if edge is None else rows.where(table.ordinal <= edge))
        num_deleted += int(result.rowcount)  # type: ignore[attr-defined]
    return num_deleted


def old_versions(session: Session, *, older_than_s: float) -> list[ModelTable]:
    """Versions that may go: old, in use by nobody, and not what a rollback would return to.

    Kept are champions and the champions before them, the newest of each name, published networks, whatever a job that
    is there applies, and what was trained by a job that may not go.
    """
    return list(session.scalars(_old_versions(older_than_s).order_by(ModelTable.name, ModelTable.version)))


def delete_version(session: Session, model_id: int, *, older_than_s: float) -> bool:
    """Delete a version with its artifacts and figures, and the job that trained it, if it may still go.

    Returns:
        False if someone has come to need it.
    """
    chosen = _old_versions(older_than_s).where(ModelTable.id == model_id)
    model = session.scalars(chosen.with_for_update(of=ModelTable)).one_or_none()
    if model is None:
        return False
    job_id = model.job_id
    session.expunge(model)
    if job_id is not None:
        session.execute(delete(JobTable).where(JobTable.id == job_id, _is_old(JobTable, older_than_s)))
    session.execute(delete(ModelTable).where(ModelTable.id == model_id))
    return True


def leftover_artifacts(session: Session, *, older_than_s: float) -> Sequence[ArtifactTable]:
    """Checkpoints that nothing goes on from, and files whose writer has died."""
    return session.scalars(select(ArtifactTable).where(_is_leftover(older_than_s)).order_by(ArtifactTable.id)).all()


def delete_artifact(session: Session, artifact_id: int, *, older_than_s: float) -> bool:
    """Delete a leftover with its parts.

    Returns:
        False if it is none any more.
    """
    result = session.execute(
        delete(ArtifactTable).where(ArtifactTable.id == artifact_id, _is_leftover(older_than_s)),
        execution_options={"synchronize_session": False},
    )
    return bool(result.rowcount)  # type: ignore[attr-defined]


def count_gone_workers(session: Session, *, older_than_s: float) -> int:
    """Rows of workers that nobody has heard of for so long."""
    return session.scalars(select(func.count()).select_from(WorkerTable).where(_is_gone(older_than_s))).one()


def delete_gone_workers(session: Session, *, older_than_s: float) -> int:
    """Delete them; returns how many."""
    result = session.execute(
        delete(WorkerTable).where(_is_gone(older_than_s)), execution_options={"synchronize_session": False}
    )
    return int(result.rowcount)  # type: ignore[attr-defined]


def last_uses(session: Session) -> dict[str, float]:
    """When a job that needs it was last worked on, by network; networks that no job needs are left out."""
    used_at = func.max(func.coalesce(JobTable.finished_at, now_s()))
    rows = session.execute(
        select(ModelTable.network, ModelTable.backbone, used_at)
        .join(JobModelTable, JobModelTable.model_id == ModelTable.id)
        .join(JobTable, JobTable.id == JobModelTable.job_id)
        .group_by(ModelTable.network, ModelTable.backbone)
    )
    found: dict[str, float] = {}
    for network, backbone, at in rows:
        # A training needs the features of the backbone that its own network begins with.
        for name in {network, backbone}:
            found[name] = max(found.get(name, 0.0), at)
    return found


def has_unfinished_jobs(session: Session) -> bool:
    """Whether anything is owed to anybody."""
    return session.scalars(select(exists().where(JobTable.state.not_in(FINAL_STATES)))).one()


def _is_old(job: type[JobTable], older_than_s: float) -> ColumnElement[bool]:
    newest = select(func.max(aliased(JobTable).id)).scalar_subquery()
    return and_(job.state.in_(FINAL_STATES), job.finished_at < now_s() - older_than_s, job.id < newest)


def _is_kept() -> ColumnElement[bool]:
    """Whether a model shows a job's rows as its record, or a schedule labels its images again."""
    by_a_model = exists().where(ModelTable.job_id == JobTable.id)
    return or_(by_a_model, exists().where(ScheduleTable.relabel_job_id == JobTable.id))


def _old_versions(older_than_s: float) -> Select[ModelTable]:
    other = aliased(ModelTable)
    newest = select(func.max(other.version)).where(other.name == ModelTable.name).scalar_subquery()
    last_id = select(func.max(aliased(ModelTable).id)).scalar_subquery()
    own_job = aliased(JobTable)
    in_use = select(PromotionTable.model_id).where(_is_one_of_the_last_two_in_use())
    return select(ModelTable).where(
        ModelTable.mode.is_not(None),
        func.coalesce(ModelTable.ready_at, ModelTable.created_at) < now_s() - older_than_s,
        ModelTable.version < newest,
        ModelTable.id < last_id,
        ModelTable.id.not_in(in_use),
        ~exists().where(
            JobModelTable.model_id == ModelTable.id,
            or_(ModelTable.job_id.is_(None), JobModelTable.job_id != ModelTable.job_id),
        ),
        ~exists().where(own_job.id == ModelTable.job_id, ~_is_old(own_job, older_than_s)),
    )


def _is_one_of_the_last_two_in_use() -> ColumnElement[bool]:
    later = aliased(PromotionTable)
    num_later = (
        select(func.count())
        .where(later.name == PromotionTable.name, later.id > PromotionTable.id, later.rolled_back_at.is_(None))
        .correlate(PromotionTable)
        .scalar_subquery()
    )
    return and_(PromotionTable.rolled_back_at.is_(None), num_later < 2)  # noqa: PLR2004 - the last two


def _is_leftover(older_than_s: float) -> ColumnElement[bool]:
    """A cancelled training cannot be resumed; a failed one can, until it is old."""
    ended = exists().where(
        ModelTable.id == ArtifactTable.model_id,
        JobTable.id == ModelTable.job_id,
        or_(
            JobTable.state.in_((JobState.CANCELLED, JobState.DONE)),
            and_(JobTable.state == JobState.FAILED, JobTable.finished_at < now_s() - older_than_s),
        ),
    )
    is_checkpoint = and_(ArtifactTable.kind == ArtifactKind.CHECKPOINT, ended)
    is_unfinished = and_(~ArtifactTable.is_complete, ArtifactTable.created_at < now_s() - UNFINISHED_FOR_S)
    return or_(is_checkpoint, is_unfinished)


def _is_gone(older_than_s: float) -> ColumnElement[bool]:
    has_chunks = exists().where(ChunkTable.worker_id == WorkerTable.id, ChunkTable.finished_at.is_(None))
    return and_(WorkerTable.seen_at < now_s() - older_than_s, ~has_chunks)
