"""Whether the broker's URL can be used, said before kombu stumbles over it.

The URL may hold a password, so it is never repeated. Knows nothing of Celery.
"""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from core.errors import BrokerError

# What a URL may say about TLS.
_OPTIONS = frozenset({"ssl_ca_certs", "ssl_cert_reqs", "ssl_certfile", "ssl_keyfile"})
_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_UNREADABLE = (
    "LABELYARD_BROKER_URL cannot be read. Expected redis://USER:PASSWORD@HOST:6379/0, or rediss:// for TLS; "
    "characters like @ and / in the password are percent-encoded (%40, %2F)."
)


def check_url(url: str) -> bool:
    """Make sure that kombu can use a URL, and say whether it asks for TLS.

    Raises:
        BrokerError: it cannot.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise BrokerError(_UNREADABLE) from None
    # A password that was not encoded may be cut by its own characters; its end then stands behind the host's place.
    is_cut = "@" in parts.path + parts.query + parts.fragment
    # kombu takes a semicolon for the beginning of another URL.
    if parts.scheme not in ("redis", "rediss") or not parts.hostname or is_cut or ";" in url:
        raise BrokerError(_UNREADABLE)
    database = parts.path.strip("/")
    if database and not database.isdigit():
        raise BrokerError(
            f"LABELYARD_BROKER_URL names the database {database!r}. Expected a number, as in HOST:6379/0."
        )
    uses_tls = parts.scheme == "rediss"
    _check_options(parse_qs(parts.query), uses_tls=uses_tls)
    return uses_tls


def _check_options(options: dict[str, list[str]], *, uses_tls: bool) -> None:
    if refused := sorted(set(options) - (_OPTIONS if uses_tls else set())):
        raise BrokerError(
            f"LABELYARD_BROKER_URL has the option {refused[0]!r}. Expected none with redis://, and with rediss:// "
            f"{', '.join(sorted(_OPTIONS))}."
        )
    demands = options.get("ssl_cert_reqs", ["required"])
    if not set(demands) <= {"required", "optional", "none"}:
        raise BrokerError(f"LABELYARD_BROKER_URL has ssl_cert_reqs={demands[0]}. Expected required, optional or none.")
    for name in _FILES:
        for path in options.get(name, []):
            if not Path(path).is_file():
                raise BrokerError(f"LABELYARD_BROKER_URL has {name}={path}, and no such file is there.")
