"""`labelyard label`: the main job."""

from pathlib import Path
from typing import Annotated, Optional

import typer

from core.jobs import DEFAULT_MODEL
from core.types import LabelPrecision, PriorityName, ResizeMode


def label(
    source: Annotated[
        list[str],
        typer.Argument(
            help="Image, folder, glob, manifest (.txt .csv .jsonl .parquet), .npy array, tar of images, a URL of "
            "these (s3, gs, az; http with --allow-http), or job:3, the images of job 3 again."
        ),
    ],
    *,
    model: Annotated[
        Optional[list[str]],
        typer.Option(
            help=f"Model to apply: NAME or NAME@VERSION; {DEFAULT_MODEL} if none is given. Given again, each labels "
            "every image, in one pass.",
            metavar="NAME[@VERSION]",
        ),
    ] = None,
    top_k: Annotated[int, typer.Option(min=1, max=1000, help="How many of the best classes to keep.")] = 5,
    resize: Annotated[
        Optional[ResizeMode],
        typer.Option(help="How an image becomes the network's input: crop if not said. A trained model has its own."),
    ] = None,
    priority: Annotated[
        PriorityName, typer.Option(help="Urgent overtakes bulk at the next chunk.")
    ] = PriorityName.BULK,
    chunk_size: Annotated[int, typer.Option(min=1, max=100_000, help="Images that a worker claims at a time.")] = 256,
    out: Annotated[
        Optional[Path], typer.Option(help="Write results to this .csv, .jsonl or .parquet file.", metavar="FILE")
    ] = None,
    figure: Annotated[
        Optional[Path],
        typer.Option(
            help="Draw up to 36 images with what the first model says of them.",
            metavar="FILE.png",
        ),
    ] = None,
    column: Annotated[Optional[str], typer.Option(help="The manifest's column that names images.")] = None,
    job_name: Annotated[Optional[str], typer.Option(help="What to call the job.", metavar="TEXT")] = None,
    allow_http: Annotated[bool, typer.Option("--allow-http", help="Let http(s) URLs be sources.")] = False,
    precision: Annotated[
        LabelPrecision,
        typer.Option(help="int8 is faster on processors, and refused where it changes more than 1% of the labels."),
    ] = LabelPrecision.FULL,
    force_int8: Annotated[bool, typer.Option("--force-int8", help="Take int8 whatever it changes.")] = False,
    abstain: Annotated[
        Optional[float],
        typer.Option(
            help="Mark predictions of your own models that need a look, so that this share of the others is right.",
            metavar="0.95",
        ),
    ] = None,
    no_features: Annotated[
        bool, typer.Option("--no-features", help="Neither look for kept features of the images nor keep them.")
    ] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Accept the job and return; workers do the rest.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 4 if any image has an error.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one machine-readable object.")] = False,
) -> None:
    """Label images in bulk.

    Every image ends with exactly one row: a prediction, or an error with its reason. The same command again goes on
    with a job that was stopped.
    """
    from functools import partial

    from core.jobs import LabelOptions
    from orchestrator.cli.context import open_context
    from orchestrator.cli.running import Outputs, accept_only, exit_with, run
    from orchestrator.submitting import LabelRequest, submit

    request = LabelRequest(
        sources=source,
        models=model or [DEFAULT_MODEL],
        options=LabelOptions(
            top_k=top_k,
            resize=resize or ResizeMode.CROP,
            chunk_size=chunk_size,
            keep_features=not no_features,
            precision=precision,
            force_int8=force_int8,
        ),
        priority=priority.priority,
        name=job_name,
        column=column,
        allow_http=allow_http,
        resize_is_asked=resize is not None,
        abstain=abstain,
    )
    outputs = Outputs(out=out, figure=figure, as_json=as_json)
    outputs.check()
    with open_context() as context:
        accept = partial(submit, request=request)
        summary = accept_only(context, accept, outputs) if no_wait else run(context, accept, outputs)
    exit_with(summary, strict=strict)
