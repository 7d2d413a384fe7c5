"""Models and migrations agree, on both databases."""

import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from servers import ExternalPostgres, PostgresServer, database
from sqlalchemy import inspect

import db.migrations
from core.errors import DatabaseError
from db.base import Base
from db.database import Database
from db.schema import HEAD_REVISION, SchemaState, require_schema, schema_state, upgrade

# As many as make SQLite refuse one now and then, if nothing is done about it.
NUM_RACERS = 6


def test_the_migrations_make_the_tables_of_the_models(ledger: Database):
    with ledger.read() as session:
        context = MigrationContext.configure(session.connection(), opts={"compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_the_newest_migration_is_the_one_that_the_code_expects():
    config = Config()
    config.set_main_option("script_location", str(Path(db.migrations.__file__).parent))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD_REVISION]


def test_a_new_sqlite_file_gets_its_tables_by_itself(tmp_path: Path):
    ledger = Database(f"sqlite:///{tmp_path / 'new' / 'labelyard.db'}")
    require_schema(ledger)
    assert schema_state(ledger) == (SchemaState.CURRENT, HEAD_REVISION)
    ledger.close()


def test_an_empty_postgresql_is_left_empty_until_it_is_asked_for(postgres_server: PostgresServer | ExternalPostgres):
    with database(postgres_server.url, "labelyard_empty") as url:
        ledger = Database(url)
        with pytest.raises(DatabaseError, match="labelyard db upgrade"):
            require_schema(ledger)
        with ledger.read() as session:
            assert inspect(session.connection()).get_table_names() == []
        ledger.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_upgrades_at_the_same_time_all_succeed(kind: str, tmp_path: Path, request: pytest.FixtureRequest):
    def race(url: str) -> list[BaseException]:
        errors: list[BaseException] = []
        start = threading.Barrier(NUM_RACERS)

        def run() -> None:
            ledger = Database(url)
            start.wait()
            try:
                upgrade(ledger)
            except BaseException as error:  # noqa: BLE001 - handed to the test
                errors.append(error)
            ledger.close()

        threads = [threading.Thread(target=run) for _ in range(NUM_RACERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return errors

    if kind == "sqlite":
        assert race(f"sqlite:///{tmp_path / 'race.db'}") == []
    else:
        with database(request.getfixturevalue("postgres_server").url, "labelyard_race") as url:
            assert race(url) == []
