"""What there is to say about an upload."""

from dataclasses import dataclass
from typing import Self

from db.api_tables import UploadTable


@dataclass(frozen=True, slots=True)
class UploadSummary:
    """Files that were sent together, and how a request names them."""

    id: str
    name: str
    source: str  # what `label` and `train` take: "upload:ID"; "upload:ID/FILE" is one file of it
    num_files: int
    num_bytes: int  # unpacked
    created_at: float  # seconds since 1970

    @classmethod
    def of(cls, row: UploadTable) -> Self:
        """What the store has of it."""
        return cls(row.id, row.name, f"upload:{row.id}", row.num_files, row.num_bytes, row.created_at)
