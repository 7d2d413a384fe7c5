"""Carrying models: to files for Keras, ONNX Runtime or another Labelyard, and from another Labelyard's files."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import TypeAdapter

from core.errors import DamagedModelError, SetupError, UsageError
from core.exits import ExitCode
from core.items import unescape_name
from core.labels import ClassLabel
from core.training import EpochMetrics, TrainingRecord
from core.types import ArtifactKind
from db.artifacts import write_artifact
from db.database import Database
from db.model_tables import ModelTable
from db.models import NewModel, add_version
from db.promotions import champion_of
from db.trainings import NewEvaluation, TrainedModel, add_epoch, make_ready
from orchestrator.exporting import check_file, move_into_place
from orchestrator.naming import check_new_name, find_trained
from orchestrator.training import check_classes
from workers.exporting import ExportFormat
from workers.ml.exports.exchange_file import EXPECTED, ModelDescription, read_exchange
from workers.ml.exports.foreign import NUM_HEAD_BYTES, describe_foreign
from workers.ml.tensors import to_bytes

# The largest network that Keras Applications has, ConvNeXtXLarge, takes 1.4 GB.
MAX_NUM_BYTES = 4 * 1024**3


def export_model(database: Database, text: str, *, format_name: str, path: Path) -> str:
    """Write a trained model to a file, which appears when it is complete.

    Args:
        database: where the model is.
        text: the model, as a user types it.
        format_name: a word of `ExportFormat`.
        path: the file.

    Returns:
        The version that was written.

    Raises:
        UnknownModelError: there is no such model.
        UsageError: the format or the file cannot be meant.
        SetupError: something that writing needs is missing; the message says what.
    """
    if format_name not in set(ExportFormat):
        raise UsageError(f"--format: received {format_name!r}. Expected one of {', '.join(ExportFormat)}.")
    check_file(path, (f".{format_name}",))
    with database.read() as session:
        model = find_trained(session, text)
        if model.ready_at is None:
            raise UsageError(f"{model.label} has not been trained to its end, so there is nothing to export.")
        label = model.label
    # Beside the file, so that moving it is renaming; a folder, because large ONNX models are two files.
    with TemporaryDirectory(dir=path.parent, prefix=".labelyard-", ignore_cleanup_errors=True) as folder:
        _write(label, format_name, Path(folder) / path.name)
        for written in sorted(Path(folder).iterdir(), reverse=True):
            move_into_place(written, path.parent / written.name)
    return label


def import_model(database: Database, path: Path, *, name: str | None) -> tuple[str, bool]:
    """Read a model that another Labelyard wrote, as the next version of its name.

    Args:
        database: where it shall be.
        path: the file.
        name: what to call it here; None: its own name.

    Returns:
        The version that it became, and whether that is in use.

    Raises:
        UsageError: the file is not there, or the name is taken by other classes.
        DamagedModelError: it is no such file, or not as it was written.
    """
    data = _read_file(path)
    description, head, network = read_exchange(data, name=str(path))
    new = _new_model(description, name)
    with database.read() as session:
        check_classes(session, new.name, [label.label for label in new.labels])
    epochs, trained = _history(description, name=str(path))
    with database.write() as session:
        model_id = add_version(session, new).id
    files = {ArtifactKind.HEAD: head} | ({} if network is None else {ArtifactKind.NETWORK: network})
    artifact_ids = tuple(
        write_artifact(database, model_id, kind, to_bytes(tensors, {})) for kind, tensors in files.items()
    )
    with database.write() as session:
        model = session.get_one(ModelTable, model_id)
        for number in sorted({metrics.number for metrics in epochs}):
            add_epoch(session, model_id, [metrics for metrics in epochs if metrics.number == number])
        make_ready(session, model, replace(trained, artifact_ids=artifact_ids))
        champion = champion_of(session, model.name)
        return model.label, champion is not None and champion.id == model_id


def _read_file(path: Path) -> bytes:
    """Read a whole file, unless its size says already that it is no model of ours."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            # What the first bytes give away is better to know than the size.
            is_foreign = describe_foreign(file.read(NUM_HEAD_BYTES)) is not None
            if size > MAX_NUM_BYTES and not is_foreign:
                raise UsageError(f"{path} has {size:,} bytes; at most {MAX_NUM_BYTES:,} are read. {EXPECTED}")
            file.seek(0)
            return file.read(NUM_HEAD_BYTES if is_foreign else size)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}. Check the path.") from error


def _write(label: str, format_name: str, path: Path) -> None:
    child = subprocess.run(  # noqa: S603 - our own module, and names that were checked
        [sys.executable, "-P", "-m", "workers.exporting", label, format_name, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if child.returncode == ExitCode.DONE:
        return
    message = child.stdout.strip() or f"Writing {label} as {format_name} ended with {child.returncode}."
    raise UsageError(message) if child.returncode == ExitCode.USAGE else SetupError(message)


def _new_model(description: ModelDescription, name: str | None) -> NewModel:
    name = name or description.name
    check_new_name(name)
    labels = tuple(
        ClassLabel(unescape_name(label.label), unescape_name(label.label_id)) for label in description.labels
    )
    return NewModel(name, description.backbone, description.mode, description.resize, labels)


def _history(description: ModelDescription, *, name: str) -> tuple[list[EpochMetrics], TrainedModel]:
    """How the model came to be; its artifacts are still to be written."""
    try:
        epochs = [TypeAdapter(EpochMetrics).validate_python(epoch) for epoch in description.epochs]
        evaluations = tuple(TypeAdapter(NewEvaluation).validate_python(values) for values in description.evaluations)
        record = TrainingRecord.from_json(description.training)
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedModelError(f"{name} has a description that cannot be used: {error}.") from error
    return epochs, TrainedModel((), description.fingerprint, description.temperature, record, evaluations)
