"""Files whose content is known without reading them, because they have not changed since they were read.

That is told by size, times and inode together, as version control systems do. Storage over a network and members of
archives have no such stamps; they are read again.
"""

import hashlib
import time
from collections.abc import Iterable

import numpy as np
import structlog

from core.errors import DatabaseError, InputError
from core.features import FeatureKey
from core.items import FileLocator, Locator
from core.types import Reason
from db.contents import Content, find_contents, save_contents
from db.database import Database
from workers.features.kept import content_hash
from workers.features.values import Opened
from workers.images.loading import Images

logger = structlog.get_logger(__name__)

# A file that was changed so short a time before it was read may be changed again within the same tick of its clock.
SETTLED_AFTER_S = 2.0


class KnownContents:
    """Opens images, and reads only those whose content is not known; threads share it.

    Args:
        database: where contents are noted.
        images: where images come from.
    """

    def __init__(self, database: Database, images: Images) -> None:
        self._database = database
        self._images = images
        self._known: dict[str, Content] = {}
        self._new: dict[str, Content] = {}
        self._unread: dict[Locator, str] = {}  # hashes of those that were opened without being read

    def look_up(self, locators: Iterable[Locator]) -> None:
        """Ask at once for all that are going to be opened."""
        places = [place_of(locator) for locator in locators if isinstance(locator, FileLocator)]
        self._known = self._database.query(lambda session: find_contents(session, places))

    def open(self, locator: Locator, *, sha256: str | None = None) -> Opened:
        """Say what an image is; with its data, if it had to be read for that.

        Args:
            locator: where it is.
            sha256: the content that is meant, whose kept features will do wherever its file is by now; None: whatever
                is there.

        Raises:
            InputError: it cannot be read.
        """
        if sha256 is not None:
            return Opened(FeatureKey(sha256), None)
        stamp = self._images.stamp(locator)
        if stamp is None or not isinstance(locator, FileLocator):
            data = self._images.read(locator)
            return Opened(FeatureKey(content_hash(data)), data)
        place = place_of(locator)
        known = self._known.get(place)
        if known is not None and known.stamp == stamp.text:
            self._unread[locator] = known.sha256
            return Opened(FeatureKey(known.sha256), None)
        data = self._images.read(locator)
        sha256 = content_hash(data)
        is_settled = time.time() - stamp.changed_at_s > SETTLED_AFTER_S
        if is_settled and self._images.stamp(locator) == stamp:
            self._new[place] = Content(stamp.text, sha256)
        return Opened(FeatureKey(sha256), data)

    def read(self, locator: Locator, *, sha256: str | None = None) -> bytes | np.ndarray:
        """Read an image that was opened without, because its features are wanted after all.

        Args:
            locator: where it is.
            sha256: the content that is meant; None: the one that it was opened as.

        Raises:
            InputError: it cannot be read, or is another one by now.
        """
        return read_as(self._images, locator, sha256 or self._unread[locator])

    def save(self) -> None:
        """Note what was read. Where that fails, it is read again one day."""
        if not self._new:
            return
        noted, self._new = self._new, {}
        try:
            self._database.require_space()
            with self._database.write() as session:
                save_contents(session, noted.items())
        except DatabaseError as error:
            logger.warning("contents_not_noted", problem=str(error))


def read_as(images: Images, locator: Locator, sha256: str | None) -> bytes | np.ndarray:
    """Read an image that is known by its content.

    Args:
        images: where images come from.
        locator: where it is.
        sha256: the content that is meant; None: whatever is there.

    Raises:
        InputError: it cannot be read, or is another one by now.
    """
    data = images.read(locator)
    if sha256 is not None and content_hash(data) != sha256:
        raise another_image(locator)
    return data


def another_image(locator: Locator) -> InputError:
    """The error of a place that holds another image than the one that was meant."""
    return InputError(
        Reason.UNREADABLE,
        f"{locator.uri} is not the image any more that was meant. Bring that one back, or ask for the new one in a job "
        "of its own.",
    )


def place_of(locator: FileLocator) -> str:
    """What a file is known under: one length for all, however long its path is."""
    return hashlib.sha256(locator.uri.encode(errors="surrogateescape")).hexdigest()
