"""The dispatcher: does for jobs that nobody waits for what `orchestrator.watching` does for one that somebody does.

Two dispatchers, or a dispatcher and a command, may look after the same job: a batch of a plan is appended by one of
them, and an evaluation is concluded once. Knows nothing of threads but that planning has one of its own.
"""

from collections.abc import Mapping, Sequence

import structlog
from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from core.errors import LabelyardError, SetupError
from core.settings import Settings
from core.types import JobKind, JobState
from db.database import Database
from db.ledger.closing import close_finished_jobs
from db.model_tables import EvaluationTable
from db.tables import JobModelTable, JobTable
from orchestrator.evaluating import conclude_evaluation
from orchestrator.tracing import orchestrator_tracer
from orchestrator.watching import Planner
from workers.access import Access
from workers.waking import Waker, wake

logger = structlog.get_logger(__name__)

# Seconds between two looks; a job is planned by the dispatcher if its plan has not grown in between.
LOOK_INTERVAL_S = 3.0
# Walking sources is reading lists of files, mostly waiting.
MAX_PLANNERS = 4

# How far a job's plan is: images, and the cursor behind them.
_Place = tuple[int, str | None]


class Dispatcher:
    """Looks after jobs, look by look.

    Args:
        database: the ledger.
        settings: what may be read here.
        waker: who wakes workers.
    """

    def __init__(self, database: Database, settings: Settings, waker: Waker) -> None:
        self._database = database
        self._access = Access.of(settings)
        self._waker = waker
        self._tracer = orchestrator_tracer(settings)
        self._places: Mapping[int, _Place] = {}
        self._planners: dict[int, Planner] = {}
        self._not_to_measure: set[int] = set()

    def look(self) -> None:
        """Plan what nobody plans, close and conclude what has ended, wake workers.

        Raises:
            DatabaseError: it does not answer; the next look goes on.
        """
        self._forget_planners()
        self._plan_what_stands_still()
        self._database.transact(close_finished_jobs)
        for job_id in self._database.query(_unmeasured):
            self._conclude(job_id)
        wake(self._waker)

    def _forget_planners(self) -> None:
        for job_id in [job_id for job_id, planner in self._planners.items() if planner.has_ended]:
            planner = self._planners.pop(job_id)
            try:
                planner.check()
            except SetupError as error:
                # Nothing is wrong with the job; the next looks find that its plan stands still.
                logger.warning("planning_failed", job_id=job_id, problem=str(error))
            except LabelyardError as error:
                # The job has failed, and says why.
                logger.warning("job_failed", job_id=job_id, problem=str(error))

    def _plan_what_stands_still(self) -> None:
        places = self._database.query(_unplanned)
        still = [job_id for job_id, place in places.items() if self._places.get(job_id) == place]
        self._places = places
        for job_id in still:
            if job_id not in self._planners and len(self._planners) < MAX_PLANNERS:
                logger.info("planning_taken_over", job_id=job_id)
                planner = self._planners[job_id] = Planner(
                    self._database, job_id, self._access, self._waker, tracer=self._tracer
                )
                planner.start()

    def _conclude(self, job_id: int) -> None:
        if job_id in self._not_to_measure:
            return
        try:
            conclude_evaluation(self._database, job_id)
        except SetupError:
            raise
        except LabelyardError as error:
            self._not_to_measure.add(job_id)
            logger.warning("evaluation_failed", job_id=job_id, problem=str(error))
        else:
            logger.info("evaluation_concluded", job_id=job_id)


def _unplanned(session: Session) -> Mapping[int, _Place]:
    """The running jobs whose plans are unfinished, the most urgent first, and how far each is."""
    jobs = (
        select(JobTable.id, JobTable.num_planned, JobTable.plan_cursor)
        .where(JobTable.state == JobState.RUNNING, JobTable.planned_at.is_(None))
        .order_by(JobTable.priority, JobTable.id)
    )
    return {job_id: (num_planned, cursor) for job_id, num_planned, cursor in session.execute(jobs)}


def _unmeasured(session: Session) -> Sequence[int]:
    """Evaluations that are done, whose models are still there, and that nobody has concluded."""
    jobs = (
        select(JobTable.id)
        .where(
            JobTable.kind == JobKind.EVALUATE,
            JobTable.state == JobState.DONE,
            exists().where(JobModelTable.job_id == JobTable.id),
            ~exists().where(EvaluationTable.job_id == JobTable.id),
        )
        .order_by(JobTable.id)
    )
    return session.scalars(jobs).all()
