"""Which image a label means: by the file, by its name among the images of jobs, or by a hash that is known here.

What can be read is hashed as workers do it, so a file that has not changed is not read again. A hash that a file says
is never overruled by a name: what it means is found by it, or not at all.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.errors import InputError
from core.items import FileLocator, Locator, locator_to_text
from core.settings import Settings
from core.types import Reason
from db.bulk import in_parts
from db.database import Database
from db.label_tables import AnnotationTable, DatasetItemTable
from db.model_tables import SampleTable
from db.tables import ImageTable, ResultTable
from orchestrator.labels.values import FoundImage, GivenLabel, Problems
from workers.access import Access
from workers.features.known import KnownContents
from workers.files import opened
from workers.images.loading import build_image_loader
from workers.ml.decoding import supported_format
from workers.ml.formats import NUM_SNIFFED_BYTES

if TYPE_CHECKING:
    import numpy as np


def find_images(
    database: Database, settings: Settings, labels: Sequence[GivenLabel], problems: Problems
) -> list[FoundImage | None]:
    """Find the image of each label.

    Args:
        database: where contents are noted and images of jobs are.
        settings: what may be read.
        labels: whose images to find.
        problems: told of those that cannot be.

    Returns:
        One for each label; None: it cannot be found.
    """
    read, unread = _read_all(database, settings, labels)
    # No index leads to these, so that only what cannot be read is looked for.
    wanted = [given for given, reason in zip(labels, unread, strict=True) if reason is not None]
    with database.read() as session:
        by_hash = _known(session, sorted({given.sha256 for given in wanted if given.sha256 is not None}))
        by_name = _among_jobs(session, sorted({given.image for given in wanted if given.sha256 is None}))
    return [
        image if image is not None else _elsewhere(given, str(reason), by_hash, by_name, problems)
        for given, image, reason in zip(labels, read, unread, strict=True)
    ]


def _elsewhere(
    given: GivenLabel,
    reason: str,
    by_hash: Mapping[str, FoundImage],
    by_name: Mapping[str, "_InJob"],
    problems: Problems,
) -> FoundImage | None:
    if given.sha256 is not None and given.sha256 in by_hash:
        return by_hash[given.sha256]
    if given.sha256 is not None or given.image not in by_name:
        expected = "Expected a file, or an image that a job has."
        problems.add(given.where, f"{given.image} was never seen: {reason} {expected}")
        return None
    in_job = by_name[given.image]
    if len(in_job.images) == 1:
        return next(iter(in_job.images.values()))
    problems.add(
        given.where,
        f"job {in_job.job_id} has several images of that name, {given.image}; say which by its path, or in a table by "
        "the column sha256",
    )
    return None


def _read_all(
    database: Database, settings: Settings, labels: Sequence[GivenLabel]
) -> tuple[list[FoundImage | None], list[str | None]]:
    """What can be read, and why the others cannot."""
    found: list[FoundImage | None] = []
    reasons: list[str | None] = []
    # They are only hashed here; decoding is what is dangerous.
    with closing(build_image_loader(settings)) as images:
        known = KnownContents(database, images)
        known.look_up(given.locator for given in labels if given.locator is not None)
        access = Access.of(settings)
        for given in labels:
            image, reason = _read(known, given, access)
            found.append(image)
            reasons.append(reason)
        known.save()
    return found, reasons


def _read(known: KnownContents, given: GivenLabel, access: Access) -> tuple[FoundImage | None, str | None]:
    if given.locator is None:
        return None, "it is named by a program that keeps it to itself."
    try:
        opened_image = known.open(given.locator)
        _require_image(given.locator, opened_image.data, access)
    except InputError as error:
        return None, error.detail if error.reason is not Reason.NOT_FOUND else "there is no such file."
    key = opened_image.key
    if key is None or (given.sha256 is not None and key.sha256 != given.sha256):
        return None, "the file holds another image by now."
    return FoundImage(key.sha256, given.image, locator_to_text(given.locator)), None


def _require_image(locator: Locator, data: "bytes | np.ndarray | None", access: Access) -> None:
    """Look at how a file begins.

    Args:
        locator: where it is.
        data: what was read of it, or an item of an array; None: it has not changed since it was read.
        access: what may be read.

    Raises:
        InputError: it begins as no image does that can be decoded.
    """
    if data is None and isinstance(locator, FileLocator):
        with opened(locator.uri, access) as file:
            data = file.read(NUM_SNIFFED_BYTES)
    if isinstance(data, bytes):
        supported_format(data)


@dataclass(slots=True)
class _InJob:
    """Images of one name in the newest job that has any, by their content."""

    job_id: int
    images: dict[str, FoundImage] = field(default_factory=dict)


def _among_jobs(session: Session, names: Sequence[str]) -> dict[str, _InJob]:
    """Images of jobs by their names."""
    sha256 = func.coalesce(ImageTable.sha256, ResultTable.sha256, SampleTable.sha256)
    found: dict[str, _InJob] = {}
    for some in in_parts(names):
        rows = session.execute(
            select(ImageTable.job_id, ImageTable.name, ImageTable.locator, sha256)
            .outerjoin(
                ResultTable, (ResultTable.job_id == ImageTable.job_id) & (ResultTable.ordinal == ImageTable.ordinal)
            )
            .outerjoin(
                SampleTable, (SampleTable.job_id == ImageTable.job_id) & (SampleTable.ordinal == ImageTable.ordinal)
            )
            .where(ImageTable.name.in_(some), sha256.is_not(None))
            .order_by(ImageTable.job_id.desc())
        )
        for job_id, name, locator, content in rows:
            in_job = found.setdefault(name, _InJob(job_id))
            if in_job.job_id == job_id:
                in_job.images.setdefault(content, FoundImage(content, name, locator))
    return found


def _known(session: Session, hashes: Sequence[str]) -> dict[str, FoundImage]:
    """Images that labels, datasets or jobs have, by their content."""
    found: dict[str, FoundImage] = {}
    for some in in_parts(hashes):
        for table in (AnnotationTable, DatasetItemTable):
            rows = session.execute(select(table.sha256, table.name, table.locator).where(table.sha256.in_(some)))
            found |= {sha256: FoundImage(sha256, name, locator) for sha256, name, locator in rows}
        of_jobs = session.execute(
            select(ResultTable.sha256, ImageTable.name, ImageTable.locator)
            .join(ImageTable, (ImageTable.job_id == ResultTable.job_id) & (ImageTable.ordinal == ResultTable.ordinal))
            .where(ResultTable.sha256.in_(some))
        )
        found |= {str(sha256): FoundImage(str(sha256), name, locator) for sha256, name, locator in of_jobs}
    return found
