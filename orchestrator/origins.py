"""Where a job's images come from: sources that a user names, or the images of an earlier job, `job:3`.

`orchestrator.sources` knows files and addresses; what is in the ledger is added here.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from core.errors import SourceError
from core.items import Item, locator_from_text
from core.types import JobKind
from db.database import Database
from db.tables import ImageTable, JobTable, ResultTable
from orchestrator.sources import Items, Source, SourceSpec, open_source, require_image, resolve_sources
from workers.access import Access

PAGE_SIZE = 2000
_JOB = re.compile(r"job:(\d{1,18})")


class JobSource:
    """The images of an earlier job: the same names in the same order, and the same contents where those are known.

    Args:
        database: the ledger.
        job_id: the earlier job.
    """

    def __init__(self, database: Database, job_id: int) -> None:
        self.num_skipped = 0
        self._database = database
        self._job_id = job_id

    def check(self) -> None:
        """Make sure that all its images are known.

        Raises:
            SourceError: there is no such job, it is no job of images, or its images are still being found.
        """
        self._database.query(self._require_images)

    def items(self, after: str | None = None) -> Items:
        """Enumerate its images, page by page."""
        last = -1 if after is None else int(after)
        while page := self._page(last):
            yield from page
            last = int(page[-1].cursor)

    def _page(self, after: int) -> list[Item]:
        """The images behind an ordinal; a job that was deleted meanwhile is not taken for one that has no more."""
        rows = self._database.query(lambda session: self._read(session, after))
        return [
            Item(name, locator_from_text(locator), cursor=str(ordinal), sha256=sha256)
            for ordinal, name, locator, sha256 in rows
        ]

    def _read(self, session: Session, after: int) -> Sequence[Row[int, str, str, str]]:
        seen = (
            select(func.max(ResultTable.sha256))
            .where(ResultTable.job_id == ImageTable.job_id, ResultTable.ordinal == ImageTable.ordinal)
            .correlate(ImageTable)
            .scalar_subquery()
        )
        query = (
            select(ImageTable.ordinal, ImageTable.name, ImageTable.locator, func.coalesce(ImageTable.sha256, seen))
            .where(ImageTable.job_id == self._job_id, ImageTable.ordinal > after)
            .order_by(ImageTable.ordinal)
            .limit(PAGE_SIZE)
        )
        rows = session.execute(query).all()
        # Behind the page: a job is deleted before its images, so one that is still there had them all.
        self._require_images(session)
        return rows

    def _require_images(self, session: Session) -> None:
        job = session.get(JobTable, self._job_id)
        if job is None:
            raise SourceError(f"job:{self._job_id} does not exist. `labelyard jobs` lists those there are.")
        if job.kind not in (JobKind.LABEL, JobKind.EVALUATE):
            raise SourceError(f"job:{self._job_id} is a training. Expected a job of `label` or `evaluate`.")
        if job.planned_at is None:
            raise SourceError(f"The images of job:{self._job_id} have not all been found yet. Wait until they are.")


@dataclass(frozen=True, slots=True)
class Origins:
    """Opens whatever images may come from."""

    database: Database
    access: Access

    def resolve(
        self, texts: Sequence[str], *, column: str | None = None, allow_http: bool = False, cwd: Path
    ) -> list[SourceSpec]:
        """Check what a user named, and say it so that it can be opened on another day.

        Raises:
            SourceError: a source does not exist, holds no image, or is not what its name says.
        """
        return [
            spec
            for text in texts
            for spec in (
                [self._resolve_job(text)]
                if _JOB.fullmatch(text)
                else resolve_sources([text], self.access, column=column, allow_http=allow_http, cwd=cwd)
            )
        ]

    def open(self, spec: SourceSpec) -> Source:
        """Open a source.

        Raises:
            SourceError: it is not there any more.
        """
        if (match := _JOB.fullmatch(spec.location)) is None:
            return open_source(spec, self.access)
        return JobSource(self.database, int(match[1]))

    def _resolve_job(self, text: str) -> SourceSpec:
        spec = SourceSpec(text, text)
        source = self.open(spec)
        source.check()
        require_image(source, text)
        return spec
