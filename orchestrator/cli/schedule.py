"""`labelyard schedule …`: train a model again and again, and take what is better into use."""

from typing import Annotated, Optional

import typer

from core.types import CatchUp
from orchestrator.cli.train import Classes, ImageColumn, LabelColumn, split_names
from orchestrator.rules import DEFAULT_PROMOTION_RULE

app = typer.Typer(help="Train models again on a schedule, and promote what is better.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The schedule's name.", metavar="NAME")]
AsJson = Annotated[bool, typer.Option("--json", help="Print machine-readable output.")]


@app.command()
def add(
    *,
    name: Annotated[str, typer.Option(help="What to call the schedule.")],
    model: Annotated[str, typer.Option(help="Which model is trained again; its name, without a version.")],
    cron: Annotated[
        str, typer.Option(help='When: minute, hour, day, month, weekday; "0 3 * * *" is every night at 3.')
    ],
    tz: Annotated[str, typer.Option("--tz", help="The clock that this is by, such as Asia/Seoul.")] = "UTC",
    data: Annotated[
        Optional[str],
        typer.Option(
            help="Labelled images that are looked at anew each time, as `train` takes them.", metavar="DATASET"
        ),
    ] = None,
    when: Annotated[
        Optional[str],
        typer.Option(help='Train only if this holds: "new_labels>=50 or drift>0.2 or age>7d".', metavar="RULE"),
    ] = None,
    promote_if: Annotated[
        str, typer.Option(help="Take the new version into use if this holds on the test images.", metavar="RULE")
    ] = DEFAULT_PROMOTION_RULE,
    catch_up: Annotated[
        CatchUp, typer.Option(help="What becomes of times at which no scheduler was running.")
    ] = CatchUp.LATEST,
    tune: Annotated[bool, typer.Option("--tune", help="Search for better settings each time.")] = False,
    relabel: Annotated[
        Optional[int], typer.Option(help="Label this job's images again after each promotion.", metavar="JOB")
    ] = None,
    classes: Classes = None,
    image_column: ImageColumn = None,
    label_column: LabelColumn = None,
    as_json: AsJson = False,
) -> None:
    """Add a schedule. `labelyard serve` keeps it; `labelyard schedule run` runs it now."""
    from db.clock import read_now
    from db.schedules import get_schedule
    from orchestrator.cli.context import open_context
    from orchestrator.cli.printing import print_json
    from orchestrator.cli.schedule_printing import print_schedule
    from orchestrator.scheduling.history import summarise_schedule
    from orchestrator.scheduling.schedules import ScheduleRequest, make_schedule
    from orchestrator.training import DatasetRequest

    dataset = None
    if data is not None:
        dataset = DatasetRequest(
            data, classes=split_names(classes), image_column=image_column, label_column=label_column
        )
    request = ScheduleRequest(
        name=name,
        model=model,
        cron=cron,
        time_zone=tz,
        condition=when,
        promotion_rule=promote_if,
        dataset=dataset,
        catch_up=catch_up,
        tunes=tune,
        relabel_job_id=relabel,
    )
    with open_context() as opened:
        make_schedule(opened.database, opened.settings, request)
        with opened.database.read() as session:
            summary = summarise_schedule(session, get_schedule(session, name), at_s=read_now(session))
    if as_json:
        print_json(summary.to_json())
    else:
        print_schedule(summary)


@app.command("list")
def list_all(*, as_json: AsJson = False) -> None:
    """List schedules and when they fire next."""
    from db.clock import read_now
    from orchestrator.cli.context import open_context
    from orchestrator.cli.printing import print_json
    from orchestrator.cli.schedule_printing import print_schedules
    from orchestrator.scheduling.history import summarise_schedules

    with open_context() as opened, opened.database.read() as session:
        summaries = summarise_schedules(session, at_s=read_now(session))
    if as_json:
        print_json([summary.to_json() for summary in summaries])
    else:
        print_schedules(summaries)


@app.command()
def show(name: Name, *, as_json: AsJson = False) -> None:
    """Show one schedule."""
    from db.clock import read_now
    from db.schedules import get_schedule
    from orchestrator.cli.context import open_context
    from orchestrator.cli.printing import print_json
    from orchestrator.cli.schedule_printing import print_schedule
    from orchestrator.scheduling.history import summarise_schedule

    with open_context() as opened, opened.database.read() as session:
        summary = summarise_schedule(session, get_schedule(session, name), at_s=read_now(session))
    if as_json:
        print_json(summary.to_json())
    else:
        print_schedule(summary)


@app.command()
def history(
    name: Annotated[
        Optional[str], typer.Argument(help="The schedule's name; the only one, if not said.", metavar="NAME")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show what became of each time: both scores, the rule, and why."""
    from db.schedules import get_schedule, only_schedule
    from orchestrator.cli.context import open_context
    from orchestrator.cli.printing import print_json
    from orchestrator.cli.schedule_printing import print_history
    from orchestrator.scheduling.history import history_of

    with open_context() as opened, opened.database.read() as session:
        schedule = only_schedule(session) if name is None else get_schedule(session, name)
        entries, time_zone = history_of(session, schedule), schedule.time_zone
    if as_json:
        print_json([entry.to_json() for entry in entries])
    else:
        print_history(entries, time_zone=time_zone)


@app.command()
def run(name: Name, *, as_json: AsJson = False) -> None:
    """Run a schedule now, whatever its times, and wait for the decision."""
    from core.exits import ExitCode
    from core.types import RunState
    from orchestrator.cli.context import open_context
    from orchestrator.cli.printing import print_json
    from orchestrator.cli.schedule_printing import print_entry
    from orchestrator.cli.schedule_running import run_now

    with open_context() as opened:
        entry, time_zone = run_now(opened, name, as_json=as_json)
    if as_json:
        print_json(entry.to_json())
    else:
        print_entry(entry, time_zone=time_zone)
    if entry.outcome == RunState.FAILED:
        raise typer.Exit(ExitCode.FAILED)


@app.command()
def disable(name: Name) -> None:
    """Let a schedule fire no more until it is enabled again."""
    _enable(name, is_enabled=False)


@app.command()
def enable(name: Name) -> None:
    """Let a schedule fire again; what was due in between is passed over."""
    _enable(name, is_enabled=True)


@app.command()
def remove(name: Name) -> None:
    """Delete a schedule and its history; models and labels stay."""
    from db.schedules import remove_schedule
    from orchestrator.cli.context import open_context
    from orchestrator.cli.printing import print_line

    with open_context() as opened, opened.database.write() as session:
        remove_schedule(session, name)
    print_line(f"Removed schedule {name}. Its model and all labels are where they were.")


def _enable(name: str, *, is_enabled: bool) -> None:
    from db import schedules
    from db.clock import read_now
    from orchestrator.cli.context import open_context
    from orchestrator.cli.printing import print_line

    with open_context() as opened, opened.database.write() as session:
        changed = schedules.enable(session, name, is_enabled=is_enabled, at_s=read_now(session))
    word = "enabled" if is_enabled else "disabled"
    print_line(f"Schedule {name} is {word}{'' if changed else ' already'}.")
