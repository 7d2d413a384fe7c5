"""What the roles of `labelyard db grants` may not do. What they may: tests/e2e/test_roles.py."""

import pytest
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.exc import ProgrammingError

from db.grants import Part, grants


def engine_of_role(postgres_url: str, part: Part, role: str) -> Engine:
    owner = create_engine(postgres_url)
    with owner.begin() as connection:
        connection.execute(text(f'DROP ROLE IF EXISTS "{role}"'))
        connection.execute(text(f"CREATE ROLE \"{role}\" LOGIN PASSWORD 'secret'"))
        for statement in [*grants(part, role), *grants(part, role)]:
            connection.execute(text(statement))
    owner.dispose()
    return create_engine(make_url(postgres_url).set(username=role, password="secret"))


@pytest.mark.parametrize("part", list(Part))
def test_a_role_cannot_change_tables_or_read_what_is_the_servers(postgres_url: str, part: Part):
    role = f"{part} of {postgres_url[-8:]}"
    engine = engine_of_role(postgres_url, part, role)
    for forbidden in (
        "DROP TABLE result",
        "ALTER TABLE result ADD COLUMN more text",
        "TRUNCATE result",
        "CREATE TABLE more (id int)",
        "CREATE SCHEMA more",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE ROLE more",
        "SELECT * FROM pg_authid",
        "SELECT pg_read_file('/etc/passwd')",
        "COPY job TO PROGRAM 'true'",
        "UPDATE alembic_version SET version_num = '0'",
        "SET ROLE labelyard",
    ):
        with engine.connect() as connection, pytest.raises(ProgrammingError, match=r"denied|must be owner|permission"):
            connection.execute(text(forbidden))
    engine.dispose()
    forget(postgres_url, role)


def test_a_worker_cannot_change_what_was_asked_for(postgres_url: str):
    role = f"narrow {postgres_url[-8:]}"
    engine = engine_of_role(postgres_url, Part.WORKER, role)
    for forbidden in (
        "DELETE FROM job",
        "DELETE FROM model",
        "UPDATE job SET sources = '[]'",
        "UPDATE job SET priority = 0",
        "UPDATE model SET name = 'other'",
        "UPDATE sample SET class_index = 0",
        "INSERT INTO job_model VALUES (1, 1, 1)",
        "UPDATE image SET locator = '/etc/passwd'",
        "DELETE FROM chunk",
        "UPDATE result SET score = 1",
        "SELECT secret_hash FROM token",
    ):
        with engine.connect() as connection, pytest.raises(ProgrammingError, match="permission denied"):
            connection.execute(text(forbidden))
    engine.dispose()
    forget(postgres_url, role)


def test_the_name_of_a_role_is_quoted():
    assert 'TO "a""b; DROP TABLE job";' in grants(Part.WORKER, 'a"b; DROP TABLE job')[1]


def forget(postgres_url: str, role: str) -> None:
    owner = create_engine(postgres_url)
    with owner.begin() as connection:
        connection.execute(text(f'DROP OWNED BY "{role}"'))
        connection.execute(text(f'DROP ROLE "{role}"'))
    owner.dispose()
