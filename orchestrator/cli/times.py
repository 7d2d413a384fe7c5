"""Times for people."""

from datetime import UTC, datetime


def when(time_s: float) -> str:
    """Seconds since 1970 as local date and time, to the minute."""
    return datetime.fromtimestamp(time_s, tz=UTC).astimezone().strftime("%Y-%m-%d %H:%M")
