"""What the command line can do, the HTTP API can, too: each command has its route, or a reason to have none."""

import typer
from typer.main import get_command

from core.settings import Settings
from db.database import Database
from orchestrator.api.app import PREFIX, create_app
from orchestrator.api.backend import Backend
from orchestrator.cli.main import app as program
from workers.waking import NullWaker

ROUTES = {
    "label": "POST /jobs",
    "train": "POST /trainings",
    "evaluate": "POST /evaluations",
    "export": "GET /jobs/{job_id}/export",
    "jobs": "GET /jobs",
    "jobs show": "GET /jobs/{job_id}",
    "jobs pause": "POST /jobs/{job_id}/pause",
    "jobs resume": "POST /jobs/{job_id}/resume",
    "jobs cancel": "POST /jobs/{job_id}/cancel",
    "jobs retry": "POST /jobs/{job_id}/retry",
    "jobs set-priority": "PATCH /jobs/{job_id}",
    "models": "GET /models",
    "models show": "GET /models/{name}/versions/{version}",
    "models compare": "GET /comparison",
    "models promote": "POST /models/{name}/versions/{version}/promote",
    "models rollback": "POST /models/{name}/rollback",
    "models export": "GET /models/{name}/versions/{version}/export",
    "models import": "POST /models",
    "models report": "GET /models/{name}/versions/{version}/report",
    "labels add": "POST /labels",
    "labels import": "POST /labels/import",
    "labels export": "GET /labels/export",
    "labels list": "GET /labels",
    "review next": "POST /review/next",
    "review list": "GET /review/open",
    "schedule add": "POST /schedules",
    "schedule list": "GET /schedules",
    "schedule show": "GET /schedules/{name}",
    "schedule history": "GET /schedules/{name}/history",
    "schedule run": "POST /schedules/{name}/run",
    "schedule enable": "POST /schedules/{name}/enable",
    "schedule disable": "POST /schedules/{name}/disable",
    "schedule remove": "DELETE /schedules/{name}",
    "notifications": "GET /notifications",
    "features": "GET /features",
    "features prune": "DELETE /features",
    "workers": "GET /workers",
    "backbones": "GET /backbones",
    "settings": "GET /settings",
    "doctor": "GET /doctor",
    "gc": "POST /gc",
}
REASONS = {
    "up": "starts what answers",
    "serve": "likewise",
    "worker": "starts a process on the machine that it is typed on",
    "demo": "shows what Labelyard is, to those who have just installed it",
    "show": "prints a network's layers, which takes TensorFlow",
    "notifications test": "sends messages to those whom the settings name; for whoever writes the settings",
    "tokens": "whoever may make tokens may do everything, so they are made where the database is",
    "tokens create": "likewise",
    "tokens revoke": "likewise",
    "db upgrade": "works on tables that the API needs",
    "db grants": "likewise",
}


def commands_of(group: typer.core.TyperGroup, prefix: str = "") -> set[str]:
    found = set()
    for name, command in group.commands.items():
        if isinstance(command, typer.core.TyperGroup):
            found |= commands_of(command, f"{prefix}{name} ")
            if command.invoke_without_command:
                found.add(f"{prefix}{name}")
        else:
            found.add(f"{prefix}{name}")
    return found


def test_each_command_has_its_route_or_a_reason_to_have_none() -> None:
    root = get_command(program)
    assert isinstance(root, typer.core.TyperGroup)
    known = set(ROUTES) | set(REASONS)
    assert commands_of(root) - known == set(), "commands that nobody has thought about"
    assert set(ROUTES) - commands_of(root) == set()
    assert set(REASONS) - commands_of(root) == set(), "reasons of commands that are no more"


def test_each_of_these_routes_is_there() -> None:
    app = create_app(Backend(Database("sqlite://"), Settings(), NullWaker(), asks_for_tokens=True))
    there = {
        f"{method.upper()} {path.removeprefix(PREFIX)}"
        for path, operations in app.openapi()["paths"].items()
        for method in operations
    }
    assert set(ROUTES.values()) - there == set()
