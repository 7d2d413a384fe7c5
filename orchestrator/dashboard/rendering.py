"""From values to pages. Whatever a name holds, it arrives as text and never as markup."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from starlette.requests import Request

from core.items import escape_name
from core.types import Reason, Scope
from orchestrator.dashboard.curves import shade
from orchestrator.reports.rendering import UNDEFINED, environment_of
from orchestrator.times import ago, duration, when
from orchestrator.tokens import Caller

_NAV = (
    ("Overview", "/"),
    ("Jobs", "/jobs"),
    ("Upload", "/upload"),
    ("Models", "/models"),
    ("Review", "/review"),
    ("Schedules", "/schedules"),
    ("Workers", "/workers"),
    ("Settings", "/settings"),
)
# Pages that are not for everybody, and what one has to be allowed to do.
_NEEDS = {"/upload": Scope.SUBMIT, "/settings": Scope.ADMIN}
_UNITS = ("bytes", "kB", "MB", "GB", "TB")
_STEP = 1000


class Templates:
    """The pages' templates, read once.

    Args:
        constants: what every page may say: the version, the links of the set-up.
    """

    def __init__(self, constants: Mapping[str, Any]) -> None:
        self._environment = environment_of("orchestrator.dashboard")
        self._environment.globals |= {
            "link": link,
            "reasons": list(Reason),
            "version_path": version_path,
            "when_by": when_by,
            **constants,
        }
        self._environment.filters |= {
            "ago": ago,
            "duration": duration,
            "figure": show_figure,
            "number": show_number,
            "pair": lambda value: (value, value),
            "percent": show_percent,
            "shade": shade,
            "size": show_size,
            "tail": show_tail,
            "value": to_value,
            "version": lambda number: f"version {number}",
            "when": when,
        }

    def render(self, template: str, request: Request, caller: Caller | None, **context: Any) -> str:  # noqa: ANN401 - any plain values
        """Write a page, or a part of one.

        Args:
            template: which.
            request: for whom.
            caller: who asks; None: nobody that is known.
            context: what the template shows.
        """
        scopes = frozenset[Scope]() if caller is None else caller.scopes
        return self._environment.get_template(template).render(
            path=request.url.path,
            nav_pages=nav_pages(scopes),
            caller=caller,
            may_submit=Scope.SUBMIT in scopes,
            may_admin=Scope.ADMIN in scopes,
            **context,
        )


def nav_pages(scopes: frozenset[Scope]) -> list[tuple[str, str]]:
    """What the pages are called and where they are, for somebody who may do so much."""
    return [(name, where) for name, where in _NAV if _NEEDS.get(where, Scope.READ) in scopes | {Scope.READ}]


def link(path: str, **query: object) -> str:
    """A path with a query; what is None is left out."""
    pairs = {name: to_value(value) for name, value in query.items() if value is not None}
    where = quote(path, safe="/@:")
    return f"{where}?{urlencode(pairs)}" if pairs else where


def version_path(label: str) -> str:
    """Where the page of a version is, by what a user types for it."""
    name, _, version = label.partition("@")
    return link(f"/models/{name}/versions/{version}")


def to_value(value: object) -> str:
    """A value as forms and addresses carry it: a name that is not UTF-8 is escaped."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            try:
                value.encode()
            except UnicodeEncodeError:
                return escape_name(value)
            return value
        case _:
            return str(value)


def is_value(value: str, name: str) -> bool:
    """Whether a form or an address means this name."""
    return value in (name, to_value(name))


def when_by(time_s: float, time_zone: str) -> str:
    """Seconds since 1970 as date and time by a named clock."""
    return datetime.fromtimestamp(time_s, tz=ZoneInfo(time_zone)).strftime("%Y-%m-%d %H:%M")


def show_percent(share: float | None, decimals: int = 1) -> str:
    """A share for people."""
    return UNDEFINED if share is None else f"{share:.{decimals}%}"


def show_figure(value: float | None, decimals: int = 3) -> str:
    """A measure for people."""
    return UNDEFINED if value is None else f"{value:.{decimals}f}"


def show_number(value: float | None, decimals: int = 0) -> str:
    """A count or a rate for people."""
    return UNDEFINED if value is None else f"{value:,.{decimals}f}"


def show_size(num_bytes: float) -> str:
    """Bytes for people."""
    for unit in _UNITS[:-1]:
        if num_bytes < _STEP:
            return f"{num_bytes:.0f} {unit}" if unit == _UNITS[0] else f"{num_bytes:.1f} {unit}"
        num_bytes /= _STEP
    return f"{num_bytes:.1f} {_UNITS[-1]}"


def show_tail(name: str) -> str:
    """The last part of an image's name, which tells more than the folders before it."""
    return name.rstrip("/").rpartition("/")[2] or name
