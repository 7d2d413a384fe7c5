"""How far the images of a champion's latest jobs are from those that it learned from."""

from collections.abc import Sequence

import numpy as np
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from core.types import JobKind, JobState, Split
from db.datasets import newest_learned
from db.label_tables import DatasetItemTable
from db.model_tables import ModelTable, SampleTable
from db.tables import JobModelTable, JobTable, ResultTable
from orchestrator.kept import kept_features
from orchestrator.retraining.composing import latest_dataset
from workers.ml.drift import MAX_ROWS, Drift, Sample, measure_drift

# The latest jobs that are looked at.
NUM_JOBS = 10


def drift_of(session: Session, champion: ModelTable) -> Drift:
    """Compare what a champion labels with what it was made with, by its scores and by the features of the images.

    The scores of the reference are of images that were held out from its training; it is surer of the others. Only jobs
    of this very version count: another one scores otherwise.

    Args:
        session: a writing transaction; what the first training learned from is noted if it was not yet.
        champion: the version in use.
    """
    jobs = _latest_jobs(session, champion)
    recent = _drawn(
        session,
        select(ResultTable.score, ResultTable.sha256).where(
            ResultTable.job_id.in_(jobs), ResultTable.model_id == champion.id, ResultTable.reason.is_(None)
        ),
    )
    held_out = _drawn(
        session,
        select(ResultTable.score, ResultTable.sha256)
        .join(SampleTable, (SampleTable.job_id == ResultTable.job_id) & (SampleTable.ordinal == ResultTable.ordinal))
        .where(
            ResultTable.job_id == champion.job_id,
            ResultTable.model_id == champion.id,
            ResultTable.reason.is_(None),
            SampleTable.used_as.in_((Split.VAL, Split.TEST)),
        ),
    )
    return measure_drift(
        Sample(_scores(held_out), _features(session, champion, _learned(session, champion.name))),
        Sample(_scores(recent), _features(session, champion, [sha256 for _, sha256 in recent])),
    )


def _latest_jobs(session: Session, champion: ModelTable) -> Sequence[int]:
    return session.scalars(
        select(JobTable.id)
        .join(JobModelTable, JobModelTable.job_id == JobTable.id)
        .where(JobModelTable.model_id == champion.id, JobTable.kind == JobKind.LABEL, JobTable.state == JobState.DONE)
        .order_by(JobTable.id.desc())
        .limit(NUM_JOBS)
    ).all()


def _drawn(session: Session, query: Select[float | None, str | None]) -> list[tuple[float | None, str | None]]:
    """Some rows, as good as random: in the order of their contents' hashes."""
    rows = session.execute(query.order_by(ResultTable.sha256, ResultTable.ordinal).limit(MAX_ROWS))
    return [(score, sha256) for score, sha256 in rows]


def _learned(session: Session, name: str) -> list[str | None]:
    learned = newest_learned(session, name) or latest_dataset(session, name)
    hashes = select(DatasetItemTable.sha256).where(DatasetItemTable.dataset_id == learned.id)
    return list(session.scalars(hashes.order_by(DatasetItemTable.sha256).limit(MAX_ROWS)))


def _scores(rows: Sequence[tuple[float | None, str | None]]) -> np.ndarray:
    return np.array([score for score, _ in rows if score is not None], np.float64)


def _features(session: Session, champion: ModelTable, hashes: Sequence[str | None]) -> np.ndarray | None:
    """What is kept of some images, (N, F) float32; None: nothing is."""
    found = kept_features(session, champion, [sha256 for sha256 in hashes if sha256 is not None])
    return np.stack(list(found.values())) if found else None
