"""`python -m workers.exporting MODEL FORMAT FILE`: writes a trained model to a file.

A process of its own, because it needs TensorFlow, which the orchestrator never imports. Ends with 0, or with an exit
code of `core.exits` and one sentence on standard output.
"""

import json
import sys
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path

from core.errors import LabelyardError, SetupError
from core.exits import ExitCode
from core.items import escape_name
from core.settings import Settings
from core.types import ArtifactKind, TrainMode
from db.database import Database
from db.model_tables import ModelTable
from db.models import find_model
from db.results import class_labels
from db.trainings import epochs_of, evaluations_of
from workers.ml.exports.exchange_file import ClassDescription, ModelDescription, write_exchange
from workers.streams import redirect_native_output
from workers.trained import head_tensors, load_whole_parts, read_head, read_tensors


class ExportFormat(StrEnum):
    """What a model can be written as."""

    KERAS = "keras"
    ONNX = "onnx"
    SAFETENSORS = "safetensors"


def main(arguments: list[str]) -> int:
    """Write one model."""
    label, format_name, path = arguments
    report = redirect_native_output()
    settings = Settings()
    database = Database.of(settings)
    try:
        export(database, label, ExportFormat(format_name), Path(path))
    except LabelyardError as error:
        report.write(f"{error}\n")
        report.flush()
        return ExitCode.SETUP if isinstance(error, SetupError) else ExitCode.USAGE
    finally:
        database.close()
    return ExitCode.DONE


def export(database: Database, label: str, export_format: ExportFormat, path: Path) -> None:
    """Write a model that is ready.

    Args:
        database: where it is.
        label: "parts@2".
        export_format: what to write.
        path: the file; replaced if it is there.

    Raises:
        DamagedModelError: what is stored of the model is damaged.
        SetupError: published weights or a library that it needs are missing.
    """
    name, _, version = label.partition("@")
    with database.read() as session:
        model = find_model(session, name, int(version))
    if model is None:
        raise SetupError(f"There is no model {label}.")
    if export_format is ExportFormat.SAFETENSORS:
        path.write_bytes(_exchange_file(database, model))
        return
    # TensorFlow comes with these.
    from workers.ml.exports.keras_file import write_keras  # noqa: PLC0415
    from workers.ml.exports.onnx_file import write_onnx  # noqa: PLC0415
    from workers.ml.exports.whole import build_whole  # noqa: PLC0415

    backbone, head = load_whole_parts(model, database)
    whole = build_whole(backbone, head, name=f"{name}_{version}".replace(".", "_"))
    write = write_keras if export_format is ExportFormat.KERAS else write_onnx
    write(path, whole, _metadata(model, [label.label for label in head.labels]))


def _metadata(model: ModelTable, labels: list[str]) -> dict[str, str]:
    """What a user of the file has to know, as JSON texts."""
    facts = {
        "model": model.label,
        "backbone": model.backbone,
        "labels": labels,
        "resize": model.resize,
        "colour_order": "RGB",
        "pixel_range": [0, 255],
    }
    return {name: json.dumps(fact) for name, fact in facts.items()}


def _exchange_file(database: Database, model: ModelTable) -> bytes:
    with database.read() as session:
        labels = [label for _, label in sorted(class_labels(session, model.id).items())]
        evaluations = [
            {
                "dataset": row.dataset,
                "split": row.split,
                "num_images": row.num_images,
                "accuracy": row.accuracy,
                "metrics": row.metrics,
            }
            for row in evaluations_of(session, model.id)
        ]
        epochs = epochs_of(session, model.id)
    description = ModelDescription(
        name=model.name,
        version=model.version,
        backbone=model.backbone,
        mode=model.mode,
        resize=model.resize,
        labels=[
            ClassDescription(label=escape_name(label.label), label_id=escape_name(label.label_id)) for label in labels
        ],
        temperature=model.temperature,
        fingerprint=model.fingerprint,
        training=model.training,
        evaluations=evaluations,
        epochs=[asdict(epoch) for epoch in epochs],
    )
    network = None if model.mode is TrainMode.HEAD else read_tensors(database, model, ArtifactKind.NETWORK)
    return write_exchange(description, head_tensors(read_head(database, model)), network)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
