"""Steps that tests of labels are made of: write a table, take it in, look what is known by then."""

from pathlib import Path
from typing import Any

from colours import settings_for_submitting
from sqlalchemy import func, select

from db.annotations import newest_annotations
from db.database import Database
from db.label_tables import AnnotationTable
from orchestrator.labels.reading import LabelFile
from orchestrator.labels.recording import Taking, record
from orchestrator.labels.values import ImportReport
from workers.access import Access

SETTINGS = settings_for_submitting()


def take(ledger: Database, file: Path, **options: Any) -> ImportReport:
    return record(ledger, SETTINGS, LabelFile(str(file)).read(Access.of(SETTINGS)), Taking(**options))


def table(folder: Path, *rows: str, header: str = "image,label") -> Path:
    path = folder / "labels.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def num_labels(ledger: Database) -> int:
    with ledger.read() as session:
        return session.scalars(select(func.count()).select_from(AnnotationTable)).one()


def said(ledger: Database) -> dict[str, str]:
    with ledger.read() as session:
        return {Path(one.name).name: one.label for one in newest_annotations(session, "colours").values()}
