"""`labelyard evaluate`: how good a model is on labelled images."""

from typing import Annotated, Optional

import typer

from core.types import PriorityName, ResizeMode
from orchestrator.cli.train import Classes, ImageColumn, LabelColumn, split_names


def evaluate(
    model: Annotated[str, typer.Argument(help="Any model: NAME, NAME@VERSION, or a published network.")],
    *,
    on: Annotated[
        str,
        typer.Option(
            help="Labelled images, in the forms that `train` takes. Of a folder with train/, val/, test/ the test part "
            "is taken, else the validation part.",
            metavar="DATASET",
        ),
    ],
    resize: Annotated[
        Optional[ResizeMode],
        typer.Option(help="For a published network: crop if not said. A trained model has its own."),
    ] = None,
    classes: Classes = None,
    image_column: ImageColumn = None,
    label_column: LabelColumn = None,
    priority: Annotated[PriorityName, typer.Option(help="Urgent overtakes bulk.")] = PriorityName.BULK,
    allow_http: Annotated[bool, typer.Option("--allow-http", help="Let http(s) URLs be sources.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one machine-readable object.")] = False,
) -> None:
    """Measure a model on labelled images: accuracy, precision, recall, confusion, calibration.

    Classes are matched by name; an ImageNet network may be measured on classes that ImageNet has too.
    """
    from functools import partial

    from orchestrator.cli.context import open_context
    from orchestrator.cli.running import Outputs, exit_with, run
    from orchestrator.evaluating import EvaluateRequest, submit_evaluation
    from orchestrator.training import DatasetRequest

    request = EvaluateRequest(
        model=model,
        dataset=DatasetRequest(
            on,
            classes=split_names(classes),
            image_column=image_column,
            label_column=label_column,
            allow_http=allow_http,
        ),
        resize=resize,
        priority=priority.priority,
    )
    with open_context() as context:
        summary = run(context, partial(submit_evaluation, request=request), Outputs(as_json=as_json))
    exit_with(summary)
