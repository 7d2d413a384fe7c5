"""Passwords that were not percent-encoded: they cut a URL in the wrong place, and no piece of them may be shown."""

import traceback

import pytest
from pydantic import SecretStr
from sqlalchemy import make_url

from core.errors import DatabaseError
from core.settings import Settings
from db.database import Database, mask
from orchestrator.settings_report import describe_settings

CUT = ["redis://:p@s3cret@host/0", "redis://u:p@s3/cret@host/0", "postgresql://u:p@s3cret@host/db"]


@pytest.mark.parametrize("url", [*CUT, "redis://u:s3cret@host/0", "redis://u:a/s3cret@host/0"])
def test_no_piece_of_a_password_is_shown(url: str):
    shown = mask(make_url(url))
    assert not any(piece in shown for piece in ("s3", "cret")), shown


@pytest.mark.parametrize("url", [*CUT, "redis://u:s3cret@host/0", "redis://u:p@x:s3cret@host/0"])
def test_none_is_shown_among_the_settings(url: str):
    described = {item.name: item.value for item in describe_settings(Settings(broker_url=url, database_url=url))}
    assert not any("s3" in value for name, value in described.items() if name.endswith("_URL"))


@pytest.mark.parametrize("password", ["p@s3cret", "p@x:s3cret", "p@[s3cret"])
def test_a_database_url_that_is_cut_is_refused_and_not_repeated(password: str):
    with pytest.raises(DatabaseError, match="percent-encoded") as caught:
        Database(f"postgresql://u:{password}@host/db")
    assert "s3cret" not in "".join(traceback.format_exception(caught.value, limit=0))


def test_a_file_may_have_any_name():
    assert Database("sqlite:////tmp/a@b.db").url.database == "/tmp/a@b.db"


def test_addresses_and_secrets_of_notifications_are_not_shown():
    settings = Settings(
        webhook_url=SecretStr("https://hooks.example.org/services/T0/B0/hush"),
        webhook_secret=SecretStr("whsec_aHVzaA=="),
        smtp_url=SecretStr("smtp://ada:hush@mail.example.org:587"),
    )
    shown = {setting.name: setting.value for setting in describe_settings(settings)}
    assert shown["LABELYARD_WEBHOOK_URL"] == "https://hooks.example.org/***"
    assert shown["LABELYARD_WEBHOOK_SECRET"] == "***"
    assert "hush" not in shown["LABELYARD_SMTP_URL"]
    assert "mail.example.org" in shown["LABELYARD_SMTP_URL"]
