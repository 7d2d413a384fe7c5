"""Accepting a training: everything that can be wrong with it is found before anything is written."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from core.errors import UsageError
from core.items import escape_name, unescape_name
from core.jobs import Idempotency, JobRequest
from core.labels import ClassLabel
from core.settings import Settings
from core.training import TrainOptions
from core.types import JobKind, Priority, TrainMode
from db.database import Database
from db.ledger import accepting
from db.models import NewModel, add_version, latest_model
from db.results import class_names
from db.samples import add_samples
from orchestrator.datasets import Dataset, check_readable, check_splittable, open_dataset
from orchestrator.naming import check_new_name
from orchestrator.submitting import Submitted, resume_same
from orchestrator.tracing import traced
from workers.access import Access
from workers.images.suspicion import isolated_images
from workers.ml.catalog import get_backbone, get_published_backbone
from workers.ml.layers import check_unfreeze
from workers.ml.weights import ensure_weights


@dataclass(frozen=True, slots=True)
class DatasetRequest:
    """Labelled images as a user names them."""

    text: str
    val: str | None = None  # a dataset of its own for validation
    test: str | None = None  # and one for the final measurement
    classes: tuple[str, ...] | None = None  # names for integer labels, or an order for folders
    image_column: str | None = None  # of a manifest
    label_column: str | None = None
    allow_http: bool = False
    cwd: Path = field(default_factory=Path.cwd)  # what relative paths are relative to

    def open(self, access: Access) -> Dataset:
        """Enumerate it, within what may be read.

        Raises:
            UsageError: it is not there, or nothing can be learned from it.
        """
        return open_dataset(
            self.text,
            access,
            val=self.val,
            test=self.test,
            classes=self.classes,
            image_column=self.image_column,
            label_column=self.label_column,
            allow_http=self.allow_http,
            cwd=self.cwd,
        )

    def to_json(self) -> dict[str, object]:
        """Plain values for storing; for people, since the images are stored one by one."""
        parts = {"text": self.text, "val": self.val, "test": self.test}
        return {name: escape_name(part) for name, part in parts.items() if part is not None}

    def to_stored(self) -> dict[str, Any]:
        """Plain values for opening it again on another day, from anywhere."""
        texts = {
            "text": self.text,
            "val": self.val,
            "test": self.test,
            "image_column": self.image_column,
            "label_column": self.label_column,
            "cwd": str(self.cwd),
        }
        stored: dict[str, Any] = {name: None if text is None else escape_name(text) for name, text in texts.items()}
        classes = None if self.classes is None else [escape_name(name) for name in self.classes]
        return stored | {"classes": classes, "allow_http": self.allow_http}

    @classmethod
    def from_stored(cls, values: Mapping[str, Any]) -> "DatasetRequest":
        """Read what `to_stored` wrote."""
        texts = {name: unescape_name(value) for name, value in values.items() if isinstance(value, str)}
        classes = None if values["classes"] is None else tuple(unescape_name(name) for name in values["classes"])
        return cls(**{**texts, "cwd": Path(texts["cwd"])}, classes=classes, allow_http=values["allow_http"])  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class TrainRequest:
    """What a user asks `train` to do."""

    dataset: DatasetRequest
    name: str  # of the model
    options: TrainOptions  # its classes are filled in from the dataset
    priority: Priority = Priority.BULK
    idempotency: Idempotency | None = None


@traced
def submit_training(database: Database, settings: Settings, request: TrainRequest) -> Submitted:
    """Check a training, then accept it, or find the unfinished one that was asked for in the same words.

    Raises:
        UsageError: it cannot be meant.
        WeightsError: embedded, and the published weights cannot be had.
    """
    check_new_name(request.name)
    _check_options(request.options)
    dataset = request.dataset.open(Access.of(settings))
    check_splittable(dataset, request.options.val_share)
    options = replace(request.options, classes=dataset.classes)
    with database.read() as session:
        check_classes(session, request.name, options.classes)
    _check_readable(dataset, settings)
    if settings.is_embedded and options.mode is not TrainMode.SCRATCH:
        # Elsewhere, the weights are the workers' affair.
        ensure_weights(get_backbone(options.backbone))
    request_hash = _hash(request, options)
    with database.write() as session:
        resumed = resume_same(session, request_hash, request.priority, request.idempotency)
        if resumed is not None:
            return resumed
        return Submitted(_accept(session, request, options, dataset, request_hash), is_resumed=False)


def class_label_list(classes: Sequence[str]) -> tuple[ClassLabel, ...]:
    """A dataset's classes as the labels of a head."""
    return tuple(ClassLabel(label=name, label_id=str(index)) for index, name in enumerate(classes))


def _accept(session: Session, request: TrainRequest, options: TrainOptions, dataset: Dataset, request_hash: str) -> int:
    model = add_version(
        session,
        NewModel(request.name, options.backbone, options.mode, options.resize, class_label_list(options.classes)),
    )
    job_id = accepting.accept(
        session,
        JobRequest(
            name=request.dataset.text,
            model_ids=(model.id,),
            sources=[request.dataset.to_json()],
            request_hash=request_hash,
            options=options,
            priority=request.priority,
            kind=JobKind.TRAIN,
            idempotency=request.idempotency,
        ),
    )
    model.job_id = job_id
    accept_samples(session, job_id, dataset, chunk_size=len(dataset.items))
    return job_id


def accept_samples(session: Session, job_id: int, dataset: Dataset, *, chunk_size: int) -> None:
    """Plan a job whose images are all known, with what people say they show."""
    items = [labelled.item for labelled in dataset.items]
    accepting.append_items(session, job_id, items, after=0, cursor="", chunk_size=chunk_size)
    add_samples(session, job_id, [(labelled.class_index, labelled.split) for labelled in dataset.items])
    accepting.finish_planning(session, job_id, num_skipped=dataset.num_skipped)


def _check_options(options: TrainOptions) -> None:
    if options.mode is TrainMode.SCRATCH:
        get_backbone(options.backbone)
    else:
        get_published_backbone(options.backbone)
    if options.tunes and options.mode is not TrainMode.HEAD:
        raise UsageError(
            f"--tune is for --mode head, where a fit takes a fraction of a second; received --mode {options.mode}. "
            "Leave it out, or train a head."
        )
    if options.unfreeze is None:
        return
    if options.mode is not TrainMode.FINETUNE:
        raise UsageError(
            f"--unfreeze is for --mode finetune; received --mode {options.mode}. Leave it out, or fine-tune."
        )
    check_unfreeze(options.backbone, options.unfreeze)


def check_classes(session: Session, name: str, classes: Sequence[str]) -> None:
    """Make sure that all versions of a name tell apart the same classes.

    Raises:
        UsageError: the name is taken by other classes.
    """
    latest = latest_model(session, name)
    if latest is None:
        return
    known = class_names(session, latest.id)
    if known != tuple(classes):
        raise UsageError(
            f"{latest.label} tells apart {_listed(known)}; this dataset has {_listed(classes)}. Versions of one name "
            "share one class list. Start a new model with another --name, or give the same classes in the same order "
            "with --classes."
        )


def _check_readable(dataset: Dataset, settings: Settings) -> None:
    with isolated_images(settings, num_processes=1) as images:
        check_readable(dataset, lambda locator: images.prepare(locator, []))


def _listed(classes: Sequence[str]) -> str:
    shown = ", ".join(classes[:10])
    return f"{shown}, … ({len(classes)} classes)" if len(classes) > 10 else shown  # noqa: PLR2004 - fits a line


def _hash(request: TrainRequest, options: TrainOptions) -> str:
    asked = {
        "dataset": request.dataset.to_json(),
        "cwd": str(Path.cwd()),
        "name": request.name,
        "options": options.to_json(),
    }
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
