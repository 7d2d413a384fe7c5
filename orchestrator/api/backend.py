"""What routes work with: the ledger, the settings, and whoever plans what was accepted."""

import threading
from dataclasses import dataclass, field
from typing import Annotated

import structlog
from fastapi import Depends, Request

from core.errors import LabelyardError
from core.settings import Settings
from db.database import Database
from orchestrator.planning import plan_or_fail
from orchestrator.tracing import orchestrator_tracer
from orchestrator.uploads.storing import Uploads
from workers.access import Access
from workers.waking import Waker, wake

logger = structlog.get_logger(__name__)

# Plans that are made at the same time; those of more jobs are left to the dispatcher, which finds them.
MAX_PLANNERS = 4


@dataclass(frozen=True, slots=True)
class Backend:
    """What every route may use."""

    database: Database
    settings: Settings
    waker: Waker
    asks_for_tokens: bool  # False: only this machine can ask
    _planners: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(MAX_PLANNERS))

    @property
    def uploads(self) -> Uploads:
        """Files that came by HTTP."""
        return Uploads(self.database, self.settings)

    def plan(self, job_id: int) -> None:
        """Begin to plan a job that was just accepted, so that it need not wait for the dispatcher's next look."""
        if not self._planners.acquire(blocking=False):
            return
        try:
            threading.Thread(target=self._plan, args=(job_id,), name=f"plan of job {job_id}", daemon=True).start()
        except RuntimeError:
            # The machine has no thread left; the dispatcher finds the job.
            self._planners.release()

    def wake(self) -> None:
        """Tell workers that there is work."""
        wake(self.waker)

    def _plan(self, job_id: int) -> None:
        try:
            plan_or_fail(
                self.database,
                job_id,
                Access.of(self.settings),
                after_commit=self.wake,
                tracer=orchestrator_tracer(self.settings),
            )
        except LabelyardError as error:
            # The job says why it failed, or the dispatcher goes on with it.
            logger.warning("planning_failed", job_id=job_id, problem=str(error))
        finally:
            self._planners.release()


def get_backend(request: Request) -> Backend:
    """The app's own."""
    backend: Backend = request.app.state.backend
    return backend


BackendDependency = Annotated[Backend, Depends(get_backend)]
