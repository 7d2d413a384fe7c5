"""The contact sheet: up to 36 images of a job with their labels and scores, in one PNG or JPEG."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import InputError
from core.items import locator_from_text
from core.preprocessing import PreprocessingContract
from core.settings import Settings
from core.types import ResizeMode
from db.database import Database
from db.ledger.progress import models_of
from db.results import LabelledImage, class_labels, labelled_images
from orchestrator.exporting import check_file, replacing

if TYPE_CHECKING:
    import numpy as np
    from PIL.ImageFont import FreeTypeFont
    from PIL.ImageFont import ImageFont as BitmapFont

MAX_IMAGES = 36
MAX_COLUMNS = 6
TILE = 200  # pixels, both sides of an image
CAPTION = 44  # pixels below it: two lines of text
MARGIN = 12
FONT_SIZE = 15
BACKGROUND, INK, PALE, ALARM = "#ffffff", "#1a1a1a", "#707070", "#b00020"
ENDINGS = (".png", ".jpg", ".jpeg")


def check_figure(path: Path) -> None:
    """Make sure that a figure can be written there, before any work is done.

    Raises:
        UsageError: what is wrong with the path.
    """
    check_file(path, ENDINGS)


def draw_contact_sheet(database: Database, settings: Settings, job_id: int, path: Path) -> None:
    """Draw the first images of a job with what they were labelled as."""
    # The font is Pillow's own, so that the sheet looks the same everywhere.
    from PIL import Image, ImageDraw, ImageFont  # noqa: PLC0415 - only this option needs it

    with database.read() as session:
        model = models_of(session, job_id)[0]
        labels = class_labels(session, model.id)
        images = list(islice(labelled_images(session, job_id, model.id), MAX_IMAGES))
    thumbnails = _thumbnails(settings, images)
    num_columns = min(MAX_COLUMNS, max(1, len(images)))
    num_rows = -(-len(images) // num_columns)
    size = (MARGIN + num_columns * (TILE + MARGIN), MARGIN + num_rows * (TILE + CAPTION + MARGIN))
    sheet = Image.new("RGB", size, BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(FONT_SIZE)
    for number, (image, thumbnail) in enumerate(zip(images, thumbnails, strict=True)):
        left = MARGIN + number % num_columns * (TILE + MARGIN)
        top = MARGIN + number // num_columns * (TILE + CAPTION + MARGIN)
        if thumbnail is not None:
            sheet.paste(Image.fromarray(thumbnail), (left, top))
        else:
            draw.rectangle((left, top, left + TILE - 1, top + TILE - 1), outline=PALE)
        label = labels[image.class_index].label if image.class_index is not None else str(image.reason or "waiting")
        score = "" if image.score is None else f"{image.score:.1%}"
        draw.text((left, top + TILE + 4), _fitting(label, font), fill=ALARM if image.reason else INK, font=font)
        draw.text((left, top + TILE + 4 + FONT_SIZE + 4), score, fill=PALE, font=font)
    with replacing(path) as file:
        sheet.save(file, format="PNG" if path.suffix.lower() == ".png" else "JPEG")


def _thumbnails(settings: Settings, images: Sequence[LabelledImage]) -> "list[np.ndarray | None]":
    from workers.images.suspicion import isolated_images  # noqa: PLC0415 - as late as can be

    contract = PreprocessingContract((TILE, TILE), ResizeMode.PAD)
    thumbnails: list[np.ndarray | None] = []
    with isolated_images(settings, num_processes=1) as isolated:
        for image in images:
            try:
                thumbnails.append(isolated.prepare(locator_from_text(image.locator), [contract])[contract])
            except InputError:
                thumbnails.append(None)
    return thumbnails


def _fitting(text: str, font: "FreeTypeFont | BitmapFont") -> str:
    """The text, cut with an ellipsis where it is wider than an image."""
    if font.getlength(text) <= TILE:
        return text
    while text and font.getlength(text + "…") > TILE:
        text = text[:-1]
    return text + "…"
