"""Asking for a training or an evaluation."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query
from fastapi.responses import Response
from pydantic import BaseModel, Field, ValidationError

from core.errors import LabelyardError
from core.training import DEFAULT_BACKBONE, DEFAULT_NUM_EPOCHS
from core.types import Augment, TrainMode
from orchestrator.api.fields import Name, Source
from orchestrator.api.routes.training import NewTraining
from orchestrator.dashboard.choices import likely_network, trained_names, training_networks
from orchestrator.dashboard.fields import MaybeText, Typed
from orchestrator.dashboard.visits import SubmitterVisit, Visit, go_to
from orchestrator.evaluating import EvaluateRequest, submit_evaluation
from orchestrator.training import DatasetRequest, TrainRequest, submit_training

router = APIRouter()
forms = APIRouter()

_EMPTY: dict[str, Any] = {
    "dataset": "",
    "name": "",
    "backbone": DEFAULT_BACKBONE,
    "mode": TrainMode.HEAD,
    "epochs": DEFAULT_NUM_EPOCHS,
    "augment": Augment.NONE,
    "tune": "",
}


class TrainForm(BaseModel):
    """What is to be learned, from what, how."""

    dataset: Source
    name: Name
    backbone: Name = DEFAULT_BACKBONE
    mode: TrainMode = TrainMode.HEAD
    epochs: int = Field(default=DEFAULT_NUM_EPOCHS, ge=1, le=100_000)
    augment: Augment = Augment.NONE
    tune: bool = False

    def to_request(self) -> TrainRequest:
        """What the API would have made of it; what a form does not ask for is as it is there."""
        return NewTraining.model_construct(**dict(self)).to_request(None)


@router.get("/train")
def show(
    visit: SubmitterVisit,
    *,
    dataset: Annotated[MaybeText, Query(max_length=4096)] = None,
    name: Annotated[MaybeText, Query(max_length=200)] = None,
) -> Response:
    """The form."""
    return _page(
        visit, {"dataset": dataset or "", "name": name or "", "backbone": likely_network() or DEFAULT_BACKBONE}
    )


@forms.post("/train")
def train(visit: SubmitterVisit, form: Typed) -> Response:
    """Have a model trained."""
    try:
        request = TrainForm.model_validate(form).to_request()
        job_id = submit_training(visit.backend.database, visit.backend.settings, request).job_id
    except (LabelyardError, ValidationError) as error:
        return _page(visit, form, problem=describe(error))
    return _accepted(visit, job_id)


@forms.post("/evaluate")
def evaluate(visit: SubmitterVisit, model: Annotated[Name, Form()], dataset: Annotated[Source, Form()]) -> Response:
    """Have a model measured."""
    request = EvaluateRequest(model=model, dataset=DatasetRequest(dataset))
    return _accepted(visit, submit_evaluation(visit.backend.database, visit.backend.settings, request).job_id)


def describe(error: LabelyardError | ValidationError) -> str:
    """What is wrong with a form, for whoever filled it in."""
    if isinstance(error, LabelyardError):
        return str(error)
    return "\n".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}." for each in error.errors())


def _accepted(visit: Visit, job_id: int) -> Response:
    visit.backend.plan(job_id)
    visit.backend.wake()
    return go_to(f"/jobs/{job_id}", done="submitted")


def _page(visit: Visit, form: dict[str, Any], *, problem: str | None = None) -> Response:
    return visit.page(
        "train.html",
        status=HTTPStatus.OK if problem is None else HTTPStatus.UNPROCESSABLE_ENTITY,
        form=_EMPTY | form,
        problem=problem,
        networks=training_networks(),
        names=visit.backend.database.query(trained_names),
    )
