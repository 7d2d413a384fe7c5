"""`labelyard jobs …` and `labelyard export`: look at jobs, resume, cancel or retry them, write their results."""

from pathlib import Path
from typing import Annotated, Optional

import typer

app = typer.Typer(help="List jobs; show, resume, cancel or retry one.", invoke_without_command=True)

JobId = Annotated[int, typer.Argument(help="The job's number.", metavar="ID")]
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
    from orchestrator.summary import summarise

    with open_context() as opened, opened.database.read() as session:
        summary = summarise(session, job)
    if as_json:
        print_json(summary.to_json())
    else:
        print_job(summary)


@app.command()
def resume(job: JobId, *, out: Out = None, strict: Strict = False, as_json: AsJson = False) -> None:
    """Go on with a job that was stopped; finished chunks are not done again."""
    from db.ledger import control
    from orchestrator.cli.context import open_context
    from orchestrator.cli.running import Outputs, exit_with, finish

    outputs = Outputs(out=out, as_json=as_json)
    outputs.check()
    with open_context() as opened:
        with opened.database.write() as session:
            control.resume(session, job)
        summary = finish(opened, job, outputs)
    exit_with(summary, strict=strict)


@app.command()
def cancel(job: JobId) -> None:
    """End a job for good; its workers stop at their next batch. Rows that it has written stay."""
    from db.ledger import control
    from orchestrator.cli.context import open_context
    from orchestrator.cli.printing import print_line

    with open_context() as opened, opened.database.write() as session:
        control.cancel(session, job)
    print_line(f"Job {job} is cancelled.")


@app.command()
def retry(job: JobId, *, out: Out = None, strict: Strict = False, as_json: AsJson = False) -> None:
    """Try a finished job's failed images again, and no others."""
    from core.jobs import DEFAULT_CHUNK_SIZE
    from db.ledger import control
    from orchestrator.cli.context import open_context
    from orchestrator.cli.running import Outputs, exit_with, finish

    outputs = Outputs(out=out, as_json=as_json)
    outputs.check()
    with open_context() as opened:
        with opened.database.write() as session:
            options = control.get_job(session, job).options
            control.retry_errors(session, job, chunk_size=options.get("chunk_size", DEFAULT_CHUNK_SIZE))
        summary = finish(opened, job, outputs)
    exit_with(summary, strict=strict)


def export(
    job: JobId,
    *,
    out: Annotated[Path, typer.Option(help="The .csv, .jsonl or .parquet file to write.", metavar="FILE")],
) -> None:
    """Write a job's results to a file: one line per image, in source order."""
    from db.ledger.progress import progress
    from orchestrator.cli.context import open_context
    from orchestrator.cli.printing import count, print_line
    from orchestrator.exporting import export as write_results

    with open_context() as opened:
        num_rows = write_results(opened.database, job, out)
        with opened.database.read() as session:
            num_waiting = num_rows - progress(session, job).num_finished
    print_line(f"Wrote {count(num_rows, 'row')} to {out}")
    if num_waiting:
        print_line(f"The job has not ended: {count(num_waiting, 'row')} of them without label and error.")
