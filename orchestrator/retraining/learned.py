"""What versions were trained on, as their jobs left it: the images by their content, the classes, the options."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import exists, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from core.errors import UsageError
from core.training import TrainingRecord, TrainOptions
from core.types import Split
from db.model_tables import ModelTable, SampleTable
from db.results import class_names
from db.tables import ImageTable


@dataclass(frozen=True, slots=True)
class LabelledContent:
    """An image by its content, and what it is said to show."""

    sha256: str
    label: str  # the class's name
    split: Split | None  # None: for learning; which part of that is decided later
    name: str
    locator: str  # core.items.locator_to_text


def first_trained(session: Session, name: str) -> ModelTable:
    """The oldest version of a name that was trained here.

    Raises:
        UsageError: there is none.
    """
    first = session.scalars(
        select(ModelTable)
        .where(ModelTable.name == name, ModelTable.ready_at.is_not(None), ModelTable.job_id.is_not(None))
        .order_by(ModelTable.version)
        .limit(1)
    ).one_or_none()
    if first is None:
        raise UsageError(
            f"No version of {name!r} was trained here, so there are no images to learn from and to measure on. "
            f"`labelyard train DATASET --name {name}` makes one."
        )
    return first


def options_of(session: Session, model: ModelTable) -> TrainOptions:
    """How a version was trained; of an imported one, how the first of its name was.

    Raises:
        UsageError: no version of its name was trained here.
    """
    trained = model if model.job_id is not None and model.training is not None else first_trained(session, model.name)
    return TrainOptions.from_json(TrainingRecord.from_json(trained.training or {}).options)


def first_contents(session: Session, first: ModelTable) -> tuple[list[LabelledContent], bool]:
    """What a first version learned from and was measured on.

    Its test part is for measuring, or its validation part if it had none.

    Returns:
        The images, and whether the validation part was named by the user and stays.
    """
    labels, has_test = class_names(session, first.id), _has(session, first, SampleTable.used_as, Split.TEST)
    images = [
        LabelledContent(
            str(sample.sha256),
            labels[sample.class_index],
            _first_split(sample, has_test=has_test),
            image.name,
            image.locator,
        )
        for sample, image in _samples(session, first)
    ]
    return images, has_test and _has(session, first, SampleTable.split, Split.VAL)


def learned_by_hand(session: Session, champion: ModelTable) -> Iterable[LabelledContent]:
    """What a champion has learned from that was not trained on a version of the dataset."""
    if champion.dataset_id is not None or champion.job_id is None:
        return []
    labels = class_names(session, champion.id)
    return [
        LabelledContent(str(sample.sha256), labels[sample.class_index], None, image.name, image.locator)
        for sample, image in _samples(session, champion)
        if sample.used_as is not Split.TEST
    ]


def _first_split(sample: SampleTable, *, has_test: bool) -> Split | None:
    if has_test:
        # A validation part that its dataset names stays what it is; one that was drawn is drawn again.
        return Split.TEST if sample.used_as is Split.TEST else sample.split if sample.split is Split.VAL else None
    return Split.TEST if sample.used_as is Split.VAL else None


def _has(session: Session, model: ModelTable, column: InstrumentedAttribute[Split | None], split: Split) -> bool:
    return session.scalars(select(exists().where(SampleTable.job_id == model.job_id, column == split))).one()


def _samples(session: Session, model: ModelTable) -> Sequence[tuple[SampleTable, ImageTable]]:
    rows = session.execute(
        select(SampleTable, ImageTable)
        .join(ImageTable, (ImageTable.job_id == SampleTable.job_id) & (ImageTable.ordinal == SampleTable.ordinal))
        .where(SampleTable.job_id == model.job_id, SampleTable.used_as.is_not(None))
        .order_by(SampleTable.ordinal)
    )
    return [(sample, image) for sample, image in rows]
