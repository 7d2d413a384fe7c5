"""When a cron expression fires by the clock of a time zone, also where clocks are changed.

Fire times are those of Debian's cron: of a daily time that is not there on the day when clocks go forward, the first
moment behind the gap; of one that is there twice when they go back, the first.
"""

from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import cache
from itertools import takewhile
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from cronsim import CronSim, CronSimError

from core.errors import UsageError

NUM_FIELDS = 5
_FIELDS = ("minute", "hour", "day-of-month", "month", "day-of-week")
_ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_MAX_LENGTH = 200
_MINUTE_S = 60
_HOUR_S = 3600
_EXAMPLE = '"0 3 * * *", every night at three'


class FireTimes:
    """When a schedule fires.

    Args:
        cron: minute, hour, day of the month, month, day of the week; or @daily and the like.
        time_zone: whose clock it is by, such as Asia/Seoul.

    Raises:
        UsageError: one of them cannot be read; the message says which part.
    """

    def __init__(self, cron: str, time_zone: str) -> None:
        self.cron = _read_cron(cron)
        self._zone = _read_zone(time_zone)
        self.time_zone = time_zone

    def between(self, after_s: float, until_s: float, *, limit: int) -> list[float]:
        """Fire times behind one moment, up to another, oldest first.

        Args:
            after_s: seconds since 1970, not included.
            until_s: seconds since 1970, included.
            limit: how many; of more, the newest.
        """
        # Nothing fires more often than once a minute. Forwards through ever longer stretches, so that most of what is
        # left out is never looked at; the library's way backwards passes over fire times where clocks are changed.
        stretch_s = float(limit * _MINUTE_S)
        while True:
            from_s = max(after_s, until_s - stretch_s)
            newest = deque(takewhile(lambda fire_at: fire_at <= until_s, self._times(from_s)), maxlen=limit)
            if len(newest) == limit or from_s == after_s:
                return list(newest)
            stretch_s *= 2

    def next_after(self, at_s: float) -> float | None:
        """The first fire time behind a moment, in seconds since 1970; None: it never fires."""
        return next(self._times(at_s), None)

    def describe(self) -> str:
        """When that is, in words: "At 03:00 every day (Asia/Seoul)"."""
        return f"{CronSim(self.cron, datetime.now(UTC)).explain()} ({self.time_zone})"

    def _times(self, after_s: float) -> Iterator[float]:
        for fire in _WholeHours(self.cron, datetime.fromtimestamp(after_s, tz=self._zone)):
            fire_at = fire.timestamp()
            # In an hour that is there twice the library begins with its first occurrence.
            if fire_at > after_s:
                yield fire_at


class _WholeHours(CronSim):
    """A clock that enters every hour at its beginning, also after one that was changed by half an hour.

    The library (2.7) goes on in steps of an hour from wherever the change has led: on the day when Lord Howe Island's
    clocks go back, "*/15 5 * * *" would begin at 05:30.
    """

    def advance_hour(self) -> bool:
        """Go to the next hour that is asked for; False: it is this one."""
        if self.dt.hour in self.hours:
            return False
        self.dt = self.dt.replace(minute=0, second=0)
        while self.dt.hour not in self.hours:
            self.tick(seconds=_HOUR_S - _MINUTE_S * self.dt.minute)
            if self.dt.hour == 0:
                break  # another day, which may not be asked for
        return True


def _read_cron(text: str) -> str:
    received = text[:_MAX_LENGTH]
    cron = _ALIASES.get(text.strip().lower(), " ".join(text.split()))
    fields = cron.split(" ")
    if len(fields) != NUM_FIELDS or len(cron) > _MAX_LENGTH:
        raise UsageError(
            f"--cron {received!r}: expected five fields ({', '.join(_FIELDS)}), such as {_EXAMPLE}; received "
            f"{len(cron.split())}.{_hint(cron)}"
        )
    for position, (name, field) in enumerate(zip(_FIELDS, fields, strict=True)):
        alone = ["*"] * NUM_FIELDS
        alone[position] = field
        if not _can_be_read(" ".join(alone)):
            raise UsageError(
                f"--cron {received!r}: the {name} is {field!r}, which cannot be meant. Expected such as {_EXAMPLE}."
            )
    if not _can_be_read(cron):
        raise UsageError(
            f"--cron {received!r} never fires: the day-of-month {fields[2]!r} does not come in the month "
            f"{fields[3]!r}. Expected such as {_EXAMPLE}."
        )
    return cron


def _can_be_read(cron: str) -> bool:
    try:
        CronSim(cron, datetime.now(UTC))
    except CronSimError:
        return False
    return True


def _hint(cron: str) -> str:
    if cron.startswith("@"):
        nearest = get_close_matches(cron.lower(), _ALIASES, n=1)
        return f" Nearest: {nearest[0]}." if nearest else f" Of names there are {', '.join(_ALIASES)}."
    return " There is none for seconds: leave it out." if len(cron.split()) == NUM_FIELDS + 1 else ""


@cache
def _zone_names() -> frozenset[str]:
    # The first is another clock on each machine, the second none at all.
    return frozenset(available_timezones()) - {"localtime", "Factory"}


def _read_zone(name: str) -> ZoneInfo:
    # A path is no name; the library would look for it among files.
    known = _zone_names()
    if name in known:
        try:
            return ZoneInfo(name)
        except ZoneInfoNotFoundError:  # listed, but damaged
            pass
    nearest = get_close_matches(name[:_MAX_LENGTH], known, n=3, cutoff=0.4)
    by_city = [zone for zone in sorted(known) if name and zone.lower().endswith(f"/{name.lower()}")]
    hints = list(dict.fromkeys([*by_city, *nearest]))[:3]
    hint = f" Nearest: {', '.join(hints)}." if hints else ""
    raise UsageError(f"--tz {name[:_MAX_LENGTH]!r} is no time zone. Expected a name such as Europe/Berlin.{hint}")
