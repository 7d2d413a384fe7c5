"""Times for people."""

from datetime import UTC, datetime


def when(time_s: float) -> str:
    """Seconds since 1970 as local date and time, to the minute."""
    return datetime.fromtimestamp(time_s, tz=UTC).astimezone().strftime("%Y-%m-%d %H:%M")


def duration(seconds: float) -> str:
    """Hours, minutes and seconds: "1:02:03"."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def ago(seconds: float) -> str:
    """How long ago something was, in one unit: "3 s ago", "5 min ago", "2 h ago", "4 days ago"."""
    for limit, unit_s, unit in ((120, 1, "s"), (7200, 60, "min"), (48 * 3600, 3600, "h")):
        if seconds < limit:
            return f"{max(seconds, 0) / unit_s:.0f} {unit} ago"
    return f"{seconds / 86400:.0f} days ago"
