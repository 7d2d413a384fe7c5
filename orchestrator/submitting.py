"""Accepting a request: everything that can be wrong with it is found before anything is written."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path

from sqlalchemy.orm import Session

from core.errors import UsageError
from core.jobs import Idempotency, JobRequest, LabelOptions
from core.settings import Settings
from core.types import LabelPrecision, Priority, ResizeMode
from db.database import Database
from db.ledger import accepting, control
from orchestrator.abstaining import thresholds_of
from orchestrator.naming import ModelName, model_id_of, parse_models
from orchestrator.origins import Origins
from orchestrator.sources import SourceSpec
from orchestrator.tracing import traced
from workers.access import Access
from workers.ml.catalog import get_backbone
from workers.ml.weights import ensure_weights


@dataclass(frozen=True, slots=True)
class LabelRequest:
    """What a user asks `label` to do."""

    sources: Sequence[str]  # as typed
    models: Sequence[str]  # as typed; each labels every image, in one pass
    options: LabelOptions = field(default_factory=LabelOptions)
    priority: Priority = Priority.BULK
    name: str | None = None
    column: str | None = None  # of a manifest
    allow_http: bool = False
    resize_is_asked: bool = False  # whether the user said how to resize; a trained model has its own way
    abstain: float | None = None  # wished precision, below which predictions need a human look; None: none do
    idempotency: Idempotency | None = None


@dataclass(frozen=True, slots=True)
class Submitted:
    """A job that is in the ledger."""

    job_id: int
    is_resumed: bool  # it was there already, unfinished


@traced
def submit(database: Database, settings: Settings, request: LabelRequest) -> Submitted:
    """Check a request, then accept it, or find the unfinished job that made the same one.

    Raises:
        UsageError: the sources or the models cannot be meant.
        WeightsError: embedded, and the weights cannot be had.
    """
    with database.read() as session:
        models = parse_models(session, request.models)
    if settings.is_embedded and request.options.precision is LabelPrecision.INT8 and find_spec("nncf") is None:
        raise UsageError("--precision int8 needs NNCF, which is not installed: pip install 'labelyard[int8]'.")
    check_resize(models, request.options.resize if request.resize_is_asked else None)
    specs = Origins(database, Access.of(settings)).resolve(
        request.sources,
        column=request.column,
        allow_http=request.allow_http,
        cwd=Path.cwd(),
    )
    if settings.is_embedded:
        # Elsewhere, the weights are the workers' affair.
        for model in models:
            if model.needs_weights:
                ensure_weights(get_backbone(model.backbone))
    request_hash = _hash(specs, models, request)
    with database.write() as session:
        resumed = resume_same(session, request_hash, request.priority, request.idempotency)
        if resumed is not None:
            return resumed
        model_ids = [model_id_of(session, model) for model in models]
        thresholds = thresholds_of(session, model_ids, request.abstain)
        job_id = accepting.accept(
            session,
            JobRequest(
                name=request.name or _default_name(request.sources),
                model_ids=tuple(model_ids),
                sources=[spec.to_json() for spec in specs],
                request_hash=request_hash,
                options=replace(request.options, thresholds=thresholds),
                priority=request.priority,
                idempotency=request.idempotency,
            ),
        )
    return Submitted(job_id, is_resumed=False)


def resume_same(
    session: Session, request_hash: str, priority: Priority, idempotency: Idempotency | None
) -> Submitted | None:
    """Go on with the unfinished job that made the same request, if there is one.

    Args:
        session: a writing transaction.
        request_hash: what was asked.
        priority: how soon it is to be done from now on.
        idempotency: a request that has a key of its own becomes a job of its own.
    """
    unfinished = None if idempotency is not None else accepting.find_unfinished(session, request_hash)
    if unfinished is None:
        return None
    control.resume(session, unfinished, priority=priority)
    return Submitted(unfinished, is_resumed=True)


def check_resize(models: Sequence[ModelName], asked: ResizeMode | None) -> None:
    """Make sure that models which have their own way to resize are not asked for another.

    Raises:
        UsageError: one is.
    """
    for model in models:
        if asked is not None and model.resize not in (None, asked):
            raise UsageError(
                f"{model} was trained with --resize {model.resize} and labels right only so; received {asked}. "
                "Leave the option out, or train a model with it."
            )


def _default_name(sources: Sequence[str]) -> str:
    others = f" and {len(sources) - 1} more" if len(sources) > 1 else ""
    return f"{sources[0]}{others}"


def _hash(specs: Sequence[SourceSpec], models: Sequence[ModelName], request: LabelRequest) -> str:
    asked = {
        "sources": [spec.to_json() for spec in specs],
        "models": [str(model) for model in models],
        "top_k": request.options.top_k,
        "resize": request.options.resize,
        "precision": request.options.precision,
        "abstain": request.abstain,
    }
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
