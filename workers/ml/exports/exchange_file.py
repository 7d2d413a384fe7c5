"""Labelyard's own model files: numbers and a checked description, which another Labelyard imports.

Such a file may come from anywhere. It is safetensors, which cannot run anything; the description is checked field by
field, the numbers by their sha256 and their shapes.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.errors import DamagedModelError
from core.types import ResizeMode, TrainMode
from workers.ml.catalog import get_backbone
from workers.ml.exports.foreign import NUM_HEAD_BYTES, describe_foreign
from workers.ml.tensors import check_finite, check_shapes, from_bytes, to_bytes

FORMAT_VERSION = 1
EXPECTED = (
    "Expected what `labelyard models export --format safetensors` writes: export the model with it where it is, or "
    "train it here."
)
_DESCRIPTION, _SHA256 = "labelyard", "sha256"
_HEAD, _NETWORK = "head/", "network/"


class ClassDescription(BaseModel):
    """One class."""

    model_config = ConfigDict(extra="forbid")

    label: str
    label_id: str


class ModelDescription(BaseModel):
    """What a file says of its model."""

    model_config = ConfigDict(extra="forbid")

    format_version: int = Field(default=FORMAT_VERSION, ge=1, le=FORMAT_VERSION)
    name: str
    version: int
    backbone: str
    mode: TrainMode
    resize: ResizeMode
    labels: list[ClassDescription] = Field(min_length=2)
    temperature: float = Field(gt=0, allow_inf_nan=False)
    fingerprint: str
    training: dict[str, Any]  # core.training.TrainingRecord
    evaluations: list[dict[str, Any]]  # db.trainings.NewEvaluation
    epochs: list[dict[str, Any]]  # core.training.EpochMetrics


def write_exchange(
    description: ModelDescription, head: Mapping[str, np.ndarray], network: Mapping[str, np.ndarray] | None
) -> bytes:
    """Make a file.

    Args:
        description: what the model is.
        head: its tensors by name.
        network: the variables of a network of its own; None: it shares the published one.
    """
    tensors = {f"{_HEAD}{name}": tensor for name, tensor in head.items()}
    tensors |= {f"{_NETWORK}{name}": tensor for name, tensor in (network or {}).items()}
    return to_bytes(tensors, {_DESCRIPTION: description.model_dump_json(), _SHA256: _digest(tensors)})


def read_exchange(
    data: bytes, *, name: str
) -> tuple[ModelDescription, dict[str, np.ndarray], dict[str, np.ndarray] | None]:
    """Read and check a file.

    Args:
        data: the file.
        name: what it is called, for the message.

    Returns:
        The description, the head's tensors, and those of a network of its own.

    Raises:
        DamagedModelError: it is no such file, or not as it was written.
        UnknownModelError: this version of Labelyard does not know its backbone.
    """
    kind = describe_foreign(data[:NUM_HEAD_BYTES])
    if kind is not None:
        raise DamagedModelError(
            f"{name} is {kind}. Such files can run code when they are loaded, and are never opened here. {EXPECTED}"
        )
    tensors, metadata = from_bytes(data, name=name)
    if _DESCRIPTION not in metadata:
        raise DamagedModelError(
            f"{name} is a safetensors file, but none of Labelyard's: it has no description. {EXPECTED}"
        )
    try:
        description = ModelDescription.model_validate_json(metadata[_DESCRIPTION])
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"]))
        raise DamagedModelError(f"{name} has a description that cannot be used: {where}: {problem['msg']}.") from error
    if metadata.get(_SHA256) != _digest(tensors):
        raise DamagedModelError(f"{name} is damaged: its numbers do not have the sha256 that it names. Copy it again.")
    strange = [key for key in tensors if not key.startswith((_HEAD, _NETWORK))]
    if strange:
        raise DamagedModelError(f"{name} holds {strange[0]!r}, which belongs to no part of a model. {EXPECTED}")
    check_finite(tensors, name=name)
    head, network = _part(tensors, _HEAD), _part(tensors, _NETWORK)
    num_features, num_classes = get_backbone(description.backbone).feature_size, len(description.labels)
    expected = {"weights": ((num_features, num_classes), "float32"), "bias": ((num_classes,), "float32")}
    check_shapes(head, expected, name=f"The head in {name}")
    if bool(network) is (description.mode is TrainMode.HEAD) and description.mode is not TrainMode.FINETUNE:
        raise DamagedModelError(f"{name} is of mode {description.mode}, which does not fit the numbers that it holds.")
    return description, head, None if description.mode is TrainMode.HEAD else network


def _part(tensors: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}


def _digest(tensors: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(tensors[name]).tobytes())
    return digest.hexdigest()
