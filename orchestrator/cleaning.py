"""What `labelyard gc` lets go of: each kind of leftover is found, and deleted, by a step of its own.

Steps go in the order in which one sets the next free: jobs before the versions that they applied, versions before
their features and networks. Each deletes in small transactions and asks again in each whether it still may.
"""

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import DatabaseError, SetupError, UnknownModelError
from core.settings import Settings
from db import gc
from db.clock import now_s
from db.compacting import compact
from db.contents import count_contents, prune_contents
from db.database import Database
from db.features import FeatureUsage, evict_oldest, feature_usage
from db.model_tables import ModelTable
from workers.ml.catalog import BACKBONES
from workers.ml.engines.conversion import ConvertedNetworks
from workers.ml.engines.quantization import quantized_folder
from workers.ml.weights import is_cached
from workers.trained import recipe_of

# Rows that are deleted in one transaction; others write in between.
BATCH_SIZE = 5000


@dataclass(frozen=True, slots=True)
class Rules:
    """What is old enough, or too much."""

    older_than_s: float
    max_feature_bytes: int | None = None  # what kept features may take; None: age alone decides


@dataclass(frozen=True, slots=True)
class Leftover:
    """Things of one kind that go."""

    kind: str  # "ended jobs"
    number: int
    what: str  # a few names, or what belongs to them
    num_bytes: int | None = None  # where that is known

    def to_json(self) -> dict[str, Any]:
        """Plain values, in the order of the fields."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Place:
    """What is cleaned, and by which rules."""

    database: Database
    settings: Settings
    rules: Rules


def look(place: Place) -> list[Leftover]:
    """Say what `clean` would delete; nothing is changed.

    What a deletion sets free (a version that only an old job applied) shows in the next look.
    """
    return [found for step in _STEPS for found in step(place, False)]


def clean(place: Place) -> list[Leftover]:
    """Delete it, and say what was deleted."""
    deleted = [found for step in _STEPS for found in step(place, True)]
    file = place.database.file
    # A copy of the file is made under a lock that all others wait for.
    if deleted and file is not None and not place.database.query(gc.has_unfinished_jobs):
        num_bytes = compact(file)
        deleted += [Leftover("empty pages", 1, f"of {file.name}", num_bytes)] if num_bytes else []
    return deleted


def _half_deleted(place: Place, for_real: bool) -> Iterator[Leftover]:
    job_ids = place.database.query(gc.orphaned_jobs)
    if for_real:
        _orphans(place.database)
    if job_ids:
        yield Leftover("half-deleted jobs", len(job_ids), "that a cleaning which died has left rows of")


def _jobs(place: Place, for_real: bool) -> Iterator[Leftover]:
    older_than_s = place.rules.older_than_s
    jobs = place.database.query(lambda session: gc.old_jobs(session, older_than_s=older_than_s))
    if for_real:
        _delete(place, gc.delete_job, [job.id for job in jobs])
        _orphans(place.database)
    if jobs:
        yield Leftover("ended jobs", len(jobs), f"with {sum(job.num_images for job in jobs):,} images and their rows")


def _versions(place: Place, for_real: bool) -> Iterator[Leftover]:
    older_than_s = place.rules.older_than_s
    models = place.database.query(lambda session: gc.old_versions(session, older_than_s=older_than_s))
    if for_real:
        _delete(place, gc.delete_version, [model.id for model in models])
        _orphans(place.database)
    if models:
        yield Leftover("versions", len(models), _named([model.label for model in models]))


def _artifacts(place: Place, for_real: bool) -> Iterator[Leftover]:
    older_than_s = place.rules.older_than_s
    found = place.database.query(lambda session: gc.leftover_artifacts(session, older_than_s=older_than_s))
    if for_real:
        _delete(place, gc.delete_artifact, [artifact.id for artifact in found])
    if found:
        num_bytes = sum(artifact.num_bytes for artifact in found)
        yield Leftover("checkpoints", len(found), "that no training goes on from", num_bytes)


def _workers(place: Place, for_real: bool) -> Iterator[Leftover]:
    older_than_s = place.rules.older_than_s
    work = gc.delete_gone_workers if for_real else gc.count_gone_workers
    number = place.database.transact(lambda session: work(session, older_than_s=older_than_s))
    if number:
        yield Leftover("gone workers", number, "that were not heard of since")


def _features(place: Place, for_real: bool) -> Iterator[Leftover]:
    usages, last_uses, model_ids, now = place.database.query(_read_usage)
    usages = sorted(usages, key=lambda usage: last_uses.get(_network(usage), 0.0))  # least recently used first
    surplus = _surplus(usages, place.rules.max_feature_bytes)
    going: list[tuple[FeatureUsage, int]] = []
    for usage in usages:
        vector_bytes = max(usage.num_bytes // usage.num_vectors, 1)
        is_unused = last_uses.get(_network(usage), usage.stored_at[1] or 0.0) < now - place.rules.older_than_s
        all_go = is_unused or not _has_model(usage, model_ids)
        number = usage.num_vectors if all_go else min(usage.num_vectors, ceil(surplus / vector_bytes))
        if number:
            going.append((usage, number))
            surplus = max(surplus - number * vector_bytes, 0)
    for usage, number in going:
        if for_real:
            _evict(place.database, usage.extractor, number)
        num_bytes = usage.num_bytes * number // usage.num_vectors
        yield Leftover("feature vectors", number, f"of {_network(usage)}, {_preprocessing(usage)}", num_bytes)


def _contents(place: Place, for_real: bool) -> Iterator[Leftover]:
    older_than_s = place.rules.older_than_s
    number = place.database.query(partial(count_contents, older_than_s=older_than_s))
    forget_some = partial(prune_contents, older_than_s=older_than_s, limit=BATCH_SIZE)
    while for_real and place.database.transact(forget_some) == BATCH_SIZE:
        continue
    if number:
        yield Leftover("notes on files", number, "by which those that have not changed are not read again")


def _networks(place: Place, for_real: bool) -> Iterator[Leftover]:
    networks = ConvertedNetworks(place.settings.home)
    others = networks.others(())
    if not others:
        return
    needed = set(_needed_folders(place.database, place.settings, networks))
    oldest_kept_at = time.time() - place.rules.older_than_s
    going = [folder for folder in networks.others(needed) if folder.stat().st_mtime < oldest_kept_at]
    num_bytes = sum(file.stat().st_size for folder in going for file in folder.rglob("*") if file.is_file())
    if for_real:
        for folder in going:
            shutil.rmtree(folder, ignore_errors=True)
    if going:
        yield Leftover("converted networks", len(going), "that no model needs, on this machine", num_bytes)


# Last what the others set free.
_STEPS: tuple[Callable[[Place, bool], Iterator[Leftover]], ...] = (
    _half_deleted,
    _jobs,
    _versions,
    _artifacts,
    _workers,
    _features,
    _contents,
    _networks,
)


def _delete(place: Place, delete: Callable[..., bool], numbers: Sequence[int]) -> None:
    """Delete things one by one, each if it may still go."""
    for number in numbers:
        place.database.transact(lambda session: delete(session, number, older_than_s=place.rules.older_than_s))  # noqa: B023 - called at once


def _orphans(database: Database) -> None:
    for job_id in database.query(gc.orphaned_jobs):
        delete_some = partial(gc.delete_orphans, job_id=job_id, limit=BATCH_SIZE)
        while database.transact(delete_some) == BATCH_SIZE:
            continue


def _evict(database: Database, extractor: str, number: int) -> None:
    while number > 0:
        deleted = database.transact(partial(evict_oldest, extractor=extractor, limit=min(number, BATCH_SIZE)))
        number = number - deleted if deleted else 0


def _read_usage(session: Session) -> tuple[list[FeatureUsage], dict[str, float], set[int], float]:
    return (
        feature_usage(session),
        gc.last_uses(session),
        set(session.scalars(select(ModelTable.id))),
        session.scalars(select(now_s())).one(),
    )


def _surplus(usages: list[FeatureUsage], max_bytes: int | None) -> int:
    return 0 if max_bytes is None else max(sum(usage.num_bytes for usage in usages) - max_bytes, 0)


def _network(usage: FeatureUsage) -> str:
    """The network that computed them, as `db.model_tables.ModelTable.network` calls it."""
    return usage.extractor.partition("/")[0].removesuffix(":int8").partition("#")[0]


def _preprocessing(usage: FeatureUsage) -> str:
    """How the images came to them, as `labelyard features` calls it."""
    return usage.extractor.partition("/")[2].removeprefix("imagenet/").replace("/", " ")


def _has_model(usage: FeatureUsage, model_ids: set[int]) -> bool:
    """Whether the model is there whose own network computed them; a published network is nobody's."""
    _, mark, model_id = usage.extractor.partition("/")[0].removesuffix(":int8").partition("#")
    return not mark or int(model_id) in model_ids


def _needed_folders(database: Database, settings: Settings, networks: ConvertedNetworks) -> Iterator[Path]:
    rows = database.query(lambda session: session.execute(select(ModelTable.network, ModelTable.backbone)).all())
    for name in sorted({name for row in rows for name in row}):
        spec = BACKBONES.get(name)
        if spec is not None and not is_cached(spec):
            continue  # without its weights nothing that was made of them can be found again
        try:
            recipe, _ = recipe_of(name, database)
            yield networks.path(recipe)
            yield quantized_folder(recipe, settings)
        except DatabaseError:
            raise  # it may well be needed
        except (UnknownModelError, SetupError):
            continue


def _named(names: list[str], limit: int = 5) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return f"{', '.join(names[:limit])}{more}"
