"""Whoever gives the commands of README.md and docs/, in their order, gets no error.

tests/documented.py says what the commands need. What tutorials print is looked at in tests/e2e/test_tutorials.py.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from collector import collecting
from documented import (
    FOLLOWED_BY,
    LINES_NOT_RUN,
    NOT_RUN,
    PARTS,
    PLACEHOLDERS,
    S3,
    TRAINING,
    Part,
    draw_pictures,
    is_left_out,
    program_of,
)
from documents import PAGES, ROOT, read_blocks, read_lines
from listeners import mail_server, webhook_receiver
from servers import find_postgres, plain_url
from state_folder import program_environment
from tutorials import INSTEAD, Reader, environment

# A line that is not run because it takes long has to take longer than this.
LONG_S = 3

MakeReader = Callable[..., Reader]


@pytest.fixture(scope="session")
def make_reader(keras_home: Path, engines: Path) -> MakeReader:
    """Makes somebody at a terminal in a checkout, with pictures; curl and psql fail where servers say so."""

    def make(folder: Path) -> Reader:
        draw_pictures(folder)
        (folder / ".venv").symlink_to(sys.prefix)
        for name in ("benchmarks", "deploy", "tests"):
            (folder / name).symlink_to(ROOT / name)
        (folder / ".curlrc").write_text("fail-with-body\nsilent\nshow-error\n")
        (folder / ".psqlrc").write_text("\\set ON_ERROR_STOP on\n")
        program_environment(folder / "state", engines=engines, keras_home=keras_home)
        env = environment(keras_home) | {"LABELYARD_HOME": str(folder / "state")}
        return Reader(folder, env | {"CURL_HOME": str(folder), "PSQLRC": str(folder / ".psqlrc")})

    return make


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, make_reader: MakeReader) -> Path:
    """The state folder of somebody who has trained models, with which most pages begin."""
    reader = make_reader(tmp_path_factory.mktemp("trained"))
    for line in TRAINING:
        reader.give(line, "before")
    return reader.folder / "state"


@pytest.fixture
def outside() -> Iterator[dict[str, str]]:
    """What pages send to, by its placeholder: a webhook's receiver, a mail server, a collector of traces."""
    with webhook_receiver() as hook, mail_server() as mail, collecting() as collector:
        address = collector.url.removeprefix("http://")
        yield {"webhook": hook.url, "mail": f"smtp://127.0.0.1:{mail.port}", "collector": address}


@pytest.fixture
def reader_of(
    make_reader: MakeReader, tmp_path: Path, outside: dict[str, str], request: pytest.FixtureRequest
) -> Callable[[Part], Reader]:
    """Makes the reader of a part, with what there is at its beginning."""

    def make(part: Part) -> Reader:
        reader = make_reader(tmp_path)
        if not part.is_new:
            state = request.getfixturevalue("trained")
            shutil.copytree(state, tmp_path / "state", symlinks=True, dirs_exist_ok=True, ignore=ignore_engines)
        known = outside | {"folder": str(tmp_path), **ports_of(reader)}
        if part.needs_servers:
            database = plain_url(request.getfixturevalue("postgres_url"))
            known |= {"database": database, "broker": request.getfixturevalue("redis_url")}
            reader.env["PATH"] = f"{find_postgres()}:{reader.env['PATH']}"
            reader.env["OWNERS_URL"] = database
        if part.has_servers:
            reader.env |= {"LABELYARD_DATABASE_URL": known["database"], "LABELYARD_BROKER_URL": known["broker"]}
        instead = INSTEAD | part.instead | PLACEHOLDERS
        reader.instead = {pattern: fill(text, known) for pattern, text in instead.items()}
        reader.before, reader.statuses, reader.leaves_out = part.before, part.statuses, is_left_out
        return reader

    return make


def ignore_engines(folder: str, names: list[str]) -> list[str]:
    """Converted networks are shared, by a link that is there."""
    del folder
    return [name for name in names if name == "engines"]


def ports_of(reader: Reader) -> dict[str, str]:
    """Free ports, by the placeholders of those that documents show."""
    settings = {"api_port": "LABELYARD_LISTEN", "metrics_port": "LABELYARD_METRICS_LISTEN"}
    return {name: reader.env[setting].rpartition(":")[2] for name, setting in settings.items()}


def fill(text: str, known: dict[str, str]) -> str:
    """Put in place of each name in braces what is known by that name."""
    for name, value in known.items():
        text = text.replace(f"{{{name}}}", value)
    return text


@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", PARTS, ids=lambda part: f"{Path(part.name).stem}: {', '.join(part.sections) or 'all'}")
def test_whoever_gives_the_commands_of_a_page_gets_no_error(
    part: Part, reader_of: Callable[[Part], Reader], give_up: Callable[[str], None]
):
    if shutil.which("curl") is None and "curl" in map(program_of, part.lines):
        give_up("No curl on the PATH.")
    reader = reader_of(part)
    reader.follow(part.page, *part.sections)
    for line in part.after:
        reader.give(line, "afterwards")
    promised = re.findall(r" --(?:out|config|figure) (\S+)", "\n".join(reader.given))
    assert [name for name in promised if not (reader.folder / name).is_file()] == []


def lines_of(page: Path) -> list[str]:
    return [line for block in read_blocks(page) for line in read_lines(block)]


def test_every_command_is_run_or_named_with_the_reason_why_it_is_not():
    run = [(part.page, line) for part in PARTS for line in part.lines]
    followed = [ROOT / name for name in FOLLOWED_BY]
    shown = [(page, line) for page in PAGES if page not in followed for line in lines_of(page)]
    assert [pair for pair in shown if pair not in run and not is_left_out(pair[1])] == []
    assert len(run) > 100


def test_nothing_is_named_that_no_document_shows():
    shown = {line for page in PAGES for line in lines_of(page)}
    assert set(LINES_NOT_RUN) - shown == set()
    assert set(NOT_RUN) - {program_of(line) for line in shown} == set()
    parts = {line for part in PARTS for line in part.lines}
    assert [p for p in PLACEHOLDERS if not any(re.search(p, line) for line in parts)] == []
    assert [line for part in PARTS for line in (*part.before, *part.statuses) if line not in part.lines] == []
    assert [p for part in PARTS for p in part.instead if not any(re.search(p, line) for line in part.lines)] == []


def test_pages_that_other_tests_follow_are_named_there():
    assert [name for name, test in FOLLOWED_BY.items() if Path(name).stem not in (ROOT / test).read_text()] == []


@pytest.mark.parametrize("line", LINES_NOT_RUN)
def test_a_line_that_is_not_run_could_not_be(line: str, make_reader: MakeReader, trained: Path, tmp_path: Path):
    reader = make_reader(tmp_path)
    # Where somebody has the package for S3 nothing is asked of Amazon.
    env = reader.env | {"LABELYARD_HOME": str(trained), "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            ["bash", "-c", f"exec env {line}"], cwd=tmp_path, env=env, stdout=log, stderr=log, start_new_session=True
        )
        try:
            status = process.wait(LONG_S)
        except subprocess.TimeoutExpired:
            # Not asked to stop: a network that computes does not listen.
            os.killpg(process.pid, signal.SIGKILL)
            status = process.wait()
    assert status != 0, "it runs: take it off the list"
    assert LINES_NOT_RUN[line] != S3 or "s3://" in (tmp_path / "log").read_text(), "it fails for another reason"
