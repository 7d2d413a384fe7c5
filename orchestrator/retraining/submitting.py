"""Jobs of a retraining: one trains a challenger on a dataset, one asks it and the champion about the test part.

Both are jobs like any other, so both are done whatever dies.
"""

from dataclasses import replace

from sqlalchemy.orm import Session

from core.items import Item, locator_from_text
from core.jobs import DEFAULT_CHUNK_SIZE, JobRequest, LabelOptions
from core.types import JobKind, Split
from db.datasets import DatasetItem, classes_of, items_of
from db.label_tables import DatasetTable
from db.ledger import accepting
from db.model_tables import ModelTable
from db.models import NewModel, add_version
from orchestrator.datasets import Dataset, LabelledItem
from orchestrator.retraining.learned import options_of
from orchestrator.training import accept_samples, class_label_list

# Answers that are kept of each image; `label` keeps as many by default.
NUM_ANSWERS = 5


def accept_retraining(session: Session, dataset: DatasetTable, like: ModelTable, *, tunes: bool) -> ModelTable:
    """Ask for a new version that is trained as another one was.

    Args:
        session: a writing transaction.
        dataset: what it learns from.
        like: whose settings it takes.
        tunes: whether better settings are searched for, from those on.

    Returns:
        The version that is going to be trained.
    """
    options = replace(options_of(session, like), classes=classes_of(dataset), tunes=tunes)
    model = add_version(
        session,
        NewModel(dataset.model, options.backbone, options.mode, options.resize, class_label_list(options.classes)),
    )
    items = items_of(session, dataset.id)
    request = JobRequest(
        name=_name(dataset),
        model_ids=(model.id,),
        sources=[_source(dataset)],
        # Who asks twice is told apart by the runs of a schedule.
        request_hash="",
        options=options,
        kind=JobKind.RETRAIN,
    )
    model.job_id = accepting.accept(session, request)
    model.dataset_id = dataset.id
    accept_samples(session, model.job_id, _samples(dataset, items), chunk_size=len(items))
    return model


def accept_comparison(session: Session, dataset: DatasetTable, challenger: ModelTable, champion: ModelTable) -> int:
    """Ask two versions about the images that neither has learned from.

    Args:
        session: a writing transaction.
        dataset: what the challenger has learned from; its test part is asked about.
        challenger: whose classes the dataset has.
        champion: whose classes are the first of them.

    Returns:
        The job's id.
    """
    request = JobRequest(
        name=f"test of {_name(dataset)}",
        model_ids=(challenger.id, champion.id),
        sources=[_source(dataset)],
        request_hash="",
        options=LabelOptions(top_k=min(NUM_ANSWERS, len(dataset.classes))),
        kind=JobKind.EVALUATE,
    )
    job_id = accepting.accept(session, request)
    items = items_of(session, dataset.id, split=Split.TEST)
    accept_samples(session, job_id, _samples(dataset, items), chunk_size=DEFAULT_CHUNK_SIZE)
    return job_id


def _name(dataset: DatasetTable) -> str:
    return f"dataset {dataset.version} of {dataset.model}"


def _source(dataset: DatasetTable) -> dict[str, object]:
    return {"text": _name(dataset), "dataset_id": dataset.id}


def _samples(dataset: DatasetTable, items: list[DatasetItem]) -> Dataset:
    labelled = tuple(
        LabelledItem(
            Item(item.name, locator_from_text(item.locator), cursor="", sha256=item.sha256),
            item.class_index,
            item.split,
        )
        for item in items
    )
    return Dataset(classes_of(dataset), labelled, num_skipped=0)
