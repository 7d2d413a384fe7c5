"""What a user calls a model: `NAME`, `NAME@VERSION`, `imagenet:NAME`."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import UnknownModelError, UsageError
from workers.ml.catalog import get_backbone

IMAGENET_PREFIX = "imagenet:"
IMAGENET_VERSION = 1


@dataclass(frozen=True, slots=True)
class ModelName:
    """A model as the ledger knows it."""

    name: str  # "imagenet:mobilenet-0.75"
    version: int
    backbone: str

    def __str__(self) -> str:
        """The way a user types it."""
        return f"{self.name}@{self.version}"


def parse_models(texts: Sequence[str]) -> list[ModelName]:
    """Find the models that a user means, in their order.

    Raises:
        UnknownModelError: one of them is not there.
        UsageError: one of them is named twice.
    """
    models = [parse_model(text) for text in texts]
    for number, model in enumerate(models):
        if model in models[:number]:
            raise UsageError(f"Model {model} is named twice. Expected each once.")
    return models


def parse_model(text: str) -> ModelName:
    """Find the model that a user means.

    Raises:
        UnknownModelError: no backbone has that name, or the version does not exist.
    """
    name, _, version = text.partition("@")
    backbone = get_backbone(name.removeprefix(IMAGENET_PREFIX)).name
    if version not in ("", str(IMAGENET_VERSION)):
        raise UnknownModelError(
            f"Model {name!r} has no version {version!r}. ImageNet models have version {IMAGENET_VERSION} alone."
        )
    return ModelName(f"{IMAGENET_PREFIX}{backbone}", IMAGENET_VERSION, backbone)
