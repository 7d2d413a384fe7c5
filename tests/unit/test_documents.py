"""Every command that README.md and docs/ show is one that its program takes.

tests/e2e/test_documented_commands.py and tests/e2e/test_tutorials.py run them. Here commands are parsed, by the parsers
of the programs themselves where they are ours, and not run.
"""

import ast
import importlib.util
import json
import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import typer
import yaml
from celery.bin.celery import celery
from documents import PAGES, ROOT, Block, Command, read_blocks, read_commands

from core.settings import Settings
from db.database import Database
from orchestrator.api.app import create_app
from orchestrator.api.backend import Backend
from orchestrator.cli.main import app
from workers.waking import NullWaker

# Programs of the system: their commands are not checked here. Each has its reason.
ELSEWHERE = {
    "awk": "the system's; tutorials that use it are run",
    "cp": "the system's; tests/e2e/test_backups.py runs it",
    "cut": "the system's; tutorials that use it are run",
    "echo": "the shell's",
    "grep": "the system's; tutorials that use it are run",
    "head": "the system's; tutorials that use it are run",
    "jq": "the system's, for logs",
    "ls": "the system's; tutorials that use it are run",
    "mkdir": "the system's; tests/e2e/test_backups.py runs it",
    "pip": "asks a package index",
    "pg_dump": "PostgreSQL's; tests/e2e/test_backups.py runs it",
    "pg_restore": "PostgreSQL's; tests/e2e/test_backups.py runs it",
    "promtool": "Prometheus'; tests/integration/metrics/test_deployed.py runs it",
    "psql": "PostgreSQL's; tests/e2e/test_documented_commands.py runs it",
    "rm": "the system's; tests/e2e/test_backups.py runs it",
    "sed": "the system's; tests/e2e/test_documented_commands.py runs it",
}
# The base of what typer raises for wrong words and options.
WRONG_USAGE: Any = typer.BadParameter.__base__
BLOCKS = [block for page in PAGES for block in read_blocks(page)]
COMMANDS = [command for block in BLOCKS for command in read_commands(block)]


def do_nothing(**options: object) -> None:
    del options


def without_effect(command: Any) -> Any:
    """A command that is parsed as ever and then does nothing; so are those below it."""
    command.callback = do_nothing
    for below in getattr(command, "commands", {}).values():
        without_effect(below)
    return command


def check_labelyard(command: Command) -> str | None:
    try:
        without_effect(typer.main.get_command(app)).main(list(command.words[1:]), standalone_mode=False)
    except WRONG_USAGE as error:
        return error.format_message()
    return None


def check_make(command: Command) -> str | None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    unknown = [word for word in command.words[1:] if "=" not in word and word not in targets]
    return f"no target {', '.join(unknown)}" if unknown else None


def check_python(command: Command) -> str | None:
    match command.words[1:]:
        case ("-c", code, *_):
            ast.parse(code)
        case ("-m", module, *_):
            ours = ROOT / module.replace(".", "/")
            is_there = (
                ours.is_dir() or ours.with_suffix(".py").is_file() or importlib.util.find_spec(module.split(".")[0])
            )
            return None if is_there else f"no module {module}"
        case (script, *_):
            return None if (ROOT / script).is_file() else f"no file {script}"
    return None


def check_celery(command: Command) -> str | None:
    words = [word for word in command.words[1:] if not word.startswith("-")]
    return None if words[0] in celery.commands or words[0] == "flower" else f"no command {words[0]}"


def check_pytest(command: Command) -> str | None:
    missing = [word for word in command.words[1:] if word.startswith("tests/") and not (ROOT / word).exists()]
    return f"no such tests: {missing}" if missing else None


def check_docker(command: Command) -> str | None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    profiles = {profile for service in compose["services"].values() for profile in service.get("profiles", [])}
    named = set(re.findall(r"--profile[ =](\S+)", " ".join(command.words))) - profiles
    scaled = set(re.findall(r"--scale[ =]([\w-]+)=", " ".join(command.words))) - set(compose["services"])
    if named | scaled:
        return f"no such profile or service: {named | scaled}"
    if command.words[1:3] == ("compose", "exec") and command.words[3] not in compose["services"]:
        return f"no such service: {command.words[3]}"
    return check_in_container(command)


def check_in_container(command: Command) -> str | None:
    if "labelyard" in command.words:
        return check_labelyard(Command(command.words[command.words.index("labelyard") :], command.where))
    return None


def check_kubectl(command: Command) -> str | None:
    if "--" not in command.words:
        return None
    return check_in_container(Command(command.words[command.words.index("--") :], command.where))


def check_curl(command: Command) -> str | None:
    paths = [urlsplit(word).path for word in command.words if "//" in word]
    known = [re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path)) for path in (*described_paths(), "/metrics")]
    unknown = [path for path in paths if not any(re.fullmatch(pattern, path) for pattern in known)]
    return f"no request for {unknown}" if unknown else None


@cache
def described_paths() -> list[str]:
    backend = Backend(Database("sqlite://"), Settings(), NullWaker(), asks_for_tokens=True)
    paths = list(create_app(backend).openapi()["paths"])
    backend.database.close()
    return paths


def check_nothing(command: Command) -> str | None:
    del command


CHECKS = {
    "labelyard": check_labelyard,
    "make": check_make,
    "python": check_python,
    "celery": check_celery,
    "pytest": check_pytest,
    "docker": check_docker,
    "kubectl": check_kubectl,
    "curl": check_curl,
    "export": check_nothing,
    "pre-commit": check_nothing,
} | dict.fromkeys(ELSEWHERE, check_nothing)


def test_there_are_commands_to_check():
    programs = [command.program for command in COMMANDS]
    assert programs.count("labelyard") > 80
    assert programs.count("make") > 10


def test_no_program_is_excused_that_no_document_uses():
    assert sorted(set(ELSEWHERE) - {command.program for command in COMMANDS}) == []


@pytest.mark.parametrize("program", sorted({command.program for command in COMMANDS}))
def test_every_command_that_is_shown_can_be_given(program):
    assert program in CHECKS, f"say in CHECKS how `{program}` is checked, or in ELSEWHERE why it is not"
    problems = {
        f"{command.where}: {' '.join(command.words)}": CHECKS[program](command)
        for command in COMMANDS
        if command.program == program
    }
    assert {command: problem for command, problem in problems.items() if problem} == {}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("labelyard lable PHOTOS", "No such command 'lable'"),
        ("labelyard label PHOTOS --modell x", "No such option: --modell"),
        ("labelyard jobs pause", "Missing argument"),
        ("labelyard jobs show three", "should be a valid integer"),
        ("labelyard label PHOTOS --top-k 0 > labels.csv", "greater than or equal to 1"),
        ("make tests", "no target tests"),
        ("python -m benchmark.none", "no module"),
        ("python benchmarks/none.py", "no file"),
        ("celery flowers", "no command flowers"),
        ("docker compose exec orchestra labelyard jobs", "no such service: orchestra"),
        ("docker compose exec orchestrator labelyard jbos", "No such command 'jbos'"),
        ("kubectl -n labelyard exec deploy/orchestrator -- labelyard tokens maek ada", "No such command 'maek'"),
        ("curl -X POST 'http://127.0.0.1:8600/api/v1/job?limit=1'", "no request for ['/api/v1/job']"),
        (".venv/bin/pytest tests/none", "no such tests"),
    ],
)
def test_a_command_that_cannot_be_given_is_found(line, problem):
    (command,) = read_commands(Block(ROOT / "README.md", 1, "", f"{line}\n", ""))
    assert problem in str(CHECKS[command.program](command))


def test_only_what_stands_between_pipes_and_redirections_is_a_command():
    block = Block(
        ROOT / "README.md", 1, "", 'A=b labelyard db grants \\\n  --worker w | psql "$URL" > out  # text\nDone.\n', ""
    )
    assert [command.words for command in read_commands(block)] == [
        ("labelyard", "db", "grants", "--worker", "w"),
        ("psql", "$URL"),
    ]


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "python"], ids=lambda b: b.page.name)
def test_python_that_is_shown_is_python(block):
    ast.parse(block.text)


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "json"], ids=lambda b: b.page.name)
def test_json_that_is_shown_is_json(block):
    json.loads(block.text)


def test_files_that_messages_and_comments_point_to_are_there():
    sources = [
        path for folder in ("core", "db", "workers", "orchestrator", "tests") for path in (ROOT / folder).rglob("*.py")
    ]
    named = {
        (path.relative_to(ROOT), name)
        for path in sources
        for name in re.findall(r"\bdocs/[\w/-]+\.md\b", path.read_text(encoding="utf-8"))
    }
    assert len(named) > 5
    assert [pair for pair in named if not Path(ROOT, pair[1]).is_file()] == []
