"""What forms offer: models to label with, networks to train on."""

from sqlalchemy.orm import Session

from db.models import list_models
from orchestrator.backbones import list_backbones

Options = list[tuple[str, str]]  # what is sent, what people read


def trained_names(session: Session) -> list[str]:
    """Names of which a version is ready."""
    return sorted({model.name for model in list_models(session) if model.ready_at is not None})


def labelling_models(session: Session) -> Options:
    """What images may be labelled by: one's own models first, then networks whose weights are here, then the others."""
    own = [(name, f"{name} (yours)") for name in trained_names(session)]
    published = [backbone for backbone in list_backbones() if backbone.is_published]
    here = [(one.name, f"{one.name} (ImageNet)") for one in published if one.is_cached]
    elsewhere = [(one.name, f"{one.name} (ImageNet, to be downloaded)") for one in published if not one.is_cached]
    return own + here + elsewhere


def training_networks() -> Options:
    """What may be trained on."""
    networks = sorted(list_backbones(), key=lambda one: (one.is_published and not one.is_cached, one.name))
    return [(one.name, one.name if one.is_published else f"{one.name} (mode scratch)") for one in networks]
