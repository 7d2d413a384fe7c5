"""What a user calls a model: `NAME`, `NAME@VERSION`, `imagenet:NAME`.

A name that was trained here comes first; else it is a published network's. The bare name of a trained model means its
champion.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from sqlalchemy.orm import Session

from core.errors import UnknownModelError, UsageError
from core.types import ResizeMode, TrainMode
from db.model_tables import ModelTable
from db.models import ensure_model, find_model, list_models
from db.promotions import champion_of
from workers.ml.catalog import BACKBONES, MIN_LIKENESS, get_published_backbone

IMAGENET_PREFIX = "imagenet:"
IMAGENET_VERSION = 1

_VALID_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class ModelName:
    """A model as the ledger knows it."""

    name: str  # "parts", or "imagenet:mobilenet-0.75"
    version: int
    backbone: str
    resize: ResizeMode | None = None  # its own; None: each job decides
    needs_weights: bool = True  # whether a worker needs published weights for it

    def __str__(self) -> str:
        """The way a user types it."""
        return f"{self.name}@{self.version}"

    @property
    def is_published(self) -> bool:
        """Whether it follows from the program alone."""
        return self.name.startswith(IMAGENET_PREFIX)


def parse_models(session: Session, texts: Sequence[str]) -> list[ModelName]:
    """Find the models that a user means, in their order.

    Raises:
        UnknownModelError: one of them is not there.
        UsageError: one of them is named twice, or is not trained yet.
    """
    models = [parse_model(session, text) for text in texts]
    for number, model in enumerate(models):
        if model in models[:number]:
            raise UsageError(f"Model {model} is named twice. Expected each once.")
    return models


def parse_model(session: Session, text: str) -> ModelName:
    """Find the model that a user means.

    Raises:
        UnknownModelError: there is none of that name or version.
        UsageError: it is not trained yet.
    """
    if is_trained_name(session, text):
        return _trained(session, text)
    name, _, version = text.partition("@")
    try:
        backbone = get_published_backbone(name.removeprefix(IMAGENET_PREFIX)).name
    except UnknownModelError as error:
        raise UnknownModelError(_describe_unknown(session, name, error)) from None
    if version not in ("", str(IMAGENET_VERSION)):
        raise UnknownModelError(
            f"Model {name!r} has no version {version!r}. ImageNet models have version {IMAGENET_VERSION} alone."
        )
    return ModelName(f"{IMAGENET_PREFIX}{backbone}", IMAGENET_VERSION, backbone)


def is_trained_name(session: Session, text: str) -> bool:
    """Whether a user means a model that was trained here."""
    return bool(list_models(session, name=text.partition("@")[0]))


def find_trained(session: Session, text: str) -> ModelTable:
    """The version that a user means of a model that was trained here: the named one, else the champion.

    Raises:
        UnknownModelError: there is none.
        UsageError: no version of that name has come to an end yet.
    """
    name, at, version = text.partition("@")
    versions = list_models(session, name=name)
    if not versions:
        raise UnknownModelError(_no_trained_model(session, name))
    if not at:
        champion = champion_of(session, name)
        if champion is None:
            raise UsageError(f"No version of {name!r} has been trained to its end. `labelyard models` lists them.")
        return champion
    found = find_model(session, name, int(version)) if version.isdecimal() else None
    if found is None:
        there_are = ", ".join(str(model.version) for model in reversed(versions))
        raise UnknownModelError(f"Model {name!r} has no version {version!r}. It has {there_are}.")
    return found


def model_id_of(session: Session, model: ModelName) -> int:
    """The id of a model that was parsed; a published one gets its row now."""
    found = find_model(session, model.name, model.version)
    if found is not None:
        return found.id
    return ensure_model(session, name=model.name, version=model.version, backbone=model.backbone)


def check_name(name: str, *, of: str) -> None:
    """Make sure that something may have this name, so that it can be typed, stored and shown anywhere.

    Args:
        name: the name.
        of: what is to be called so: `model`.

    Raises:
        UsageError: it may not.
    """
    if not _VALID_NAME.fullmatch(name):
        raise UsageError(
            f"A {of} cannot be called {name!r}. Expected up to 100 letters, digits, dots, hyphens and underscores, "
            "a letter or digit first."
        )


def check_new_name(name: str) -> None:
    """Make sure that a model may have this name.

    Raises:
        UsageError: it may not; the message says why.
    """
    check_name(name, of="model")
    if name in BACKBONES:
        raise UsageError(f"{name!r} is the name of a backbone. Give your model a name of its own.")


def _trained(session: Session, text: str) -> ModelName:
    model = find_trained(session, text)
    if model.ready_at is None:
        raise UsageError(
            f"{model.label} has not been trained to its end. `labelyard jobs show {model.job_id}` says more."
        )
    # A network trained from scratch holds nothing that was published.
    return ModelName(
        model.name, model.version, model.backbone, model.resize, needs_weights=model.mode is not TrainMode.SCRATCH
    )


def _describe_unknown(session: Session, name: str, error: UnknownModelError) -> str:
    names = sorted({model.name for model in list_models(session)})
    nearest = get_close_matches(name, names, n=1, cutoff=MIN_LIKENESS)
    suggestion = f" Nearest: {nearest[0]}." if nearest else ""
    here = f"No model called {name!r} was trained here.{suggestion} `labelyard models` lists them."
    # Whoever mistypes a name reads the first that is offered.
    likeliest = get_close_matches(name.lower(), [*names, *BACKBONES], n=1, cutoff=MIN_LIKENESS)
    is_backbone = bool(likeliest) and likeliest[0] in BACKBONES
    return f"{error} {here}" if is_backbone else f"{here} {error}"


def _no_trained_model(session: Session, name: str) -> str:
    names = sorted({model.name for model in list_models(session)})
    known = f"There are: {', '.join(names)}." if names else "There are none yet; `labelyard train` makes them."
    return f"No model called {name!r} was trained here. {known}"
