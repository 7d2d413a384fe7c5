"""Answers as JSON that every client can read: names that are not UTF-8 are escaped."""

import json
from typing import Any

from starlette.responses import JSONResponse

from core.items import escape_name


class Answer(JSONResponse):
    """JSON of whatever the product holds."""

    def render(self, content: Any) -> bytes:  # noqa: ANN401 - as Starlette has it
        """The body."""
        return to_json(content)


def to_json(content: Any) -> bytes:  # noqa: ANN401 - any plain value
    """Plain values as JSON in UTF-8."""
    try:
        return _dump(content)
    except UnicodeEncodeError:
        return _dump(_escaped(content))


def _dump(content: Any) -> bytes:  # noqa: ANN401 - any plain value
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _escaped(content: Any) -> Any:  # noqa: ANN401 - any plain value
    """The same with each text that stands for bytes which are not UTF-8 written out."""
    match content:
        case str():
            try:
                content.encode()
            except UnicodeEncodeError:
                return escape_name(content)
            return content
        case dict():
            return {_escaped(key): _escaped(value) for key, value in content.items()}
        case list() | tuple():
            return [_escaped(value) for value in content]
        case _:
            return content
