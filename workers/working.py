"""Doing what the ledger hands out: claim a chunk, bring it to its end, or say why not.

Celery tasks and the embedded loop both call `work_once`; neither adds to it.
"""

import time

import structlog

from core.errors import DamagedModelError, LeaseLostError, TrainingError, WeightsError
from core.jobs import Claim
from core.types import JobKind
from db.ledger import control, leasing
from db.ledger.progress import models_of
from workers.holding import HeldLease
from workers.labelling import label_chunk
from workers.runtime import Runtime
from workers.training.jobs import train

logger = structlog.get_logger(__name__)


def work_once(runtime: Runtime, *, proposed: int | None = None) -> Claim | None:
    """Claim one chunk and bring it to its end.

    Args:
        runtime: the worker's own things.
        proposed: the chunk that a wake-up named; the ledger may hand out another.

    Returns:
        What was claimed, or None if the ledger has nothing that this worker can do.
    """
    with runtime.database.write() as session:
        claim = leasing.claim(session, runtime.profile, lease_s=runtime.settings.lease_s, proposed=proposed)
    if claim is None:
        return None
    started_at_s = time.monotonic()
    log = logger.bind(job_id=claim.job_id, chunk_id=claim.chunk_id, num_images=claim.num_images)
    try:
        _work(runtime, claim)
    except LeaseLostError:
        log.warning("chunk_lost")
    except WeightsError as error:
        _decline(runtime, claim, str(error))
        return None
    except (TrainingError, DamagedModelError) as error:
        log.error("job_failed", problem=str(error))  # noqa: TRY400 - expected, and said in full by the message
        with runtime.database.write() as session:
            control.fail(session, claim.job_id, str(error))
    else:
        log.info("chunk_done", duration_s=round(time.monotonic() - started_at_s, 3))
    return claim


def _work(runtime: Runtime, claim: Claim) -> None:
    lease = HeldLease(runtime.database, claim, lease_s=runtime.settings.lease_s)
    match claim.kind:
        case JobKind.LABEL | JobKind.EVALUATE:
            label_chunk(runtime, lease)
        case JobKind.TRAIN | JobKind.RETRAIN:
            train(runtime, lease)


def _decline(runtime: Runtime, claim: Claim, problem: str) -> None:
    """Give the chunk back and ask for no more of its kind; another worker may have the weights."""
    logger.error("network_unavailable", problem=problem)
    with runtime.database.write() as session:
        networks = {model.network for model in models_of(session, claim.job_id)}
        leasing.release(session, claim)
    runtime.decline(networks, problem)
    runtime.report()
