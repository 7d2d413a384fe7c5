"""Settings: environment variables, `.env`, `labelyard.toml`, defaults, in that order.

Read once, at the edge (CLI, Celery worker), and handed on; no module reads the environment by itself.
"""

import os
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from platformdirs import user_data_path
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from core.addresses import parse_address

TOML_FILE = "labelyard.toml"
ENV_PREFIX = "LABELYARD_"


class EngineName(StrEnum):
    """Which software runs the network."""

    AUTO = "auto"
    KERAS = "keras"
    OPENVINO = "openvino"


class DeviceName(StrEnum):
    """What networks run on."""

    AUTO = "auto"
    CPU = "cpu"
    GPU = "gpu"


class LogLevel(StrEnum):
    """Which log lines are written, by Python's names."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


class LogFormat(StrEnum):
    """How log lines look."""

    CONSOLE = "console"
    JSON = "json"


class Settings(BaseSettings):
    """Every setting of Labelyard. The README's table is made from these fields."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_file=".env", toml_file=TOML_FILE, extra="ignore", env_ignore_empty=True
    )

    home: Path = Field(
        default_factory=lambda: user_data_path("labelyard"),
        description="State folder: the embedded database and caches.",
    )
    database_url: SecretStr | None = Field(
        default=None, description="SQLAlchemy URL of the ledger. Empty: SQLite in the state folder."
    )
    broker_url: SecretStr | None = Field(
        default=None, description="Redis URL. Empty: embedded mode, no broker, local worker processes."
    )
    engine: EngineName = Field(
        default=EngineName.AUTO,
        description="What runs networks: `auto` (OpenVINO, Keras where there is a GPU), `keras` or `openvino`.",
    )
    device: DeviceName = Field(
        default=DeviceName.AUTO,
        description="What networks run on: `auto` (a GPU where there is one), `cpu`, or `gpu`: no worker without one.",
    )
    workers: Annotated[int, Field(ge=1, le=256)] = Field(
        default=1, description="Worker processes that embedded `labelyard label` and `labelyard serve` start."
    )
    decode_threads: Annotated[int, Field(ge=1, le=256)] = Field(
        default_factory=lambda: os.cpu_count() or 1,
        description="Threads that decode images, per worker; others read files.",
    )
    batch_size: Annotated[int, Field(ge=1, le=4096)] | None = Field(
        default=None,
        description="Images per forward pass. Empty: the fastest, found once per network and machine and remembered.",
    )
    preload: Annotated[list[str], NoDecode] = Field(
        default_factory=list, description="Backbones that a worker loads at its start, separated by commas."
    )
    model_memory_bytes: Annotated[int, Field(ge=1)] = Field(
        default=4 * 1024**3, description="Weights a worker keeps in memory before it drops the least recently used."
    )
    max_image_bytes: Annotated[int, Field(ge=1)] = Field(
        default=256 * 1024**2, description="Largest image file, in bytes; larger ones become error rows."
    )
    max_image_pixels: Annotated[int, Field(ge=1)] = Field(
        default=100_000_000, description="Largest image, in pixels; larger ones become error rows."
    )
    source_roots: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        description="Folders and URL prefixes (`/data,s3://bucket/photos`) that jobs may read, separated by commas; "
        "links and `..` are resolved first. Empty: all.",
    )
    allow_private_hosts: bool = Field(
        default=False,
        description="Whether http(s) sources may be on this machine or in private networks.",
    )
    url_timeout_s: Annotated[float, Field(gt=0)] = Field(
        default=20.0,
        description="Seconds that one image may take to come from the web, retries included; keep it below the lease.",
    )
    max_image_s: Annotated[float, Field(gt=0, le=240)] = Field(
        default=30.0, description="Seconds that reading or decoding one image may take; slower ones become error rows."
    )
    min_free_bytes: Annotated[int, Field(ge=0)] = Field(
        default=64 * 1024**2,
        description="Free space of the embedded database's disk, in bytes, below which work waits.",
    )
    lease_s: Annotated[float, Field(gt=0)] = Field(
        default=30.0, description="Seconds without progress after which a chunk goes to another worker."
    )
    sweep_interval_s: Annotated[float, Field(gt=0)] = Field(
        default=10.0, description="Seconds between two looks for expired leases and lost wake-ups."
    )
    tick_s: Annotated[float, Field(gt=0)] = Field(
        default=30.0, description="Seconds between two looks of `labelyard serve` at the schedules."
    )
    listen: str | None = Field(
        default=None,
        description="Where `labelyard serve` answers HTTP, `HOST:PORT`. Empty: nowhere, `up`: `127.0.0.1:8600`.",
    )
    uploads: Path | None = Field(
        default=None,
        description="Folder of what comes by HTTP, which all workers can read. Empty: `uploads` in the state folder.",
    )
    max_upload_bytes: Annotated[int, Field(ge=1)] = Field(
        default=4 * 1024**3, description="Most that one upload may hold, in bytes, unpacked."
    )
    rate_limit: str = Field(
        default="6000/minute", description="How often one token, or one address without, may ask the HTTP API."
    )
    webhook_url: SecretStr | None = Field(
        default=None, description="Address that is told of jobs that end and of schedules' decisions. Empty: none."
    )
    webhook_secret: SecretStr | None = Field(
        default=None,
        description="What its messages are signed with: `whsec_` and base64. Empty: unsigned.",
    )
    smtp_url: SecretStr | None = Field(
        default=None,
        description="Mail server, `smtp://USER:PASSWORD@HOST:587` (STARTTLS) or `smtps://…`. Empty: no mail is sent.",
    )
    mail_from: str | None = Field(default=None, description="Sender of mails.")
    mail_to: Annotated[list[str], NoDecode] = Field(
        default_factory=list, description="Receivers of mails, separated by commas."
    )
    metrics_listen: str | None = Field(
        default=None,
        description="Where `labelyard worker`, and an embedded `labelyard serve`, show their workers' figures to "
        "Prometheus, `HOST:PORT`. Empty: nowhere.",
    )
    otlp_endpoint: str | None = Field(
        default=None, description="Where traces are sent, `http://HOST:4318` (OTLP over HTTP). Empty: nowhere."
    )
    flower_url: str | None = Field(
        default=None, description="Where Flower is, `http://HOST:5555`, for a link on the dashboard. Empty: no link."
    )
    log_level: LogLevel = Field(default=LogLevel.WARNING, description="`DEBUG`, `INFO`, `WARNING` or `ERROR`.")
    log_format: LogFormat = Field(default=LogFormat.CONSOLE, description="`console` or `json`.")

    @field_validator("preload", "source_roots", "mail_to", mode="before")
    @classmethod
    def _split_names(cls, value: object) -> object:
        if isinstance(value, str):
            return [name.strip() for name in value.split(",") if name.strip()]
        return value

    @field_validator("metrics_listen")
    @classmethod
    def _check_address(cls, value: str | None) -> str | None:
        return None if value is None else str(parse_address(value))

    @field_validator("otlp_endpoint", "flower_url")
    @classmethod
    def _check_http_url(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"https?://[^\s/?#]+[^\s?#]*", value):
            raise ValueError("Expected a URL such as http://127.0.0.1:4318")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put `labelyard.toml` behind the environment and `.env`."""
        del file_secret_settings
        return init_settings, env_settings, dotenv_settings, TomlConfigSettingsSource(settings_cls)

    @property
    def is_embedded(self) -> bool:
        """Whether work stays on this machine, without a broker."""
        return self.broker_url is None

    @property
    def upload_folder(self) -> Path:
        """Where uploads lie, as an absolute path."""
        return (self.uploads or self.home.expanduser() / "uploads").resolve()

    @property
    def database_url_text(self) -> str:
        """The ledger's URL in clear; never log it."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.home.expanduser().resolve() / 'labelyard.db'}"
