"""One label by hand, on the command line or a page."""

from pathlib import Path

from core.errors import SourceError
from core.settings import Settings
from orchestrator.labels.values import GivenLabel
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
        locator = ReferenceReader(Access.of(settings)).locator(locate(image, Path.cwd()))
    except SourceError:
        # It may still be the name of an image that a job has.
        locator = None
    return GivenLabel(where=image, image=image, locator=locator, label=label.strip())
