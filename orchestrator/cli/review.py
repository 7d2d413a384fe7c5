"""`labelyard review …`: what is worth a human look."""

from pathlib import Path
from typing import Annotated, Optional

import typer

from core.types import Strategy

app = typer.Typer(help="Choose images that are worth a human look.", no_args_is_help=True)

Model = Annotated[
    Optional[str],
    typer.Option(help="Which model's; the name that its versions share. The only model, if not said.", metavar="NAME"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print machine-readable output.")]


@app.command("next")
def next_images(
    *,
    model: Model = None,
    job: Annotated[
        Optional[int], typer.Option(help="Whose images; the newest job of that model, if not said.", metavar="JOB")
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=5_000, help="How many images.")] = 20,
    strategy: Annotated[
        Strategy,
        typer.Option(
            help="uncertain: the model hesitates. diverse: unlike what is labelled. mixed: it hesitates, and they are "
            "unlike each other. random."
        ),
    ] = Strategy.MIXED,
    per_class: Annotated[
        Optional[int], typer.Option(min=1, help="At most so many that the model calls the same.", metavar="N")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed chooses the same images.")] = 0,
    out: Annotated[
        Optional[Path],
        typer.Option(help="Write a sheet to correct and to take in by `labels import`.", metavar="FILE.csv"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Hand out the images that are most worth a look; none of them comes twice."""
    from orchestrator.cli.context import open_context
    from orchestrator.cli.printing import print_json
    from orchestrator.cli.review_printing import print_handed_out
    from orchestrator.labels.classes import name_of_model
    from orchestrator.review.handing_out import ReviewRequest, hand_out
    from orchestrator.review.sheets import check_sheet, write_sheet

    if out is not None:
        check_sheet(out)
    with open_context() as context:
        with context.database.read() as session:
            name = name_of_model(session, model)
        images = hand_out(context.database, ReviewRequest(name, job, count, strategy, per_class, seed))
    if out is not None:
        write_sheet(out, images)
    if as_json:
        print_json([image.to_json() for image in images])
    else:
        print_handed_out(images, name, out)


@app.command("list")
def list_open(*, model: Model = None, as_json: AsJson = False) -> None:
    """List images that were handed out and have no label yet."""
    from db.models import label_of
    from orchestrator.cli.context import open_context
    from orchestrator.cli.printing import print_json
    from orchestrator.cli.review_printing import print_open
    from orchestrator.labels.classes import name_of_model
    from orchestrator.review.handing_out import open_reviews

    with open_context() as context, context.database.read() as session:
        found = open_reviews(session, name_of_model(session, model))
        rows = []
        for review in found:
            version = label_of(session, review.model_id) or f"{review.model}@?"
            rows.append((review.name, version, review.job_id, review.shown_at))
    if as_json:
        keys = ("image", "model", "job_id", "shown_at")
        print_json([dict(zip(keys, row, strict=True)) for row in rows])
    else:
        print_open(rows)
