"""The facts of each event, as plain values; docs/how-to/notifications.md says what each is."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from core.items import escape_name
from db.ledger.progress import models_of, progress
from db.schedule_tables import ScheduleRunTable, ScheduleTable
from db.tables import JobTable


def job_facts(session: Session, job: JobTable) -> dict[str, Any]:
    """A job that has ended."""
    so_far = progress(session, job.id)
    return {
        "job_id": job.id,
        "name": escape_name(job.name),
        "kind": job.kind,
        "state": job.state,
        "models": [f"{model.name}@{model.version}" for model in models_of(session, job.id)],
        "num_images": so_far.num_planned,
        "num_predictions": so_far.num_predictions,
        "num_errors": so_far.num_errors,
        "seconds": round(job.active_s, 3),
        "error": None if job.error is None else escape_name(job.error),
    }


def decision_facts(schedule: ScheduleTable, run: ScheduleRunTable, verdict: Mapping[str, Any]) -> dict[str, Any]:
    """A challenger that was promoted or refused."""
    figures = {
        word: {key: verdict["paired"][word][key] for key in ("champion", "challenger", "lower", "upper")}
        for word in ("accuracy", "macro_f1")
    }
    return {
        "schedule": schedule.name,
        "model": schedule.model,
        "champion": verdict["champion"]["model"],
        "challenger": verdict["challenger"]["model"],
        **figures,
        "num_test_images": verdict["paired"]["num_images"],
        "rule": schedule.promotion_rule,
        "reason": run.reason,
    }


def drift_facts(schedule: ScheduleTable, champion: str, drift: float, *, threshold: float) -> dict[str, Any]:
    """Images that are not like those that a model has learned from."""
    return {"schedule": schedule.name, "model": champion, "drift": round(drift, 4), "threshold": threshold}
