"""What a folder or a manifest holds by now, by the content of its images: what a schedule's `--data` is read into."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

from core.errors import InputError
from core.items import locator_to_text
from core.settings import Settings
from db.database import Database
from orchestrator.datasets import LabelledItem
from orchestrator.retraining.learned import LabelledContent
from orchestrator.training import DatasetRequest
from workers.access import Access
from workers.features.known import KnownContents
from workers.images.loading import build_image_loader


def read_contents(
    database: Database, settings: Settings, dataset: Mapping[str, Any] | None
) -> Sequence[LabelledContent]:
    """Look through a dataset; files that have not changed since they were read are not read again.

    Images to validate or to measure with are left out: those are chosen when a model is first trained. So are images
    that cannot be read.

    Args:
        database: where contents are noted.
        settings: what may be read.
        dataset: what `DatasetRequest.to_stored` wrote; None: there is none.

    Raises:
        UsageError: it is not there, or is no dataset.
    """
    if dataset is None:
        return []
    opened = DatasetRequest.from_stored(dataset).open(Access.of(settings))
    items = [labelled for labelled in opened.items if labelled.is_for_training]
    # They are only hashed here; decoding is what is dangerous.
    with closing(build_image_loader(settings)) as images:
        known = KnownContents(database, images)
        known.look_up(labelled.item.locator for labelled in items)
        found = [
            LabelledContent(
                sha256,
                opened.classes[labelled.class_index],
                None,
                labelled.item.name,
                locator_to_text(labelled.item.locator),
            )
            for labelled in items
            if (sha256 := _sha256(known, labelled)) is not None
        ]
        known.save()
    return found


def _sha256(known: KnownContents, labelled: LabelledItem) -> str | None:
    try:
        key = known.open(labelled.item.locator).key
    except InputError:
        return None
    return None if key is None else key.sha256
