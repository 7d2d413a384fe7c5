"""The ledger's tables: what is owed, who has it, and what is done. `db.model_tables` has the models.

"Model" always means a classifier; the mapped classes are called tables.

Bulk tables (`image`, `result`) carry no foreign keys: PostgreSQL would lock the job's row for every insert, and one row
that all workers lock is what keeps a ledger from scaling.
"""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    ColumnElement,
    Float,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    String,
    Text,
    bindparam,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from core.types import ChunkState, JobKind, JobState, Reason
from db.base import Base, BigId, FileName, word


class JobTable(Base):
    """One accepted request."""

    __tablename__ = "job"
    __table_args__ = (
        Index(None, "state", "priority"),
        Index(None, "request_hash"),
        Index(None, "idempotency_key", unique=True),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    kind: Mapped[JobKind] = mapped_column(word(JobKind))
    state: Mapped[JobState] = mapped_column(word(JobState))
    name: Mapped[str] = mapped_column(FileName)  # for people; made of source names if none was given
    priority: Mapped[int] = mapped_column(SmallInteger)  # core.types.Priority
    options: Mapped[dict[str, Any]] = mapped_column(JSON)  # core.jobs.LabelOptions
    sources: Mapped[list[dict[str, Any]]] = mapped_column(JSON)  # what the planner needs to enumerate them again
    request_hash: Mapped[str] = mapped_column(String(64))  # the same request again finds its unfinished job
    idempotency_key: Mapped[str | None] = mapped_column(String(64))  # core.jobs.Idempotency; null: none was given
    idempotency_body: Mapped[str | None] = mapped_column(String(64))  # likewise
    plan_cursor: Mapped[str | None] = mapped_column(Text)  # where planning goes on; the planner's own word
    num_planned: Mapped[int] = mapped_column(BigInteger)  # images appended so far; written by planners alone
    num_skipped: Mapped[int] = mapped_column(BigInteger)  # files of the source that are not images
    planned_at: Mapped[float | None] = mapped_column(Float(53))
    created_at: Mapped[float] = mapped_column(Float(53))
    finished_at: Mapped[float | None] = mapped_column(Float(53))
    active_s: Mapped[float] = mapped_column(Float(53))  # how long it ran before it was last stopped
    started_at: Mapped[float] = mapped_column(Float(53))  # when it was accepted, or last gone on with
    error: Mapped[str | None] = mapped_column(FileName)  # why it failed; a sentence, which may name a file
    pause_reason: Mapped[str | None] = mapped_column(FileName)  # a sentence; null: a person paused it, or it runs


class JobModelTable(Base):
    """Which models a job applies, in the order that was asked for."""

    __tablename__ = "job_model"

    job_id: Mapped[int] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    model_id: Mapped[int] = mapped_column(ForeignKey("model.id"))


class ImageTable(Base):
    """One image of a job: what it is called and where its bytes are."""

    __tablename__ = "image"

    job_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    ordinal: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)  # position in the sources
    name: Mapped[str] = mapped_column(FileName)
    locator: Mapped[str] = mapped_column(Text)  # core.items.locator_to_text
    sha256: Mapped[str | None] = mapped_column(String(64))  # the content that is meant; null: whatever is there


class ChunkTable(Base):
    """A slice of a job, the unit that a worker claims: the owed images between two ordinals, both included."""

    __tablename__ = "chunk"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"))
    first_ordinal: Mapped[int] = mapped_column(BigInteger)
    last_ordinal: Mapped[int] = mapped_column(BigInteger)
    num_images: Mapped[int] = mapped_column(Integer)  # how many it owes
    redo: Mapped[bool] = mapped_column(Boolean)  # owes only the images in its range that have error rows
    state: Mapped[ChunkState] = mapped_column(word(ChunkState))
    attempt: Mapped[int] = mapped_column(Integer)  # the fence: every claim adds one, a finish must name the last
    deaths: Mapped[int] = mapped_column(Integer)  # how often a lease on it ran out
    worker_id: Mapped[str | None] = mapped_column(String(200))
    claimed_at: Mapped[float | None] = mapped_column(Float(53))
    lease_expires_at: Mapped[float | None] = mapped_column(Float(53))
    finished_at: Mapped[float | None] = mapped_column(Float(53))
    num_processed: Mapped[int] = mapped_column(Integer)  # images seen under the present lease
    num_predictions: Mapped[int] = mapped_column(Integer)  # what finishing it added to the job's predictions
    num_errors: Mapped[int] = mapped_column(Integer)  # what finishing it added to the job's errors; a redo takes away
    # core.jobs.StageSeconds of the attempt that finished it; null: not finished, or no labelling.
    read_s: Mapped[float | None] = mapped_column(Float(53))
    decode_s: Mapped[float | None] = mapped_column(Float(53))
    wait_s: Mapped[float | None] = mapped_column(Float(53))
    engine_s: Mapped[float | None] = mapped_column(Float(53))
    write_s: Mapped[float | None] = mapped_column(Float(53))


# A claim reads the oldest queued chunk of one job, a sweep the leases that ran out, progress the sums of one job.
Index(
    "ix_chunk_queued",
    ChunkTable.job_id,
    ChunkTable.id,
    sqlite_where=text("state = 'queued'"),
    postgresql_where=text("state = 'queued'"),
)
Index(
    "ix_chunk_leased",
    ChunkTable.lease_expires_at,
    sqlite_where=text("state = 'leased'"),
    postgresql_where=text("state = 'leased'"),
)
Index("ix_chunk_job_id_state", ChunkTable.job_id, ChunkTable.state)
Index("ix_chunk_job_id_claimed_at", ChunkTable.job_id, ChunkTable.claimed_at)
# How fast a job gets on, and a worker works, is read from the chunks that were finished last.
Index("ix_chunk_job_id_finished_at", ChunkTable.job_id, ChunkTable.finished_at)
Index("ix_chunk_worker_id_finished_at", ChunkTable.worker_id, ChunkTable.finished_at)


def chunk_is(state: ChunkState) -> ColumnElement[bool]:
    """The condition on a chunk's state, written into the statement's text.

    As a bound parameter it would hide the partial indices above from both databases.
    """
    return ChunkTable.state == bindparam(None, state, type_=ChunkTable.state.type, unique=True, literal_execute=True)


class ResultTable(Base):
    """The one row that every image of an accepted job ends with, per model: a prediction or an error."""

    __tablename__ = "result"

    job_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    ordinal: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    model_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    class_index: Mapped[int | None] = mapped_column(Integer)  # the best class; null for an error
    score: Mapped[float | None] = mapped_column(Float(53))  # its probability, 0..1
    topk: Mapped[str | None] = mapped_column(Text)  # JSON [[class_index, probability], ...], best first
    reason: Mapped[Reason | None] = mapped_column(word(Reason))  # null for a prediction
    detail: Mapped[str | None] = mapped_column(FileName)  # a sentence, which may name a file
    sha256: Mapped[str | None] = mapped_column(String(64))  # of the content that was seen; null: it was not hashed
    needs_review: Mapped[bool | None] = mapped_column(Boolean)  # below its class's threshold; null: there was none


class WorkerTable(Base):
    """A worker process as it last described itself. Each writes its own row alone."""

    __tablename__ = "worker"

    id: Mapped[str] = mapped_column(String(200), primary_key=True)
    host: Mapped[str] = mapped_column(String(200))
    pid: Mapped[int] = mapped_column(Integer)
    only_job: Mapped[int | None] = mapped_column(BigInteger)  # the job that it works for alone
    started_at: Mapped[float] = mapped_column(Float(53))
    seen_at: Mapped[float] = mapped_column(Float(53))
    backbone_loads: Mapped[dict[str, int]] = mapped_column(JSON)  # how often it loaded each backbone in its life
    stopped_at: Mapped[float | None] = mapped_column(Float(53))  # when it ended on purpose
    problems: Mapped[dict[str, str]] = mapped_column(JSON)  # why it cannot load a backbone, by the backbone's name
    warm: Mapped[list[str] | None] = mapped_column(JSON)  # networks in its memory; null: before this was noted
    kinds: Mapped[list[str] | None] = mapped_column(JSON)  # core.types.JobKind, which it takes; null: likewise
    device: Mapped[str | None] = mapped_column(String(200))  # what it computes on, for people
    declines: Mapped[str | None] = mapped_column(Text)  # why it takes no work at all; a sentence
