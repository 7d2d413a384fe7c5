# ruff: noqa: INP001 - a script beside the compose file
"""Writes `.env` for docker-compose.yml with a random password for each login; `make env` calls it.

No name in it begins with LABELYARD_, so that commands run in the same folder, which read `.env` too, keep their own
settings. What is there already is never overwritten: the volumes know the old passwords.

    python deploy/make_env.py [FILE]
"""

import os
import secrets
import sys
from pathlib import Path

# Hexadecimal: nothing that a URL, a shell, Redis or YAML would take for something else.
NUM_BYTES = 24
HEADER = """\
# For docker-compose.yml, made by `make env`. Keep it to yourself; `docker compose config` prints what is in it.

# What `docker compose up` starts beside the rest. Empty: no Prometheus and no Grafana.
COMPOSE_PROFILES=monitoring
# The folder with images, on this machine; read-only in the containers, as /sources.
SOURCES=./sources

"""
PASSWORDS = {
    "POSTGRES_OWNER_PASSWORD": "PostgreSQL: the tables' owner, for the service `migrate` alone",
    "POSTGRES_ORCHESTRATOR_PASSWORD": "PostgreSQL: the orchestrator",
    "POSTGRES_WORKER_PASSWORD": "PostgreSQL: workers",
    "REDIS_ORCHESTRATOR_PASSWORD": "Redis: the orchestrator",
    "REDIS_WORKER_PASSWORD": "Redis: workers",
    "REDIS_FLOWER_PASSWORD": "Redis: Flower",
    "FLOWER_PASSWORD": "You, at http://127.0.0.1:5555, as `operator`",
    "GRAFANA_PASSWORD": "You, at http://127.0.0.1:3000, as `admin`",
}


def text() -> str:
    """A fresh `.env`."""
    lines = [f"# {meaning}\n{name}={secrets.token_hex(NUM_BYTES)}\n" for name, meaning in PASSWORDS.items()]
    return HEADER + "".join(lines)


def main() -> None:
    """Write it, for its owner's eyes alone."""
    path = Path(sys.argv[1] if len(sys.argv) > 1 else ".env")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        sys.exit(f"{path} is there already, and the volumes know its passwords. Delete both to begin anew.")
    except OSError as error:
        sys.exit(f"{path} cannot be written: {error.strerror}.")
    with os.fdopen(descriptor, "w") as file:
        file.write(text())
    # Where Docker has to make the folder, it belongs to root.
    (path.parent / "sources").mkdir(exist_ok=True)
    sys.stdout.write(f"Wrote {path}. Put images into {path.parent / 'sources'}, then: docker compose up\n")


if __name__ == "__main__":
    main()
