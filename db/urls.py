"""Database URLs: reading what a user has set, and showing it without its secrets."""

from sqlalchemy import make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from core.errors import DatabaseError

# Options of a URL whose names hold one of these are not shown.
SECRET_WORDS = ("password", "passwd", "secret", "token", "key")
# The URL itself may hold a password, so it is not repeated.
UNREADABLE_URL = (
    "LABELYARD_DATABASE_URL cannot be read. Expected sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME; "
    "characters like @ and / in the password are percent-encoded (%40, %2F)."
)


def mask(url: URL) -> str:
    """Render a URL for people: the password and whatever in the query may be one is hidden."""
    if _is_cut(url):
        return f"{url.drivername}://***"
    hidden = {key: "***" for key in url.query if any(word in key.lower() for word in SECRET_WORDS)}
    return url.update_query_dict(hidden).render_as_string(hide_password=True)


def parse(text: str) -> URL:
    """Read a URL that a user has set.

    Raises:
        DatabaseError: it cannot be read, or names another kind of database. The text may hold a password, so it is not
            repeated.
    """
    try:
        url = make_url(text)
        if url.drivername in ("postgresql", "postgres"):
            url = url.set(drivername="postgresql+psycopg")
        if url.get_backend_name() == "sqlite" or (url.get_backend_name() == "postgresql" and not _is_cut(url)):
            return url
    except (ArgumentError, NoSuchModuleError, ValueError):
        # Not told as the cause: what cannot be read as a port may be a piece of the password.
        raise DatabaseError(UNREADABLE_URL) from None
    if _is_cut(url):
        raise DatabaseError(UNREADABLE_URL)
    raise DatabaseError(
        f"LABELYARD_DATABASE_URL names a {url.get_backend_name()} database. Expected sqlite or postgresql."
    )


def _is_cut(url: URL) -> bool:
    """Whether a password that was not encoded ends in the middle, so that its rest is taken for host or database."""
    return "@" in (url.host or "") or (url.get_backend_name() != "sqlite" and "@" in (url.database or ""))
