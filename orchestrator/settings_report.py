"""Every setting, its value and where that came from; and the README's table, made from the same fields."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr
from pydantic_settings import DotEnvSettingsSource, EnvSettingsSource, TomlConfigSettingsSource
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from core.settings import ENV_PREFIX, TOML_FILE, Settings
from db.urls import mask


@dataclass(frozen=True, slots=True)
class DescribedSetting:
    """One setting for people."""

    name: str  # the environment variable
    value: str  # a secret's password is masked
    source: str  # "environment", ".env", "labelyard.toml" or "default"


def describe_settings(settings: Settings) -> list[DescribedSetting]:
    """Say what each setting is and where it came from."""
    sources = [
        ("environment", EnvSettingsSource(Settings)()),
        (".env", DotEnvSettingsSource(Settings)()),
        (TOML_FILE, TomlConfigSettingsSource(Settings)()),
    ]
    return [
        DescribedSetting(
            name=f"{ENV_PREFIX}{field.upper()}",
            value=_for_people(getattr(settings, field)),
            source=next((name for name, values in sources if field in values), "default"),
        )
        for field in Settings.model_fields
    ]


def settings_table() -> str:
    """The settings as a Markdown table, from the fields' own descriptions."""
    lines = ["| setting | default | meaning |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = "" if field.default_factory is not None else _for_people(field.default)
        shown = f"`{default}`" if default else _COMPUTED_DEFAULTS.get(name, "empty")
        lines.append(f"| `{ENV_PREFIX}{name.upper()}` | {shown} | {field.description} |")
    return "\n".join(lines) + "\n"


# Defaults that differ from machine to machine.
_COMPUTED_DEFAULTS = {"home": "the platform's data folder", "decode_threads": "the number of cores"}


def _for_people(value: object) -> str:
    match value:
        case None:
            return ""
        case SecretStr():
            return _masked(value.get_secret_value())
        case list():
            return ",".join(str(item) for item in value)
        case Path():
            return str(value.expanduser())
        case _:
            return str(value)


def _masked(url: str) -> str:
    if url.startswith(("http://", "https://")):
        # Of an address that is called, the path may be the secret.
        return f"{urlsplit(url).scheme}://{urlsplit(url).hostname}/***"
    try:
        return mask(make_url(url))
    except (ArgumentError, ValueError):
        return "***"
