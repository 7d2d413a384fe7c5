"""Jobs whose images are pictures that a test makes."""

from collections.abc import Sequence
from pathlib import Path

from ledger_steps import accept
from pictures import encoded, scene

from core.items import FileLocator, Item, Locator
from db.database import Database
from db.ledger import accepting


def job_of(ledger: Database, locators: Sequence[Locator], *, job_id: int | None = None) -> int:
    """A job whose images are these; a new one, or one that has none yet."""
    job_id = accept(ledger) if job_id is None else job_id
    items = [Item(f"{number}.jpg", locator, str(number)) for number, locator in enumerate(locators)]
    with ledger.write() as session:
        accepting.append_items(session, job_id, items, after=0, cursor="end", chunk_size=4)
        accepting.finish_planning(session, job_id, num_skipped=0)
    return job_id


def at(path: Path, data: bytes | None = None) -> FileLocator:
    """A file with these bytes, by default a picture's."""
    path.write_bytes(encoded(scene(300, 400), ".jpg") if data is None else data)
    return FileLocator(str(path))
