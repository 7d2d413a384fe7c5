"""Ledgers to measure on: so many rows, jobs and leases. The first job is planned by the product, others are copies."""

from sqlalchemy import func, select, text

from core.items import FileLocator, Item
from core.jobs import DEFAULT_CHUNK_SIZE, JobRequest, LabelOptions
from db.database import Database
from db.ledger import accepting
from db.models import ensure_model
from db.tables import ImageTable

NETWORK = "mobilenet-0.75"
# A lease that nobody renews and that does not run out while we measure.
FAR_AWAY_S = 1e11
COPY_IMAGES = """
    INSERT INTO image (job_id, ordinal, name, locator, sha256)
    SELECT :new, ordinal, name, locator, sha256 FROM image WHERE job_id = :old
"""
MAKE_CHUNKS = """
    INSERT INTO chunk (job_id, first_ordinal, last_ordinal, num_images, redo, state, attempt, deaths, num_processed,
                       num_predictions, num_errors)
    SELECT :new, min(ordinal), max(ordinal), count(*), false, 'queued', 0, 0, 0, 0, 0
    FROM image WHERE job_id = :new GROUP BY ordinal / CAST(:size AS bigint) ORDER BY 2
"""
RESULT_COLUMNS = "ordinal, model_id, class_index, score, topk, reason, detail, sha256, needs_review"
COPY_RESULTS = f"""
    INSERT INTO result (job_id, {RESULT_COLUMNS}) SELECT :new, {RESULT_COLUMNS} FROM result WHERE job_id = :old
"""  # noqa: S608 - our own names
LEASE_CHUNKS = """
    INSERT INTO chunk (job_id, first_ordinal, last_ordinal, num_images, redo, state, attempt, deaths, worker_id,
                       claimed_at, lease_expires_at, num_processed, num_predictions, num_errors)
    SELECT :job, n * 256, n * 256 + 255, 256, false, 'leased', 1, 0, 'other-' || n, 1, :far, 0, 0, 0
    FROM generate_series(1, CAST(:number AS bigint)) n
"""
QUEUE_CHUNKS = """
    INSERT INTO chunk (job_id, first_ordinal, last_ordinal, num_images, redo, state, attempt, deaths, claimed_at,
                       finished_at, num_processed, num_predictions, num_errors)
    SELECT j, n * 256, n * 256 + 255, 256, false, CASE WHEN n < 0 THEN 'done' ELSE 'queued' END, 0, 0,
           CASE WHEN n < 0 THEN 1 END, CASE WHEN n < 0 THEN 2 END, 0, 0, 0
    FROM generate_series(CAST(:first AS bigint), :last) j, generate_series(-CAST(:each AS bigint), :each - 1) n
    ORDER BY n, j
"""


def new_job(database: Database) -> int:
    """Accept a job over nothing yet."""
    with database.write() as session:
        model_id = ensure_model(session, name=f"imagenet:{NETWORK}", version=1, backbone=NETWORK)
        request = JobRequest("costs", (model_id,), [{"text": "costs"}], "costs", LabelOptions())
        return accepting.accept(session, request)


def items(first: int, number: int) -> list[Item]:
    """References as an object store has them, about 80 characters long with all that belongs to them."""
    return [
        Item(name := f"photographs/{n // 1000:06d}/{n:09d}.jpg", FileLocator(f"/mnt/bucket/{name}"), name)
        for n in range(first, first + number)
    ]


def copy_job(database: Database, template: int, *, chunk_size: int = DEFAULT_CHUNK_SIZE) -> int:
    """A job like a planned one: the same images, and queued chunks for them."""
    job_id = new_job(database)
    with database.write() as session:
        session.execute(text(COPY_IMAGES), {"new": job_id, "old": template})
        session.execute(text(MAKE_CHUNKS), {"new": job_id, "size": chunk_size})
        accepting.finish_planning(session, job_id, num_skipped=0)
    return job_id


def copy_results(database: Database, template: int, *, num_rows: int) -> None:
    """Finished jobs like one that is finished, until there are so many result rows."""
    with database.read() as session:
        num_images = session.scalars(select(func.count()).where(ImageTable.job_id == template)).one()
        num_there = session.scalars(text("SELECT count(*) FROM result")).one()
    for _ in range(max(0, num_rows - num_there) // num_images):
        job_id = copy_job(database, template)
        with database.write() as session:
            session.execute(text(COPY_RESULTS), {"new": job_id, "old": template})
            done = "UPDATE chunk SET state = 'done', finished_at = 1, claimed_at = 1 WHERE job_id = :job"
            session.execute(text(done), {"job": job_id})
            session.execute(text("UPDATE job SET state = 'done' WHERE id = :job"), {"job": job_id})


def add_leases(database: Database, number: int) -> None:
    """Chunks that other workers have: of a running job that has none queued."""
    job_id = new_job(database)
    with database.write() as session:
        session.execute(text(LEASE_CHUNKS), {"job": job_id, "far": FAR_AWAY_S, "number": number})


def add_queues(database: Database, *, num_jobs: int, num_chunks: int) -> list[int]:
    """Running jobs with so many queued chunks altogether, and as many that are done; they have no images."""
    jobs = [new_job(database) for _ in range(num_jobs)]
    with database.write() as session:
        values = {"first": jobs[0], "last": jobs[-1], "each": num_chunks // num_jobs}
        session.execute(text(QUEUE_CHUNKS), values)
    return jobs


def tidy(database: Database) -> None:
    """What autovacuum does by itself after a while."""
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
