"""What those who operate an installation look at: workers, kept features, leftovers, settings, messages."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from core.errors import UsageError
from db.notifications import list_notifications
from orchestrator.api.backend import BackendDependency
from orchestrator.api.callers import Admin, Reader
from orchestrator.api.fields import Body, Name, Number
from orchestrator.backbones import BackboneSummary, list_backbones
from orchestrator.checks import Finding, check_setup
from orchestrator.cleaning import Leftover, Place, Rules, clean, look
from orchestrator.features import FeatureSummary, list_features, prune
from orchestrator.fleet import WorkerStatus, list_fleet
from orchestrator.notifying.listing import NotificationSummary
from orchestrator.settings_report import DescribedSetting, describe_settings

router = APIRouter(tags=["upkeep"])

DAY_S = 86_400


class CleaningRules(Body):
    """What is to be let go."""

    older_than_days: Number = Field(default=30, ge=0, le=100_000)
    max_feature_bytes: int | None = Field(default=None, ge=0, le=10**15)
    dry_run: bool = True


class Cleaned(BaseModel):
    """What went, or would go."""

    is_deleted: bool
    leftovers: list[Leftover]


class Pruned(BaseModel):
    """How many feature vectors went."""

    num_vectors: int


@router.get("/workers")
def list_workers(
    backend: BackendDependency,
    _: Reader,
    *,
    every: Annotated[bool, Query(alias="all", description="Also those that have been gone for long.")] = False,
) -> list[WorkerStatus]:
    """List workers: what each is doing, how fast it is, what it declines and why."""
    return backend.database.query(lambda session: list_fleet(session, all_of_them=every))


@router.get("/backbones")
def list_networks(_: Reader) -> list[BackboneSummary]:
    """List the networks that can be applied or trained."""
    return list_backbones()


@router.get("/features")
def list_kept_features(backend: BackendDependency, _: Reader) -> list[FeatureSummary]:
    """Show what the kept features take, by network."""
    return list_features(backend.database)


@router.delete("/features")
def prune_features(
    backend: BackendDependency,
    _: Admin,
    *,
    network: Annotated[Name | None, Query(description="Of this network alone.")] = None,
    days: Annotated[Number | None, Query(ge=0, le=100_000, description="Only those stored more days ago.")] = None,
    every: Annotated[bool, Query(alias="all", description="All of them.")] = False,
) -> Pruned:
    """Delete kept features. Nothing else is lost: they are computed again when they are wanted."""
    if every == (network is not None or days is not None):
        raise UsageError("Which features? Expected network, days, both, or all=true by itself.")
    return Pruned(num_vectors=prune(backend.database, network=network, days=days))


@router.post("/gc")
def collect_garbage(backend: BackendDependency, _: Admin, body: CleaningRules) -> Cleaned:
    """Delete what is older than some days and not needed any more; by default it only says what would go."""
    rules = Rules(body.older_than_days * DAY_S, body.max_feature_bytes)
    place = Place(backend.database, backend.settings, rules)
    return Cleaned(is_deleted=not body.dry_run, leftovers=look(place) if body.dry_run else clean(place))


@router.get("/notifications")
def list_messages(
    backend: BackendDependency,
    _: Reader,
    limit: Annotated[int, Query(ge=1, le=1000, description="How many at most.")] = 50,
) -> list[NotificationSummary]:
    """List what someone was told, the newest first."""
    return backend.database.query(
        lambda session: [NotificationSummary.of(row) for row in list_notifications(session, limit=limit)]
    )


@router.get("/settings")
def list_settings(backend: BackendDependency, _: Admin) -> list[DescribedSetting]:
    """List settings, their passwords masked, and where each came from."""
    return describe_settings(backend.settings)


@router.get("/doctor")
def check(backend: BackendDependency, _: Admin) -> list[Finding]:
    """Look whether everything is there that work needs, and say how to mend what is not."""
    return list(check_setup(backend.settings))
