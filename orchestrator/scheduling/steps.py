"""One run of a schedule, step by step: train a challenger, compare it with the champion, promote it or not.

Every step is one transaction that locks the run, so that of several schedulers one takes it; a scheduler that dies
leaves the run where it was. The work itself is done by jobs.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy.orm import Session

from core.errors import DatabaseError, DatasetError, LabelyardError, TrainingError, UsageError
from core.settings import Settings
from core.types import Event, JobState, RunState
from db.database import Database
from db.datasets import classes_of, newest_learned
from db.label_tables import DatasetTable
from db.model_tables import ModelTable
from db.promotions import champion_of, promote
from db.schedule_tables import ScheduleRunTable, ScheduleTable
from db.schedules import find_unjudged, lock_run
from db.tables import JobTable
from orchestrator.notifying import tell
from orchestrator.notifying.payloads import decision_facts, drift_facts
from orchestrator.relabelling import submit_relabel
from orchestrator.retraining.composing import compose, ensure_dataset
from orchestrator.retraining.found import read_contents
from orchestrator.retraining.learned import LabelledContent
from orchestrator.retraining.submitting import accept_comparison, accept_retraining
from orchestrator.retraining.verdicts import judge
from orchestrator.rules import judge_condition, parse_condition, parse_promotion
from orchestrator.scheduling.decisions import decide
from orchestrator.scheduling.facts import facts_of
from orchestrator.tracing import note_accepted

# From here on people are told of drift, whatever the rule says. The usual bands are custom; see docs/adr/0028.
DRIFT_WORTH_TELLING = 0.2


class Steps:
    """Moves runs on.

    Args:
        database: the ledger.
        settings: what may be read.
        at_s: when this is, in seconds since 1970.
    """

    def __init__(self, database: Database, settings: Settings, *, at_s: float) -> None:
        self._database = database
        self._settings = settings
        self._at_s = at_s
        self._accepted: list[int] = []  # jobs, by the step that is being taken

    def take(self, run: ScheduleRunTable, schedule: ScheduleTable) -> None:
        """Move a run one step on, if its time has come.

        Args:
            run: as it was read, detached from its session.
            schedule: whose it is.
        """
        since_ns = time.time_ns()
        self._accepted.clear()
        self._take(run, schedule)
        for job_id in self._accepted:
            note_accepted(self._database, self._settings, job_id, since_ns=since_ns)

    def _take(self, run: ScheduleRunTable, schedule: ScheduleTable) -> None:
        match run.state:
            case RunState.STARTED:
                self._begin(run, schedule)
            case RunState.TRAINING:
                self._follow_training(run)
            case RunState.COMPARING:
                self._follow_comparison(run, schedule)
            case RunState.PROMOTED:
                self._relabel(run, schedule)

    def _begin(self, run: ScheduleRunTable, schedule: ScheduleTable) -> None:
        try:
            found = read_contents(self._database, self._settings, schedule.dataset)
        except LabelyardError as error:
            self.fail(run, f"Its dataset cannot be read: {error}")
            return
        with self._database.write() as session:
            locked = lock_run(session, run)
            if locked is not None:
                self._plan(session, locked, schedule, found)

    def _plan(
        self, session: Session, run: ScheduleRunTable, schedule: ScheduleTable, found: Sequence[LabelledContent]
    ) -> None:
        """Decide whether there is anything to train, and ask for it."""
        champion = champion_of(session, schedule.model)
        if champion is None:
            self._close(run, RunState.FAILED, f"No version of {schedule.model!r} is in use.")
            return
        run.champion_id = champion.id
        if schedule.condition is not None:
            condition = parse_condition(schedule.condition)
            facts = facts_of(session, champion, condition, at_s=self._at_s)
            run.facts = asdict(facts)
            if facts.drift is not None and facts.drift > DRIFT_WORTH_TELLING:
                told = drift_facts(schedule, champion.label, facts.drift, threshold=DRIFT_WORTH_TELLING)
                tell(session, self._settings, Event.DRIFT_FOUND, f"run:{run.id}", told, at_s=self._at_s)
            judgement = judge_condition(condition, facts)
            if not judgement.holds:
                self._close(run, RunState.SKIPPED, judgement.reason)
                return
        try:
            new = compose(session, schedule.model, found, at_s=self._at_s)
        except (TrainingError, UsageError) as error:
            self._close(run, RunState.SKIPPED, str(error))
            return
        dataset = ensure_dataset(session, new)
        run.dataset_id = dataset.id
        learned = newest_learned(session, schedule.model)
        if learned is not None and learned.id == dataset.id:
            unjudged = find_unjudged(session, dataset.id)
            if unjudged is not None and unjudged.id != champion.id:
                # Its comparison failed, or was cancelled.
                run.challenger_id, run.train_job_id = unjudged.id, unjudged.job_id
                self._compare(session, run)
                return
            self._close(run, RunState.SKIPPED, f"Dataset {dataset.version} is unchanged; it has been learned from.")
            return
        challenger = accept_retraining(session, dataset, champion, tunes=schedule.tunes)
        run.challenger_id, run.train_job_id = challenger.id, challenger.job_id
        self._accepted += [] if challenger.job_id is None else [challenger.job_id]
        run.state = RunState.TRAINING
        run.reason = f"{challenger.label} learns from dataset {dataset.version}: job {challenger.job_id}."

    def _follow_training(self, run: ScheduleRunTable) -> None:
        with self._database.write() as session:
            locked = lock_run(session, run)
            if locked is None or not self._has_ended(session, locked, locked.train_job_id):
                return
            self._compare(session, locked)

    def _compare(self, session: Session, run: ScheduleRunTable) -> None:
        """Ask the challenger, and whoever is champion by now."""
        dataset = session.get_one(DatasetTable, run.dataset_id)
        challenger = session.get_one(ModelTable, run.challenger_id)
        champion = champion_of(session, challenger.name)
        if champion is None or champion.id == challenger.id:
            self._close(run, RunState.FAILED, f"{challenger.label} was taken into use by someone else.")
            return
        run.champion_id = champion.id
        run.compare_job_id = accept_comparison(session, dataset, challenger, champion)
        self._accepted.append(run.compare_job_id)
        run.state = RunState.COMPARING
        run.reason = (
            f"{challenger.label} and {champion.label} are asked about the test images: job {run.compare_job_id}."
        )

    def _follow_comparison(self, run: ScheduleRunTable, schedule: ScheduleTable) -> None:
        with self._database.write() as session:
            locked = lock_run(session, run)
            if locked is None or not self._has_ended(session, locked, locked.compare_job_id):
                return
            champion = champion_of(session, schedule.model)
            if champion is None or champion.id != locked.champion_id:
                # Someone has promoted or rolled back meanwhile.
                self._compare(session, locked)
                return
            self._decide(session, locked, schedule, champion)

    def _decide(self, session: Session, run: ScheduleRunTable, schedule: ScheduleTable, champion: ModelTable) -> None:
        challenger = session.get_one(ModelTable, run.challenger_id)
        classes = classes_of(session.get_one(DatasetTable, run.dataset_id))
        try:
            verdict = judge(session, run.compare_job_id or 0, champion, challenger, classes)
        except DatasetError as error:
            self._close(run, RunState.FAILED, str(error))
            return
        decision = decide(verdict, parse_promotion(schedule.promotion_rule))
        run.verdict = verdict.to_json() | {"rule": schedule.promotion_rule}
        if decision.promotes:
            promote(session, challenger)
        self._close(run, RunState.PROMOTED if decision.promotes else RunState.REFUSED, decision.reason)
        event = Event.CHALLENGER_PROMOTED if decision.promotes else Event.CHALLENGER_REFUSED
        told = decision_facts(schedule, run, run.verdict)
        tell(session, self._settings, event, f"run:{run.id}", told, at_s=self._at_s)
        if decision.promotes and schedule.relabel_job_id is not None:
            run.ended_at = None

    def _relabel(self, run: ScheduleRunTable, schedule: ScheduleTable) -> None:
        """Label the images of an earlier job again; asked for twice, it is one job while that has not ended."""
        with self._database.read() as session:
            challenger = session.get_one(ModelTable, run.challenger_id).label
        note, job_id = "", None
        try:
            job_id = submit_relabel(self._database, self._settings, schedule.relabel_job_id or 0, challenger).job_id
        except DatabaseError:
            raise
        except LabelyardError as error:
            # It is promoted all the same.
            note = f" Job {schedule.relabel_job_id} cannot be labelled again: {error}"
        with self._database.write() as session:
            locked = lock_run(session, run)
            if locked is not None:
                locked.relabel_job_id = job_id
                locked.reason = f"{locked.reason}{note}"
                locked.ended_at = self._at_s

    def _has_ended(self, session: Session, run: ScheduleRunTable, job_id: int | None) -> bool:
        """Whether a job of a run is done; a run whose job has failed ends with it."""
        job = session.get(JobTable, job_id)
        if job is None:
            self._close(run, RunState.FAILED, f"Job {job_id} is not there any more.")
            return False
        match job.state:
            case JobState.DONE:
                return True
            case JobState.FAILED | JobState.CANCELLED:
                why = f": {job.error}" if job.error else "."
                self._close(run, RunState.FAILED, f"Job {job_id} is {job.state}{why}")
        return False

    def fail(self, run: ScheduleRunTable, reason: str) -> None:
        """End a run that cannot go on.

        Args:
            run: as it was read.
            reason: a sentence.
        """
        with self._database.write() as session:
            locked = lock_run(session, run)
            if locked is not None:
                self._close(locked, RunState.FAILED, reason)

    def _close(self, run: ScheduleRunTable, state: RunState, reason: str) -> None:
        run.state, run.reason, run.ended_at = state, reason, self._at_s
