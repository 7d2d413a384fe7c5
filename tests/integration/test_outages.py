"""A database that goes away and comes back, and a disk that fills up."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from conftest import prepare_template
from ledger_steps import claim, expire_leases, finish, job_with, num_results, state_of
from program import wait_for
from servers import PostgresServer
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.errors import DatabaseAwayError, DiskFullError
from core.types import JobState
from db.database import Database
from workers.sweeper import LeaseSweep

INSERT = text("INSERT INTO parts VALUES (1)")
COUNT = text("SELECT count(*) FROM parts")


@pytest.fixture
def parts(own_postgres_server: PostgresServer) -> Iterator[Database]:
    """A database with one table, on a server that a test may kill."""
    database = Database(own_postgres_server.url)
    with database.write() as session:
        session.execute(text("CREATE TABLE parts (id integer PRIMARY KEY)"))
    yield database
    database.close()


@pytest.fixture
def small_file(tmp_path: Path) -> Iterator[Database]:
    """An SQLite file that may not grow."""
    database = Database(f"sqlite:///{tmp_path / 'small.db'}")
    with database.write() as session:
        session.execute(text("CREATE TABLE parts (id integer PRIMARY KEY, data blob)"))
    yield database
    database.close()


def fill(session: Session) -> None:
    session.execute(text("INSERT INTO parts (data) VALUES (zeroblob(100000))"))


def limit_pages(database: Database, number: int) -> None:
    # The pool keeps one connection, which the next transaction uses too; the limit lasts as long as it does.
    with database.read() as session:
        session.execute(text(f"PRAGMA max_page_count={number}"))


def test_a_transaction_that_the_server_dies_under_is_made_again_and_once(
    parts: Database, own_postgres_server: PostgresServer
):
    tries: list[int] = []

    def insert(session: Session) -> str:
        session.execute(INSERT)
        if not tries:
            own_postgres_server.kill()
        tries.append(1)
        return "inserted"

    assert parts.transact(insert, on_wait=own_postgres_server.restart) == "inserted"
    assert len(tries) == 2
    assert parts.query(lambda session: session.scalars(COUNT).one()) == 1


def test_a_question_waits_for_a_server_that_is_down(parts: Database, own_postgres_server: PostgresServer):
    own_postgres_server.kill()
    num_waits: list[int] = []

    def start_at_the_third() -> None:
        num_waits.append(1)
        if len(num_waits) == 3:
            own_postgres_server.start()

    assert parts.query(lambda session: session.scalars(COUNT).one(), on_wait=start_at_the_third) == 0
    assert len(num_waits) == 3


def test_one_try_says_at_once_that_the_server_is_down(parts: Database, own_postgres_server: PostgresServer):
    own_postgres_server.kill()
    with pytest.raises(DatabaseAwayError, match="does not answer") as raised, parts.read() as session:
        session.scalars(COUNT).one()
    assert own_postgres_server.password not in str(raised.value)


def test_whoever_waits_can_give_up(parts: Database, own_postgres_server: PostgresServer):
    own_postgres_server.kill()

    def give_up() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        parts.transact(lambda session: session.execute(INSERT), on_wait=give_up)


def test_our_own_mistakes_are_not_made_again(parts: Database):
    num_tries: list[int] = []

    def insert_twice(session: Session) -> None:
        num_tries.append(1)
        session.execute(INSERT)
        session.execute(INSERT)

    with pytest.raises(IntegrityError):
        parts.transact(insert_twice)
    assert len(num_tries) == 1


def test_a_full_disk_is_called_by_its_name_and_waited_for(small_file: Database):
    limit_pages(small_file, 4)
    with pytest.raises(DiskFullError, match="make space"), small_file.write() as session:
        fill(session)
    small_file.transact(fill, on_wait=lambda: limit_pages(small_file, 1000))
    assert small_file.query(lambda session: session.scalars(COUNT).one()) == 1
    assert small_file.query(lambda session: session.scalars(text("PRAGMA integrity_check")).all()) == ["ok"]


@pytest.mark.parametrize("kind", [DatabaseAwayError, DiskFullError])
def test_work_that_somebody_waits_for_is_given_up_soon(small_file: Database, kind: type[DatabaseAwayError]):
    tries: list[int] = []

    def work(session: Session) -> None:
        del session
        tries.append(1)
        raise kind("away")

    with closing(small_file.for_those_who_wait(0.0)) as hurried, pytest.raises(kind):
        hurried.transact(work)
    assert len(tries) == 2, "it was tried again, but not for ever"


def test_work_that_somebody_waits_for_has_connections_of_its_own(small_file: Database):
    with closing(small_file.for_those_who_wait(0.0)) as hurried, ExitStack() as held:
        pool = hurried.engine.pool
        pool._timeout = 0.01
        for _ in range(pool.size() + pool._max_overflow):
            held.enter_context(hurried.read()).execute(COUNT)
        with pytest.raises(DatabaseAwayError, match="connections of this process"):
            hurried.query(lambda session: session.scalars(COUNT).one())
        assert small_file.query(lambda session: session.scalars(COUNT).one()) == 0


def test_nothing_that_grows_begins_where_space_is_short(tmp_path: Path):
    database = Database(f"sqlite:///{tmp_path / 'a.db'}", min_free_bytes=2**60)
    database.transact(lambda session: session.execute(text("CREATE TABLE parts (id integer)")))
    with pytest.raises(DiskFullError, match="LABELYARD_MIN_FREE_BYTES"):
        database.require_space()

    def give_up() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        database.transact(lambda session: session.execute(INSERT), grows=True, on_wait=give_up)
    assert database.query(lambda session: session.scalars(COUNT).one()) == 0
    database.close()


def test_an_outage_is_not_held_against_those_who_waited(own_postgres_server: PostgresServer):
    """Leases ran out while nobody could renew them; their holders get the time to say that they are still there."""
    prepare_template(own_postgres_server.url)
    ledger = Database(own_postgres_server.url)
    job_id = job_with(ledger, 8)
    waiting, dead = claim(ledger), claim(ledger)
    assert waiting is not None
    assert dead is not None
    sweep = LeaseSweep(ledger, lease_s=3.0)
    expire_leases(ledger)
    own_postgres_server.kill()
    with pytest.raises(DatabaseAwayError):
        sweep.once([])
    own_postgres_server.start()
    assert sweep.once([]).num_requeued == 0
    assert finish(ledger, waiting)
    wait_for(lambda: sweep.once([]).num_requeued == 1, "the dead one's lease")
    again = claim(ledger)
    assert again is not None
    assert (again.chunk_id, again.deaths) == (dead.chunk_id, 1)
    assert finish(ledger, again)
    assert (state_of(ledger, job_id), num_results(ledger, job_id)) == (JobState.DONE, 8)
    ledger.close()
