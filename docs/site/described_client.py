"""The Python client for people: its methods in the order in which they are written, with their docstrings."""

import inspect
import re

from orchestrator.client import ApiError, Client

_ITEM = re.compile(r"^    (\w+): (.*?)(?=^    \w+: |\Z)", re.DOTALL | re.MULTILINE)


def client_reference() -> str:
    """The client, its methods, and the error that they raise."""
    methods = [
        _entry(name, method)
        for name, method in vars(Client).items()
        if inspect.isfunction(method) and not name.startswith("_")
    ]
    return "\n\n".join([_entry("Client", Client), *methods, "### `ApiError`", _told(ApiError)])


def _entry(name: str, described: object) -> str:
    return f"### `{name}`\n\n```python\n{name}{_signature(described)}\n```\n\n{_told(described)}"


def _signature(described: object) -> str:
    """Its arguments and what it returns, without `self` and the modules of types."""
    text = str(inspect.signature(described))  # type: ignore[arg-type]
    text = re.sub(r"\b(?:[a-z_]\w*\.)+(?=[A-Za-z])", "", text.replace("'", ""))
    return re.sub(r"^\(self(?:, )?", "(", text).removesuffix(" -> None")


def _told(described: object) -> str:
    """A docstring as Markdown: `Args:` and the like become lists."""
    head, *sections = re.split(r"\n\n(?=(?:Args|Returns|Raises):\n)", inspect.getdoc(described) or "")
    parts = [head]
    for section in sections:
        title, _, body = section.partition(":\n")
        items = [f"- `{item[1]}`: {' '.join(item[2].split())}" for item in _ITEM.finditer(body)]
        parts.append("\n".join([f"{title}:", "", *(items or [" ".join(body.split())])]))
    return "\n\n".join(parts)
