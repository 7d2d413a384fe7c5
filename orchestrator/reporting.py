"""A page about a model: what is stored of it, and thumbnails of the images that it got most wrong."""

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy.orm import Session

from core.errors import InputError, UsageError
from core.items import locator_from_text
from core.preprocessing import PreprocessingContract
from core.settings import Settings
from core.training import TrainingRecord
from core.types import ResizeMode, Split, TrainMode
from db.database import Database
from db.model_tables import ModelTable
from db.rows import read_topk
from db.samples import JudgedSample, judged_samples
from db.trainings import epochs_of, evaluations_of
from orchestrator.exporting import check_file, replacing
from orchestrator.naming import find_trained
from orchestrator.reports.rendering import render_report
from orchestrator.reports.values import LeftOutImage, Mistake, ModelReport, Trial
from orchestrator.times import when
from workers.images.loading import Images
from workers.images.suspicion import isolated_images
from workers.ml.evaluation import Evaluation
from workers.ml.zero_shot import ZeroShot

NUM_MISTAKES = 24
THUMBNAIL_SIZE = 160


def write_report(database: Database, settings: Settings, text: str, path: Path) -> str:
    """Write the page.

    Args:
        database: where the model is.
        settings: the limits under which images are read.
        text: the model, as a user types it.
        path: the .html file.

    Returns:
        The version that it is about.

    Raises:
        UnknownModelError: there is no such model.
        UsageError: it is not trained yet, or the file cannot be written.
    """
    check_file(path, (".html", ".htm"))
    with database.read() as session:
        model = find_trained(session, text)
        if model.ready_at is None or model.training is None:
            raise UsageError(f"{model.label} has not been trained to its end, so there is nothing to report.")
        judged = [] if model.job_id is None else judged_samples(session, model.job_id, model.id)
        report, label = _report(session, settings, model, judged), model.label
    with replacing(path) as file:
        file.write(render_report(report).encode())
    return label


def worst_mistakes(judged: Sequence[JudgedSample]) -> list[JudgedSample]:
    """The held-out images that a model got wrong, the surest first."""
    wrong = [
        sample
        for sample in judged
        if sample.used_as in (Split.VAL, Split.TEST)
        and sample.topk is not None
        and read_topk(sample.topk)[0][0] != sample.true
    ]
    return sorted(wrong, key=lambda sample: -read_topk(str(sample.topk))[0][1])[:NUM_MISTAKES]


def _report(session: Session, settings: Settings, model: ModelTable, judged: Sequence[JudgedSample]) -> ModelReport:
    record = TrainingRecord.from_json(model.training or {})
    evaluations = {
        row.split: Evaluation.from_json(row.metrics)
        for row in evaluations_of(session, model.id)
        if row.split is not None
    }
    return ModelReport(
        name=model.name,
        version=model.version,
        backbone=model.backbone,
        mode=TrainMode(record.options["mode"]),
        created=when(model.created_at),
        num_images=record.num_images,
        options=_options(record),
        num_trainable=record.num_trainable,
        num_frozen=record.num_frozen,
        epochs=tuple(epochs_of(session, model.id)),
        best_epoch=record.best_epoch,
        evaluations=evaluations,
        temperature=model.temperature,
        zero_shot=None if record.zero_shot is None else ZeroShot.from_json(record.zero_shot),
        mistakes=_mistakes(settings, worst_mistakes(judged), record.options["classes"]),
        left_out=tuple(
            LeftOutImage(sample.name, str(sample.reason or "not used"), sample.detail or sample.left_out or "")
            for sample in judged
            if sample.left_out is not None
        ),
        notes=record.notes,
        trials=_trials(record),
    )


def _trials(record: TrainingRecord) -> tuple[Trial, ...]:
    best = min((trial["val_loss"] for trial in record.trials), default=None)
    # Of equals, the first.
    chosen = next((number for number, trial in enumerate(record.trials) if trial["val_loss"] == best), None)
    return tuple(Trial(**trial, is_chosen=number == chosen) for number, trial in enumerate(record.trials))


def _options(record: TrainingRecord) -> dict[str, str]:
    """How the model was trained, in the words of the command line."""
    options = record.options
    words = {
        "--unfreeze": options["unfreeze"],
        "--epochs": options["num_epochs"],
        "--early-stop": options["patience"],
        "--val-split": options["val_share"],
        "--augment": options["augment"],
        "--class-weights": options["class_weights"],
        "--learning-rate": options["learning_rate"] or "of the mode",
        "--resize": options["resize"],
        "--max-bad": f"{options['max_bad_share']:.0%}",
        "--seed": options["seed"],
    }
    return {name: str(value) for name, value in words.items() if value is not None}


def _mistakes(settings: Settings, samples: Sequence[JudgedSample], classes: Sequence[str]) -> tuple[Mistake, ...]:
    with isolated_images(settings, num_processes=1) as images:
        return tuple(_mistake(images, sample, classes) for sample in samples)


def _mistake(images: Images, sample: JudgedSample, classes: Sequence[str]) -> Mistake:
    (predicted, score), *_ = read_topk(str(sample.topk))
    return Mistake(sample.name, classes[sample.true], classes[predicted], score, _thumbnail(images, sample))


def _thumbnail(images: Images, sample: JudgedSample) -> bytes | None:
    """The image, small, as a JPEG; None if it is not there any more."""
    import cv2  # noqa: PLC0415 - only reports need it here

    contract = PreprocessingContract((THUMBNAIL_SIZE, THUMBNAIL_SIZE), ResizeMode.PAD)
    try:
        image_rgb = images.prepare(locator_from_text(sample.locator), [contract])[contract]
    except InputError:
        return None
    _, encoded = cv2.imencode(".jpg", image_rgb[..., ::-1])
    return encoded.tobytes()
