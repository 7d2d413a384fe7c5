"""From a report's values to its page. Whatever a name holds, it arrives as text and never as markup."""

import base64
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from core.types import Split
from orchestrator.reports import charts, tables
from orchestrator.reports.values import ModelReport

MAX_MISTAKES = 24
# Longer lists are cut, so that the page stays one that can be opened and sent.
MAX_LEFT_OUT = 200
UNDEFINED = "\N{EN DASH}"
# Not printable by Unicode's book, but harmless in a page.
_SPACES = "\n\t\N{NO-BREAK SPACE}"
_IMAGE_KINDS = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg"}


def render_report(report: ModelReport) -> str:
    """Write the page about a model.

    Returns:
        A complete HTML document, encodable as UTF-8. It refers to nothing outside of itself and runs no script.

    Raises:
        ValueError: a thumbnail is neither PNG nor JPEG.
    """
    held_out = report.held_out
    evaluation = None if held_out is None else report.evaluations[held_out]
    context: dict[str, Any] = {
        "report": report,
        "splits": [split for split in Split if split in report.num_images],
        "measured": [(split, report.evaluations[split]) for split in Split if split in report.evaluations],
        "held_out": held_out,
        "evaluation": evaluation,
        "curves": charts.draw_curves(report.epochs, report.best_epoch),
        "epoch_rows": tables.epoch_rows(report.epochs),
        "mistakes": sorted(report.mistakes, key=lambda mistake: -mistake.score)[:MAX_MISTAKES],
        "left_out": report.left_out[:MAX_LEFT_OUT],
        "charts": charts,
        "max_classes": tables.MAX_GRID_CLASSES,
    }
    if evaluation is not None:
        context |= {
            "grid": tables.confusion_grid(evaluation),
            "pairs": tables.confused_pairs(evaluation),
            "class_rows": tables.class_rows(evaluation),
            "reliability": charts.draw_reliability(evaluation),
        }
    return _environment().get_template("report.html").render(context)


def environment_of(package: str) -> Environment:
    """Templates of a package: all that they print is escaped and printable, and what is not given is a mistake."""
    return Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=make_printable,
    )


def _environment() -> Environment:
    environment = environment_of("orchestrator.reports")
    environment.filters |= {"percent": _percent, "figure": _figure, "number": _number, "data_uri": _data_uri}
    return environment


def make_printable(value: Any) -> Any:  # noqa: ANN401 - whatever a template prints
    """Make any text one that can be written: foreign bytes and control characters become a mark."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return "".join(character if character.isprintable() or character in _SPACES else "�" for character in value)


def _percent(share: float | None, decimals: int = 1) -> str:
    return UNDEFINED if share is None else f"{share:.{decimals}%}"


def _figure(value: float | None) -> str:
    return UNDEFINED if value is None else f"{value:.3f}"


def _number(value: int) -> str:
    return f"{value:,}"


def _data_uri(image: bytes) -> str:
    kind = next((kind for magic, kind in _IMAGE_KINDS.items() if image.startswith(magic)), None)
    if kind is None:
        raise ValueError(f"Thumbnail: expected PNG or JPEG, received bytes that begin with {image[:8]!r}.")
    return f"data:image/{kind};base64,{base64.b64encode(image).decode()}"
