"""`labelyard notifications …`: who was told what, and whether that works."""

from typing import Annotated

import typer

app = typer.Typer(help="List what was told by webhook and mail; try them out.", invoke_without_command=True)

NUM_SHOWN = 20


@app.callback()
def list_all(
    context: typer.Context,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print machine-readable output.")] = False,
) -> None:
    """List the last notifications and what became of each."""
    if context.invoked_subcommand is not None:
        return
    from db.notifications import list_notifications
    from orchestrator.cli.context import open_context
    from orchestrator.cli.notification_printing import print_notifications
    from orchestrator.cli.printing import print_json
    from orchestrator.notifying.listing import NotificationSummary

    with open_context() as opened, opened.database.read() as session:
        rows = list(list_notifications(session, limit=NUM_SHOWN))
    if as_json:
        print_json([NotificationSummary.of(row).to_json() for row in rows])
    else:
        print_notifications(rows)


@app.command()
def test() -> None:
    """Send a message by each channel that is set up, now, and say what came back."""
    import time
    import uuid

    from core.exits import ExitCode
    from orchestrator.cli.context import open_context
    from orchestrator.cli.printing import print_line
    from orchestrator.notifying.channels import Answer, Message, channels_of, sender_of

    with open_context() as opened:
        channels = channels_of(opened.settings)
        if not channels:
            print_line(
                "Nobody is told of anything. Set LABELYARD_WEBHOOK_URL, or LABELYARD_SMTP_URL and LABELYARD_MAIL_TO."
            )
            return
        now_s = time.time()
        # Programs must not take it for a job that has ended.
        message = Message(f"msg_test_{uuid.uuid4().hex}", None, now_s, {"note": "Nothing has happened."})
        has_failed = False
        for channel in channels:
            sender = sender_of(opened.settings, channel)
            outcome = None if sender is None else sender.send(message, at_s=now_s)
            is_delivered = outcome is not None and outcome.answer is Answer.DELIVERED
            has_failed = has_failed or not is_delivered
            print_line(f"{channel}: {'delivered' if is_delivered else outcome.problem if outcome else 'not set up'}")
    if has_failed:
        raise typer.Exit(ExitCode.FAILED)
