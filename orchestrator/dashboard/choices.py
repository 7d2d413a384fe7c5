"""What forms offer: models to label with, networks to train on."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.types import JobKind, JobState
from db.ledger.progress import list_jobs, models_of
from db.model_tables import ModelTable
from db.models import list_models
from db.tables import JobModelTable, JobTable
from orchestrator.backbones import BackboneSummary, list_backbones

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


def likely_model(session: Session, options: Options) -> str:
    """What to label with unless somebody says otherwise: what was used last, then a published network that is here."""
    offered = {value for value, _ in options}
    for job in list_jobs(session, limit=1, kind=JobKind.LABEL):
        for model in models_of(session, job.id):
            for name in (model.name, model.name.removeprefix("imagenet:")):
                if name in offered:
                    return name
    here = [one.name for one in list_backbones() if one.is_published and one.is_cached]
    return here[0] if here else options[0][0]


def training_networks() -> Options:
    """What may be trained on; those come first that need nothing from elsewhere."""
    networks = sorted(
        list_backbones(), key=lambda one: (not one.is_published, one.is_published and not one.is_cached, one.name)
    )
    return [(one.name, f"{one.name}{_remark(one)}") for one in networks]


def likely_network() -> str | None:
    """A published network whose weights are here; None: there is none."""
    here = [one.name for one in list_backbones() if one.is_published and one.is_cached]
    return "mobilenet" if "mobilenet" in here else next(iter(here), None)


def _remark(network: BackboneSummary) -> str:
    if not network.is_published:
        return " (mode scratch)"
    return "" if network.is_cached else " (weights not on this machine)"


def recent_jobs(session: Session, name: str, limit: int) -> list[tuple[int, str]]:
    """Jobs that versions of a model have labelled, the newest first: number and name."""
    rows = session.execute(
        select(JobTable.id, JobTable.name)
        .join(JobModelTable, JobModelTable.job_id == JobTable.id)
        .join(ModelTable, ModelTable.id == JobModelTable.model_id)
        .where(ModelTable.name == name, JobTable.kind == JobKind.LABEL, JobTable.state == JobState.DONE)
        .order_by(JobTable.id.desc())
        .distinct()
        .limit(limit)
    )
    return [(number, text) for number, text in rows]
