"""`labelyard train`: a classifier of your own."""

from typing import Annotated, Optional

import typer

from core.training import (
    DEFAULT_BACKBONE,
    DEFAULT_MAX_BAD_SHARE,
    DEFAULT_NUM_EPOCHS,
    DEFAULT_PATIENCE,
    DEFAULT_VAL_SHARE,
)
from core.types import Augment, ClassWeights, PriorityName, ResizeMode, TrainMode

Dataset = Annotated[
    str,
    typer.Argument(
        help="Folder of class folders (or of train/, val/, test/), manifest with image and label columns, or "
        "images.npy,labels.npy.",
        metavar="DATASET",
    ),
]
Classes = Annotated[
    Optional[str],
    typer.Option(help="Names for integer labels, in their order, or an order for class folders.", metavar="A,B,C"),
]
ImageColumn = Annotated[Optional[str], typer.Option(help="The manifest's column that names images.", metavar="NAME")]
LabelColumn = Annotated[Optional[str], typer.Option(help="The manifest's column that holds labels.", metavar="NAME")]


def train(
    dataset: Dataset,
    *,
    name: Annotated[str, typer.Option(help="What to call the model; each training makes its next version.")],
    backbone: Annotated[
        str, typer.Option(help="The network; `labelyard backbones` lists them.", metavar="NAME")
    ] = DEFAULT_BACKBONE,
    mode: Annotated[
        TrainMode,
        typer.Option(
            help="head: a new last layer on the published network. finetune: that, then part of the network too. "
            "scratch: all of it, from random weights."
        ),
    ] = TrainMode.HEAD,
    unfreeze: Annotated[
        Optional[str],
        typer.Option(
            help="What finetune trains: the top 30%, LAYER and all above it, or all.", metavar="30%|LAYER|all"
        ),
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many passes.")] = DEFAULT_NUM_EPOCHS,
    val: Annotated[Optional[str], typer.Option(help="Validation images.", metavar="DATASET")] = None,
    val_split: Annotated[
        float, typer.Option(min=0.01, max=0.9, help="Share taken for validation where there are no such images.")
    ] = DEFAULT_VAL_SHARE,
    test: Annotated[Optional[str], typer.Option(help="Images looked at once, at the end.", metavar="DATASET")] = None,
    augment: Annotated[Augment, typer.Option(help="How much training images are varied.")] = Augment.NONE,
    class_weights: Annotated[
        ClassWeights, typer.Option(help="auto: rare classes count as much as frequent ones.")
    ] = ClassWeights.AUTO,
    early_stop: Annotated[
        Optional[int],
        typer.Option(min=0, help="Stop after so many epochs that were no better; 0 never. 5, but 0 from scratch."),
    ] = None,
    learning_rate: Annotated[
        Optional[float], typer.Option(help="Step size; what suits the mode if not given.", metavar="RATE")
    ] = None,
    tune: Annotated[
        bool,
        typer.Option("--tune", help="Search for rate, epochs and augmentation, by the validation images; heads only."),
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same model.")] = 0,
    resize: Annotated[ResizeMode, typer.Option(help="How an image becomes the network's input.")] = ResizeMode.CROP,
    max_bad: Annotated[
        str, typer.Option(help="Share of images that may be unreadable; they are left out.", metavar="5%")
    ] = f"{DEFAULT_MAX_BAD_SHARE:.0%}",
    classes: Classes = None,
    image_column: ImageColumn = None,
    label_column: LabelColumn = None,
    priority: Annotated[PriorityName, typer.Option(help="Urgent overtakes bulk.")] = PriorityName.BULK,
    allow_http: Annotated[bool, typer.Option("--allow-http", help="Let http(s) URLs be sources.")] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Accept the job and return; workers do the rest.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one machine-readable object.")] = False,
) -> None:
    """Train a classifier on your own classes and keep it as the next version of a model.

    The first version of a name is in use at once; `labelyard models promote` takes a later one into use. The same
    command again goes on with a training that was stopped.
    """
    from functools import partial

    from core.training import TrainOptions
    from orchestrator.cli.context import open_context
    from orchestrator.cli.running import Outputs, accept_only, exit_with, run
    from orchestrator.training import DatasetRequest, TrainRequest, submit_training

    request = TrainRequest(
        dataset=DatasetRequest(
            dataset,
            val=val,
            test=test,
            classes=split_names(classes),
            image_column=image_column,
            label_column=label_column,
            allow_http=allow_http,
        ),
        name=name,
        options=TrainOptions(
            backbone=backbone,
            classes=(),
            mode=mode,
            unfreeze=unfreeze,
            num_epochs=epochs,
            val_share=val_split,
            augment=augment,
            class_weights=class_weights,
            patience=DEFAULT_PATIENCE[mode] if early_stop is None else early_stop,
            learning_rate=_positive(learning_rate),
            seed=seed,
            tunes=tune,
            resize=resize,
            max_bad_share=parse_share(max_bad),
        ),
        priority=priority.priority,
    )
    with open_context() as context:
        accept, outputs = partial(submit_training, request=request), Outputs(as_json=as_json)
        summary = accept_only(context, accept, outputs) if no_wait else run(context, accept, outputs)
    exit_with(summary)


def split_names(text: str | None) -> tuple[str, ...] | None:
    """The names in "A,B,C"."""
    return None if text is None else tuple(name.strip() for name in text.split(",") if name.strip())


def parse_share(text: str) -> float:
    """A share from "5%" or "0.05".

    Raises:
        UsageError: it is neither, or not from 0 to 1.
    """
    from core.errors import UsageError

    try:
        share = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        share = -1.0
    if not 0.0 <= share <= 1.0:
        raise UsageError(f"--max-bad: received {text!r}. Expected a share such as 5% or 0.05.")
    return share


def _positive(rate: float | None) -> float | None:
    from math import isfinite

    from core.errors import UsageError

    if rate is not None and not (isfinite(rate) and rate > 0):
        raise UsageError(f"--learning-rate: received {rate}. Expected a number above 0, such as 0.001.")
    return rate
