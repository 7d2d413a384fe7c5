"""`labelyard jobs …` and `labelyard export`: look at jobs, steer them, write their results."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from core.types import PriorityName

if TYPE_CHECKING:
    from db.database import Database

app = typer.Typer(
    help="List jobs; show, pause, resume, cancel or retry one; set its priority.", invoke_without_command=True
)

JobId = Annotated[int, typer.Argument(help="The job's number.", metavar="ID")]
JobIds = Annotated[list[int], typer.Argument(help="The job's number; several are separated by spaces.", metavar="ID")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Return at once; running workers do the rest.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print machine-readable output.")]
Strict = Annotated[bool, typer.Option("--strict", help="Exit with 4 if any image has an error.")]
Out = Annotated[
    Optional[Path], typer.Option(help="Write results to this .csv, .jsonl or .parquet file.", metavar="FILE")
]


@app.callback()
def list_jobs(
    context: typer.Context,
    *,
    limit: Annotated[int, typer.Option(min=1, help="How many of the newest jobs to list.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the newest jobs."""
    if context.invoked_subcommand is not None:
        return
    from db.ledger.progress import list_jobs as newest_jobs
    from orchestrator.cli.context import open_context
    from orchestrator.cli.printing import print_jobs, print_json
    from orchestrator.summary import summarise

    with open_context() as opened, opened.database.read() as session:
        summaries = [summarise(session, job.id, with_counts=False) for job in newest_jobs(session, limit=limit)]
    if as_json:
        print_json([summary.to_json() for summary in summaries])
    else:
        print_jobs(summaries)


@app.command()
def show(job: JobId, *, as_json: AsJson = False) -> None:
    """Show one job: how far it is, what went wrong, why it waits."""
    from orchestrator.cli.context import open_context
    from orchestrator.cli.printing import print_job, print_json
    from orchestrator.summary import count_other_labels, summarise
    from orchestrator.waiting import surroundings

    with open_context() as opened, opened.database.read() as session:
        summary = summarise(session, job, around=surroundings(opened.settings, opened.database))
        num_others = count_other_labels(session, job)
    if as_json:
        print_json(summary.to_json())
    else:
        print_job(summary, num_others)


@app.command()
def pause(jobs: JobIds) -> None:
    """Stop handing out a job's chunks; what workers have of it they finish. Costs nothing until it is resumed.

    A training is taken away from its worker, and goes on from its last checkpoint.
    """
    from orchestrator.steering import pause as pause_all

    _steer(lambda database: pause_all(database, jobs))


@app.command()
def resume(
    jobs: JobIds, *, no_wait: NoWait = False, out: Out = None, strict: Strict = False, as_json: AsJson = False
) -> None:
    """Go on with a job that was paused, stopped or failed; finished chunks are not done again."""
    from orchestrator.cli.context import open_context
    from orchestrator.cli.running import Outputs, finish_again
    from orchestrator.steering import resume as resume_one

    outputs = Outputs(out=out, as_json=as_json)
    outputs.check()
    with open_context() as opened:
        finish_again(opened, jobs, outputs, resume_one, no_wait=no_wait, strict=strict)


@app.command()
def cancel(jobs: JobIds) -> None:
    """End a job for good; its workers stop within a batch. Rows that it has written stay."""
    from orchestrator.steering import cancel as cancel_all

    _steer(lambda database: cancel_all(database, jobs))


@app.command()
def retry(
    jobs: JobIds, *, no_wait: NoWait = False, out: Out = None, strict: Strict = False, as_json: AsJson = False
) -> None:
    """Try an ended job's failed images again, and no others; each keeps its error until it has a label."""
    from orchestrator.cli.context import open_context
    from orchestrator.cli.running import Outputs, finish_again
    from orchestrator.steering import retry as retry_one

    outputs = Outputs(out=out, as_json=as_json)
    outputs.check()
    with open_context() as opened:
        finish_again(opened, jobs, outputs, retry_one, no_wait=no_wait, strict=strict)


@app.command("set-priority")
def set_priority(
    jobs: JobIds,
    priority: Annotated[PriorityName, typer.Argument(help="urgent goes before bulk.", metavar="urgent|bulk")],
) -> None:
    """Have a job done sooner or later than others, from the next chunk on that any worker takes."""
    from orchestrator.steering import set_priority as set_all

    _steer(lambda database: set_all(database, jobs, priority.priority))


def _steer(act: Callable[["Database"], list[str]]) -> None:
    """Do something to jobs and print the sentence on each."""
    from orchestrator.cli.context import open_context
    from orchestrator.cli.printing import print_line

    with open_context() as opened:
        for line in act(opened.database):
            print_line(line)


def export(
    job: JobId,
    *,
    out: Annotated[Path, typer.Option(help="The .csv, .jsonl or .parquet file to write.", metavar="FILE")],
    diff: Annotated[
        Optional[int],
        typer.Option(help="Only images of which this earlier job said something else.", metavar="JOB"),
    ] = None,
) -> None:
    """Write a job's results to a file: one line per image, in source order."""
    from db.ledger.progress import progress
    from orchestrator.cli.context import open_context
    from orchestrator.cli.printing import count, print_line
    from orchestrator.exporting import export as write_results

    with open_context() as opened:
        if diff is not None:
            _export_changes(opened.database, job, diff, out)
            return
        num_rows = write_results(opened.database, job, out)
        with opened.database.read() as session:
            num_waiting = num_rows - progress(session, job).num_finished
    print_line(f"Wrote {count(num_rows, 'row')} to {out}")
    if num_waiting:
        print_line(f"The job has not ended: {count(num_waiting, 'row')} of them without label and error.")


def _export_changes(database: "Database", job: int, before: int, out: Path) -> None:
    from orchestrator.cli.printing import count, print_line
    from orchestrator.differing import export_changes

    found = export_changes(database, job, before, out)
    print_line(f"{found.num_changed:,} of {count(found.num_compared, 'image')} changed from job {before} to job {job}")
    for first, second, number in found.most_frequent:
        print_line(f"  {first} -> {second}: {number:,}")
    if found.num_left:
        left = count(found.num_left, "image")
        print_line(f"Not compared: {left} of job {job}, not in job {before} or without a row in one of the two")
    print_line(f"Wrote {out}")
