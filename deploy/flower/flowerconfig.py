# ruff: noqa: INP001 - Flower reads this file by its path
"""How Flower is run beside Labelyard: behind a password, on this machine alone, and without its buttons.

Flower reads it with `celery flower --conf=deploy/flower/flowerconfig.py`; each name below is an option of Flower's. The
password comes from the environment, and there is none by default. Options on the command line win over this file. It
knows nothing of Labelyard; docs/adr/0036 says why it is as it is.
"""

import os

from flower.utils import strtobool
from flower.views.monitor import Metrics
from tornado.web import authenticated


def _read_logins(text: str) -> list[str]:
    """Split `NAME:PASSWORD,…`; ends the process where there is none, or where one lacks a part."""
    logins = [login.strip() for login in text.split(",") if login.strip()]
    if not logins:
        raise SystemExit(
            "FLOWER_BASIC_AUTH is empty, and Flower would show what workers do to everybody. Set it to NAME:PASSWORD; "
            "`make env` makes one for docker compose."
        )
    for number, login in enumerate(logins, start=1):
        name, _, password = login.partition(":")
        if not name or not password:
            raise SystemExit(
                f"FLOWER_BASIC_AUTH received {'no name' if not name else 'no password'} in login {number} of "
                f"{len(logins)}, expected NAME:PASSWORD, several separated by commas; neither may hold a comma."
            )
    return logins


basic_auth = _read_logins(os.environ.get("FLOWER_BASIC_AUTH", ""))
# Its buttons and their addresses answer 403. Workers take no orders from it in any case (docs/adr/0023).
read_only = bool(strtobool(os.environ.get("FLOWER_READ_ONLY", "true")))
address = os.environ.get("FLOWER_ADDRESS") or "127.0.0.1"
# Ids of job and chunk are named arguments; there are no positional ones, and no results.
tasks_columns = "name,kwargs,state,received,started,runtime,worker,uuid"
# Workers send events by themselves; they would drop its order to do so, with a line in their logs every five seconds.
enable_events = False
# It keeps tasks in memory alone. The ledger has them all.
max_tasks = 10_000
# A worker has a new name after each start; those that are gone would stay in the list for ever.
purge_offline_workers = 3600
# A worker whose machine is busy computing takes longer than Flower's one second to answer.
inspect_timeout = 5000.0

# Flower asks for the password everywhere but here, and this page names the workers.
Metrics.get = authenticated(Metrics.get)
