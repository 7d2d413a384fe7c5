"""`labelyard labels …`: what people say that images show."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from core.types import NewClasses
from orchestrator.cli.train import ImageColumn, LabelColumn

if TYPE_CHECKING:
    from core.types import AnnotationOrigin
    from orchestrator.labels.recording import Taking
    from orchestrator.labels.values import ImportReport

app = typer.Typer(help="Keep what people say that images show; import, export, list it.", no_args_is_help=True)

Model = Annotated[
    Optional[str],
    typer.Option(help="Whose labels; the name that its versions share. The only model, if not said.", metavar="NAME"),
]
By = Annotated[Optional[str], typer.Option("--by", help="Who says so; you, if not said.", metavar="WHO")]
ForTest = Annotated[
    Optional[str],
    typer.Option(help="test: the images are for measuring, from now on and for ever.", metavar="test"),
]
Policy = Annotated[NewClasses, typer.Option(help="What becomes of classes that the model does not have.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print machine-readable output.")]


@app.command()
def add(
    image: Annotated[str, typer.Argument(help="A file, or the name of an image that a job has.", metavar="IMAGE")],
    label: Annotated[str, typer.Argument(help="The class that it shows.", metavar="LABEL")],
    *,
    model: Model = None,
    by: By = None,
    split: ForTest = None,
    new_classes: Policy = NewClasses.ASK,
    as_json: AsJson = False,
) -> None:
    """Say what one image shows."""
    from core.types import AnnotationOrigin
    from orchestrator.cli.context import open_context
    from orchestrator.labels.recording import record
    from orchestrator.labels.single import one_label

    taking = _taking(model, by, split, new_classes, AnnotationOrigin.ADDED)
    with open_context() as context:
        report = record(context.database, context.settings, [one_label(image, label, context.settings)], taking)
    _print(report, as_json=as_json)


@app.command("import")
def import_(
    file: Annotated[
        str,
        typer.Argument(
            help="Table with image and label columns (.csv .jsonl .parquet), tasks of Label Studio (.json), or a "
            "folder of class folders.",
            metavar="FILE",
        ),
    ],
    *,
    model: Model = None,
    by: By = None,
    split: ForTest = None,
    new_classes: Policy = NewClasses.ASK,
    image_column: ImageColumn = None,
    label_column: LabelColumn = None,
    allow_http: Annotated[bool, typer.Option("--allow-http", help="Let http(s) URLs be images.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take labels in from a file; all of them, or none if something is wrong."""
    from core.types import AnnotationOrigin
    from orchestrator.cli.context import open_context
    from orchestrator.datasets.manifests import Columns
    from orchestrator.labels.reading import LabelFile
    from orchestrator.labels.recording import record
    from workers.access import Access

    taking = _taking(model, by, split, new_classes, AnnotationOrigin.IMPORTED)
    with open_context() as context:
        labels = LabelFile(file, Columns(image_column, label_column), allow_http).read(Access.of(context.settings))
        report = record(context.database, context.settings, labels, taking)
    _print(report, as_json=as_json)


@app.command()
def export(
    *,
    format_: Annotated[str, typer.Option("--format", help="csv, label-studio or coco.", metavar="FORMAT")] = "csv",
    out: Annotated[Path, typer.Option(help="The file to write.", metavar="FILE")],
    model: Model = None,
    job: Annotated[
        Optional[int],
        typer.Option(help="Label Studio: this job's predictions go along, for people to correct.", metavar="JOB"),
    ] = None,
    config: Annotated[
        Optional[Path], typer.Option(help="Label Studio: write its labelling page too.", metavar="FILE.xml")
    ] = None,
) -> None:
    """Write labels to a file for other programs; CSV and Label Studio's can be imported again."""
    from core.errors import UsageError
    from orchestrator.cli.context import open_context
    from orchestrator.cli.printing import print_line
    from orchestrator.labels.exporting import LabelExport, LabelFormat, export_labels

    if format_ not in list(LabelFormat):
        raise UsageError(f"--format: received {format_!r}. Expected one of {', '.join(LabelFormat)}.")
    with open_context() as context:
        number = export_labels(context.database, LabelExport(LabelFormat(format_), out, model, job, config))
    print_line(f"Wrote {out}: {number:,} {'lines' if format_ == LabelFormat.CSV else 'images'}")
    if config is not None:
        print_line(f"Wrote {config}")


@app.command("list")
def list_all(
    *,
    model: Model = None,
    conflicts: Annotated[bool, typer.Option("--conflicts", help="Only images that people disagree about.")] = False,
    image: Annotated[Optional[str], typer.Option(help="All that was ever said of one image.", metavar="IMAGE")] = None,
    as_json: AsJson = False,
) -> None:
    """List labels: the newest of each person for each image; the last one counts."""
    from orchestrator.cli.context import open_context
    from orchestrator.cli.label_printing import print_labels
    from orchestrator.cli.printing import print_json
    from orchestrator.labels.listing import list_labels
    from orchestrator.labels.single import content_of

    with open_context() as context:
        content = None if image is None else content_of(context.database, context.settings, image)
        with context.database.read() as session:
            found = list_labels(session, model, only_conflicts=conflicts, image=image, content=content)
    if as_json:
        print_json([label.to_json() for label in found])
    else:
        print_labels(found)


def _taking(
    model: str | None, by: str | None, split: str | None, new_classes: NewClasses, origin: "AnnotationOrigin"
) -> "Taking":
    import getpass

    from core.errors import UsageError
    from core.types import Split
    from orchestrator.labels.recording import Taking

    if split not in (None, Split.TEST):
        raise UsageError(f"--split: received {split!r}. Expected test; which images are learned from is decided later.")
    ask = _ask if sys.stdin.isatty() and sys.stderr.isatty() else None
    return Taking(model, by or getpass.getuser(), origin, None if split is None else Split.TEST, new_classes, ask)


def _ask(name: str, nearest: Sequence[str], known: Sequence[str]) -> str | None:
    """Ask a person about a class that the model does not have."""
    choices = ["add", "skip", *known]

    def chosen(answer: str) -> str:
        if answer not in choices:
            # Asked again, so that one slip does not cost all answers before it.
            raise typer.BadParameter(f"Expected one of {', '.join(choices)}.")
        return answer

    hint = f" It is near to {', '.join(nearest)}." if nearest else ""
    answer: str = typer.prompt(
        f"The model has no class {name!r}.{hint} Take it in (add), leave its labels out (skip), or name the class that "
        "is meant",
        default=nearest[0] if nearest else "skip",
        value_proc=chosen,
        err=True,
    )
    return {"add": name, "skip": None}.get(answer, answer)


def _print(report: "ImportReport", *, as_json: bool) -> None:
    from dataclasses import asdict

    from orchestrator.cli.printing import count, print_json, print_line

    if as_json:
        print_json(asdict(report))
        return
    notes = []
    if report.num_known:
        notes.append(f"{report.num_known:,} known already")
    if report.num_skipped:
        notes.append(f"{report.num_skipped:,} skipped: new class {', '.join(map(repr, report.skipped_classes))}")
    remark = f" ({'; '.join(notes)})" if notes else ""
    print_line(f"Took in {count(report.num_added, 'label')} for {report.model!r}{remark}.")
    if report.new_classes:
        print_line(
            f"New: {', '.join(map(repr, report.new_classes))}. The next training has "
            f"{'this class' if len(report.new_classes) == 1 else 'these classes'} too."
        )
