# ruff: noqa: INP001 - a script of the images
"""Brings the database to this version and gives its two roles what they need; run before those who have them start.

It runs as the tables' owner, who is needed for nothing else: `labelyard db upgrade`, then the roles, then what
`labelyard db grants` prints. Running it again changes nothing but passwords that were changed in its environment:

    LABELYARD_DATABASE_URL            the owner's
    POSTGRES_WORKER_PASSWORD          what `labelyard_worker` logs in with
    POSTGRES_ORCHESTRATOR_PASSWORD    what `labelyard_orchestrator` logs in with
"""

import os
import subprocess
import sys

import psycopg
from psycopg import sql
from sqlalchemy import make_url

# By the option of `labelyard db grants`: the role, and what holds its password.
ROLES = {
    "worker": ("labelyard_worker", "POSTGRES_WORKER_PASSWORD"),
    "orchestrator": ("labelyard_orchestrator", "POSTGRES_ORCHESTRATOR_PASSWORD"),
}


def main() -> None:
    """Upgrade, make the roles, grant."""
    if missing := [
        name for name in ("LABELYARD_DATABASE_URL", *(name for _, name in ROLES.values())) if name not in os.environ
    ]:
        sys.exit(f"{', '.join(missing)} is not set. `make env` makes passwords for docker compose.")
    subprocess.run(["labelyard", "db", "upgrade"], check=True)  # noqa: S607 - the image's own
    options = [part for option, (role, _) in ROLES.items() for part in (f"--{option}", role)]
    grants = subprocess.run(  # noqa: S603 - as above
        ["labelyard", "db", "grants", *options],  # noqa: S607
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    owners_url = make_url(os.environ["LABELYARD_DATABASE_URL"]).set(drivername="postgresql")
    with psycopg.connect(owners_url.render_as_string(hide_password=False)) as connection:
        for role, variable in ROLES.values():
            make_role(connection, role, os.environ[variable])
        connection.execute(grants.encode())
    sys.stdout.write(f"Roles are ready: {', '.join(role for role, _ in ROLES.values())}.\n")


def make_role(connection: psycopg.Connection, role: str, password: str) -> None:
    """Make a role that may log in, or give it its password anew."""
    exists = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
    # Hashed here, because the server may log the statement.
    hashed = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    statement = "ALTER ROLE {} LOGIN PASSWORD {}" if exists else "CREATE ROLE {} LOGIN PASSWORD {}"
    connection.execute(sql.SQL(statement).format(sql.Identifier(role), sql.Literal(hashed)))


if __name__ == "__main__":
    main()
