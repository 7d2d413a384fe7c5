"""What a message says to people: a line, and a few more."""

from collections.abc import Mapping
from typing import Any

from core.types import Event


def subject_of(event: Event | None, data: Mapping[str, Any]) -> str:
    """One line, whatever files and models are called."""
    return _in_one_line(_subject(event, data))


def _subject(event: Event | None, data: Mapping[str, Any]) -> str:
    match event:
        case None:
            return "A test of Labelyard's notifications"
        case Event.JOB_DONE:
            return f"Job {data['job_id']} is done: {data['name']}"
        case Event.JOB_FAILED:
            return f"Job {data['job_id']} has failed: {data['name']}"
        case Event.CHALLENGER_PROMOTED:
            return f"{data['challenger']} is in use now, in place of {data['champion']}"
        case Event.CHALLENGER_REFUSED:
            return f"{data['challenger']} was refused; {data['champion']} stays in use"
        case Event.DRIFT_FOUND:
            return f"The images that {data['model']} labels have drifted ({data['drift']:.2f})"


def body_of(event: Event | None, data: Mapping[str, Any]) -> str:
    """The subject as a sentence, then every fact on a line of its own."""
    lines = [f"{key.replace('_', ' ')}: {_shown(value)}" for key, value in data.items() if value is not None]
    return "\n".join([f"{subject_of(event, data)}.", "", *lines, ""])


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_shown(part)}" for key, part in value.items())
    return f"{value:.4g}" if isinstance(value, float) else _in_one_line(str(value))


def _in_one_line(text: str) -> str:
    """Nothing in a name begins a line or a header, or steers a terminal."""
    spaced = " ".join(text.split())
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in spaced)
