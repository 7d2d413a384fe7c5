"""When a cron expression fires by the clock of a time zone, also where clocks are changed.

Fire times are those of Debian's cron: of a daily time that is not there on the day when clocks go forward, the first
moment behind the gap; of one that is there twice when they go back, the first.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from difflib import get_close_matches
from itertools import islice
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

    def __iter__(self) -> Iterator[float]:
        """Refuse to enumerate without a beginning."""
        raise TypeError("Fire times have no first; ask for those behind a moment.")

    def between(self, after_s: float, until_s: float, *, limit: int) -> list[float]:
        """Fire times behind one moment, up to another, oldest first.

        Args:
            after_s: seconds since 1970, not included.
            until_s: seconds since 1970, included.
            limit: how many; of more, the newest.
        """
        newest: list[float] = []
        # Backwards, so that what is left out is never looked at.
        for fire_at in self._times(until_s + 1.0, reverse=True):
            if fire_at <= after_s or len(newest) == limit:
                break
            if fire_at <= until_s:
                newest.append(fire_at)
        return newest[::-1]

    def next_after(self, at_s: float) -> float | None:
        """The first fire time behind a moment, in seconds since 1970; None: it never fires."""
        return next(islice(self._times(at_s), 1), None)

    def _times(self, from_s: float, *, reverse: bool = False) -> Iterator[float]:
        moment = datetime.fromtimestamp(from_s, tz=self._zone)
        try:
            for fire in CronSim(self.cron, moment, reverse=reverse):
                yield fire.astimezone(UTC).timestamp()
        except CronSimError:
            return


def _read_cron(text: str) -> str:
    received = text[:_MAX_LENGTH]
    cron = _ALIASES.get(text.strip().lower(), " ".join(text.split()))
    fields = cron.split(" ")
    if len(fields) != NUM_FIELDS or len(cron) > _MAX_LENGTH:
        raise UsageError(
            f"--cron {received!r}: expected five fields ({', '.join(_FIELDS)}), such as {_EXAMPLE}; received "
            f"{len(cron.split())}."
        )
    try:
        CronSim(cron, datetime.now(UTC))
    except CronSimError as error:
        name = next((name for name in _FIELDS if str(error).endswith(name)), None)
        field = f"the {name} is {fields[_FIELDS.index(name)]!r}" if name else str(error)
        raise UsageError(
            f"--cron {received!r}: {field}, which cannot be meant. Expected such as {_EXAMPLE}."
        ) from error
    return cron


def _read_zone(name: str) -> ZoneInfo:
    # A path is no name; the library would look for it among files.
    known = available_timezones()
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
