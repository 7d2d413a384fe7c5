"""One image that a person names by hand, on the command line or a page."""

from pathlib import Path

from core.errors import SourceError
from core.settings import Settings
from db.database import Database
from orchestrator.labels.checking import keep_sound
from orchestrator.labels.finding import find_images
from orchestrator.labels.values import GivenLabel, Problems
from orchestrator.sources.references import ReferenceReader
from orchestrator.sources.resolving import locate
from workers.access import Access


def one_label(image: str, label: str, settings: Settings) -> GivenLabel:
    """What a person says of one image.

    Args:
        image: a path, a reference such as `photos.tar#cat.jpg`, or the name of an image that a job has.
        label: the class's name.
        settings: what may be read.
    """
    try:
        access = Access.of(settings)
        locator = ReferenceReader(access).locator(locate(image, Path.cwd(), access))
    except SourceError:
        # It may still be the name of an image that a job has.
        locator = None
    return GivenLabel(where=image, image=image, locator=locator, label=label.strip())


def content_of(database: Database, settings: Settings, image: str) -> str | None:
    """The hash of the image that a person means; None: it cannot be found.

    Args:
        database: where images of jobs are.
        settings: what may be read.
        image: as in `one_label`.
    """
    problems = Problems()
    sound = keep_sound([one_label(image, "any", settings)], "anybody", problems)
    found = find_images(database, settings, sound, problems)
    return next((one.sha256 for one in found if one is not None), None)
