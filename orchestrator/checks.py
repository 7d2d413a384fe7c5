"""What `labelyard doctor` looks at. Each check says what it found and, if something is wrong, how to mend it."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from core.errors import SetupError
from core.settings import DeviceName, EngineName, Settings
from db.database import Database
from db.schema import HEAD_REVISION, SchemaState, schema_state
from workers.devices import list_devices
from workers.ml.catalog import BACKBONES
from workers.ml.engines.openvino_library import openvino_version
from workers.ml.weights import is_cached, keras_home


class Verdict(StrEnum):
    """How serious a finding is."""

    OK = "ok"
    NOTE = "note"  # works, but someone may expect otherwise
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    subject: str
    verdict: Verdict
    detail: str
    mend: str | None = None


def check_setup(settings: Settings) -> Iterator[Finding]:
    """Look at folders, database, broker, weights and devices, in this order."""
    checks: list[Callable[[Settings], Finding]] = [
        _check_home,
        _check_database,
        _check_broker,
        _check_weights,
        _check_devices,
    ]
    for check in checks:
        yield check(settings)


def _check_home(settings: Settings) -> Finding:
    home = settings.home.expanduser()
    existing = next(folder for folder in (home, *home.parents) if folder.exists())
    if existing.is_dir() and os.access(existing, os.W_OK | os.X_OK):
        detail = f"{home} can be written to" if home.exists() else f"{home} will be made"
        return Finding("state folder", Verdict.OK, detail)
    mend = "Set LABELYARD_HOME to a folder that you may write to."
    return Finding("state folder", Verdict.WRONG, f"{home} cannot be written to", mend)


def _check_database(settings: Settings) -> Finding:
    try:
        database = Database.of(settings)
        if database.is_sqlite and not os.path.exists(database.url.database or ""):  # noqa: PTH110 - may be empty
            return Finding("database", Verdict.OK, f"{database.safe_url} will be made at the first job")
        state, revision = schema_state(database)
        database.close()
    except SetupError as error:
        return Finding("database", Verdict.WRONG, str(error), "Start it, or mend LABELYARD_DATABASE_URL.")
    if state is SchemaState.CURRENT:
        return Finding("database", Verdict.OK, f"{database.safe_url} answers, schema {revision}")
    detail = f"{database.safe_url} has schema {revision or 'none'}, expected {HEAD_REVISION}"
    return Finding("database", Verdict.WRONG, detail, "Run `labelyard db upgrade`.")


def _check_broker(settings: Settings) -> Finding:
    if settings.broker_url is None:
        return Finding("broker", Verdict.OK, "none set: embedded mode, local worker processes")
    from orchestrator.watching import make_waker  # noqa: PLC0415 - Celery, only where a broker is set

    try:
        # The database is another check's affair; an empty one in memory stands in for it here.
        make_waker(settings, Database("sqlite://"))
    except SetupError as error:
        return Finding("broker", Verdict.WRONG, str(error), "Start Redis, or mend LABELYARD_BROKER_URL.")
    return Finding("broker", Verdict.OK, "answers")


def _check_weights(settings: Settings) -> Finding:
    del settings
    cached = [spec.name for spec in BACKBONES.values() if is_cached(spec)]
    if cached:
        return Finding("weights", Verdict.OK, f"{', '.join(cached)} in {keras_home()}")
    mend = "They are downloaded at the first use. Without a network, put the files there or set KERAS_HOME."
    return Finding("weights", Verdict.NOTE, f"none in {keras_home()}", mend)


def _check_devices(settings: Settings) -> Finding:
    try:
        devices = list_devices()
    except SetupError as error:
        return Finding("devices", Verdict.WRONG, str(error))
    if "gpu" in devices.lower():
        return Finding("devices", Verdict.OK, devices)
    if settings.device is DeviceName.GPU:
        mend = "Install its driver and the `gpu` extra, or set LABELYARD_DEVICE=auto."
        return Finding("devices", Verdict.WRONG, f"{devices}; LABELYARD_DEVICE=gpu asks for a GPU", mend)
    mend = "With an NVIDIA card, install the `gpu` extra: pip install 'labelyard[gpu]'."
    version = openvino_version()
    engine = f"OpenVINO {version}" if version and settings.engine is not EngineName.KERAS else "Keras"
    return Finding("devices", Verdict.NOTE, f"{devices}; no GPU, {engine} runs networks", mend)
