"""The HTTP API for people, from its description by OpenAPI: every request, what it takes, and what comes back.

The app is made for its description alone: no server starts, and the database that it is given has no tables.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from core.settings import Settings
from db.database import Database
from orchestrator.api.app import create_app
from orchestrator.api.backend import Backend
from workers.waking import NullWaker

Schema = Mapping[str, Any]


def describe_api() -> dict[str, Any]:
    """The OpenAPI document, as `/api/v1/openapi.json` answers."""
    database = Database("sqlite://")
    try:
        return create_app(Backend(database, Settings(), NullWaker(), asks_for_tokens=True)).openapi()
    finally:
        database.close()


def api_reference() -> str:
    """All requests by subject, then the values that they send and get."""
    description = describe_api()
    subjects: dict[str, list[str]] = {}
    for path, requests in description["paths"].items():
        for method, request in requests.items():
            subjects.setdefault(request["tags"][0], []).append(_request(method, path, request))
    parts = [part for subject, told in subjects.items() for part in (f"## {subject.capitalize()}", *told)]
    parts.append("## Values")
    parts += [_value(name, schema) for name, schema in sorted(description["components"]["schemas"].items())]
    return "\n\n".join(parts)


def _request(method: str, path: str, request: Schema) -> str:
    parts = [f"### `{method.upper()} {path}`", request.get("description", "")]
    rows = [
        f"| `{parameter['name']}` | {parameter['in']} | {_type(parameter['schema'])} | {_meaning(parameter)} |"
        for parameter in request.get("parameters", [])
    ]
    if rows:
        parts.append("\n".join(["| takes | in the | which is | meaning |", "| --- | --- | --- | --- |", *rows]))
    if "requestBody" in request:
        parts.append("Body: " + ", or ".join(_contents(request["requestBody"])) + ".")
    for status, answer in request["responses"].items():
        if status.startswith("2"):
            contents = list(_contents(answer))
            parts.append(f"Answer {status}: {', or '.join(contents)}." if contents else f"Answer {status}, empty.")
    return "\n\n".join(part for part in parts if part)


def _contents(holder: Schema) -> Iterator[str]:
    for kind, content in holder.get("content", {}).items():
        schema = content.get("schema")
        yield f"`{kind}`, {_type(schema)}" if schema else f"`{kind}`"


def _value(name: str, schema: Schema) -> str:
    parts = [f"### {_title(name)}", schema.get("description", "")]
    if "enum" in schema:
        parts.append("One of " + ", ".join(f"`{word}`" for word in schema["enum"]) + ".")
    needed = schema.get("required", [])
    rows = [
        f"| `{field}` | {_type(value)}{', required' if field in needed else ''} | {_meaning(value)} |"
        for field, value in schema.get("properties", {}).items()
    ]
    if rows:
        parts.append("\n".join(["| field | which is | meaning |", "| --- | --- | --- |", *rows]))
    return "\n\n".join(part for part in parts if part)


def _type(schema: Schema) -> str:
    if "$ref" in schema:
        name = _title(schema["$ref"].rpartition("/")[2])
        return f"[{name}](#{name.lower()})"
    if choices := schema.get("anyOf", schema.get("oneOf")):
        return " or ".join(_type(one) for one in choices)
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if isinstance(values := schema.get("additionalProperties"), dict):
        return f"object of {_type(values)}"
    return f"`{schema['const']}`" if "const" in schema else f"{kind}{_bounds(schema)}"


def _bounds(schema: Schema) -> str:
    words = {"minimum": "from", "maximum": "to", "minLength": "length from", "maxLength": "length to"}
    told = [f"{word} {schema[key]:,}" for key, word in words.items() if key in schema]
    return f" ({', '.join(told)})" if told else ""


def _meaning(described: Schema) -> str:
    schema = described.get("schema", described)
    default = schema.get("default")
    told = described.get("description", schema.get("description", "")).replace("|", "\\|").replace("\n", " ")
    return told if default is None else f"{told} Default: `{default}`.".strip()


def _title(name: str) -> str:
    """What a schema is called: FastAPI calls `Page[JobSummary]` by `Page_JobSummary_`."""
    return name.rstrip("_").replace("_", "-of-")
