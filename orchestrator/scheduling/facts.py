"""What the condition of a schedule is asked about: labels that came, how old the champion is, how far images drift."""

from sqlalchemy.orm import Session

from db.annotations import newest_annotations
from db.datasets import classes_of, items_of, newest_learned
from db.label_tables import DatasetTable
from db.model_tables import ModelTable
from orchestrator.retraining.composing import latest_dataset
from orchestrator.rules import ConditionFacts, Rule
from orchestrator.scheduling.drifting import drift_of

# The word of conditions that costs the most to answer.
DRIFT = "drift"


def facts_of(session: Session, champion: ModelTable, condition: Rule, *, at_s: float) -> ConditionFacts:
    """Look at what a condition asks about; drift is measured only for those that ask.

    Args:
        session: a writing transaction.
        champion: the version in use.
        condition: what will be asked.
        at_s: when, in seconds since 1970.
    """
    drift = drift_of(session, champion) if DRIFT in condition.words else None
    return ConditionFacts(
        new_labels=count_new_labels(session, champion.name),
        age_s=age_of(session, champion, at_s=at_s),
        drift=None if drift is None else drift.value,
        drift_unknown_because=None if drift is None else drift.reason,
    )


def count_new_labels(session: Session, name: str) -> int:
    """How many images people have labelled otherwise than the newest dataset that a model has learned from."""
    learned = newest_learned(session, name) or latest_dataset(session, name)
    classes = classes_of(learned)
    known = {item.sha256: classes[item.class_index] for item in items_of(session, learned.id)}
    said = newest_annotations(session, name).values()
    return sum(known.get(annotation.sha256) != annotation.label for annotation in said)


def age_of(session: Session, champion: ModelTable, *, at_s: float) -> float:
    """Seconds since a champion's images were put together; of one that was trained by hand, since it was made."""
    dataset = None if champion.dataset_id is None else session.get(DatasetTable, champion.dataset_id)
    since = (champion.ready_at or champion.created_at) if dataset is None else dataset.created_at
    return max(0.0, at_s - since)
