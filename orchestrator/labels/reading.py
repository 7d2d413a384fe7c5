"""From what a user names to labels: a folder of class folders, a table, or a file of Label Studio's."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.errors import SourceError, UsageError
from core.types import Split
from orchestrator.datasets import open_dataset
from orchestrator.datasets.manifests import SPLIT_COLUMN, Columns
from orchestrator.datasets.values import SPLIT_NAMES
from orchestrator.labels.label_studio import read_tasks
from orchestrator.labels.values import GivenLabel, Problems
from orchestrator.sources.manifests import EntryReader, row_reader
from orchestrator.sources.resolving import locate
from orchestrator.sources.specs import SourceSpec
from orchestrator.sources.tables import entry_text
from orchestrator.sources.trees import EntryKind, tree_of
from workers.access import Access

ANNOTATOR_COLUMN, TIME_COLUMN, HASH_COLUMN = "annotator", "created_at", "sha256"
_OPTIONAL = (ANNOTATOR_COLUMN, TIME_COLUMN, SPLIT_COLUMN, HASH_COLUMN)
_FORMS = (
    "Expected a folder of class folders, a table (.csv, .jsonl, .parquet) with image and label columns, or tasks of "
    "Label Studio (.json)."
)


@dataclass(frozen=True, slots=True)
class LabelFile:
    """Labels as a user names them."""

    text: str
    columns: Columns = field(default_factory=Columns)
    allow_http: bool = False
    cwd: Path = field(default_factory=Path.cwd)

    def read(self, access: Access) -> list[GivenLabel]:
        """Read all of them, in their order.

        Raises:
            UsageError: it is not there, or of another form; the message says where.
        """
        spec = SourceSpec(self.text, locate(self.text, self.cwd, access), None, self.allow_http)
        tree = tree_of(spec.location, access)
        match tree.kind(spec.location):
            case EntryKind.FOLDER:
                return self._read_folder(access)
            case EntryKind.FILE if spec.location.lower().endswith(".json"):
                with tree.open(spec.location) as file:
                    return read_tasks(file, self.text, EntryReader(access, spec))
            case EntryKind.FILE if row_reader(spec.location) is not None:
                return self._read_table(spec, access)
            case None:
                raise SourceError(f"{self.text} does not exist. {_FORMS}")
        raise UsageError(f"{self.text} holds no labels. {_FORMS}")

    def _read_folder(self, access: Access) -> list[GivenLabel]:
        dataset = open_dataset(self.text, access, cwd=self.cwd)
        return [
            GivenLabel(
                where=labelled.item.name,
                image=labelled.item.name,
                locator=labelled.item.locator,
                label=dataset.classes[labelled.class_index],
            )
            for labelled in dataset.items
        ]

    def _read_table(self, spec: SourceSpec, access: Access) -> list[GivenLabel]:
        reader, problems = row_reader(spec.location), Problems()
        assert reader is not None, "the caller has looked"  # noqa: S101
        images = EntryReader(access, spec)
        chosen: list[str] = []

        def choose(names: Sequence[str]) -> Sequence[str]:
            image, label, *_ = self.columns.choose(names, self.text)
            chosen[:] = [image, label, *(name for name in _OPTIONAL if name in names and name not in (image, label))]
            return chosen

        labels = []
        with tree_of(spec.location, access).open(spec.location) as file:
            for position, (where, cells) in enumerate(reader(file, self.text, choose)):
                row = dict(zip(chosen, cells, strict=True))
                image, label = entry_text(cells[0], where), _text(cells[1])
                if image is None or label is None:
                    problems.add(where, f"there is no {'image' if image is None else 'label'}")
                    continue
                if not _is_unicode(label):
                    # Else a table of another encoding would bring classes that nobody can read.
                    problems.add(where, f"the label {label!r} is not UTF-8; save the table as UTF-8")
                    continue
                locator = images.item(image, position).locator
                labels.append(GivenLabel(where, image, locator, label, **_optional(row, where, problems)))
        problems.raise_any()
        if not labels:
            raise UsageError(f"{self.text} holds no label. Expected a line for each image, with its label.")
        return labels


def _optional(row: dict[str, Any], where: str, problems: Problems) -> dict[str, Any]:
    """Those of the columns that are there."""
    found: dict[str, Any] = {"annotator": _text(row.get(ANNOTATOR_COLUMN)), "sha256": _text(row.get(HASH_COLUMN))}
    if (moment := _text(row.get(TIME_COLUMN))) is not None:
        found["created_at"] = _read_time(moment, where, problems)
    if (split := _text(row.get(SPLIT_COLUMN))) is not None:
        known = SPLIT_NAMES.get(split.casefold())
        if known is None:
            problems.add(where, f"{SPLIT_COLUMN} is {split!r}; expected test, or nothing")
        found["split"] = known if known is Split.TEST else None
    return found


def _read_time(text: str, where: str, problems: Problems) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        problems.add(where, f"{TIME_COLUMN} is {text!r}; expected such as 2026-11-25T03:00:00+00:00")
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _text(cell: Any) -> str | None:  # noqa: ANN401 - whatever JSON or Parquet holds
    if cell is None or cell != cell:  # noqa: PLR0124 - not a number is not itself
        return None
    return str(cell).strip() or None


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
