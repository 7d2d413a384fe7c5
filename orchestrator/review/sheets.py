"""A sheet that a person fills in: what the model says, to be corrected and taken in by `labelyard labels import`."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

from core.items import escape_name
from orchestrator.exporting import check_file, replacing
from orchestrator.review.handing_out import HandedOut

COLUMNS = ("image", "label", "score", "second", "uncertainty", "model", "sha256")


def check_sheet(path: Path) -> None:
    """Make sure that a sheet can be written there, before any image is handed out.

    Raises:
        UsageError: what is wrong with the path.
    """
    check_file(path, (".csv",))


def write_sheet(path: Path, images: Sequence[HandedOut]) -> None:
    """Write a sheet; images are named so that they are found from anywhere."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for image in images:
        values = image.to_json() | {"image": _place(image)}
        writer.writerow([values[column] for column in COLUMNS])
    with replacing(path) as file:
        file.write(out.getvalue().encode())


def _place(image: HandedOut) -> str:
    """The file; of an item of a container, what it is called."""
    locator = json.loads(image.locator)
    return escape_name(locator["uri"] if locator["kind"] == "file" else image.image)
