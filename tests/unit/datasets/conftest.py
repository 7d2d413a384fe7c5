"""A folder to work in, and what to put there. Datasets never decode, so that an image here is but its first bytes."""

import json
import os

import fsspec
import numpy as np
import pyarrow as pa
import pytest
from containers import JPEG
from pyarrow import parquet

from core.types import Split
from orchestrator.datasets import open_dataset
from workers.access import Access


@pytest.fixture
def write(tmp_path):
    """Write images, or other content, under names relative to the folder."""

    def write(*names, content=JPEG):
        for name in names:
            path = tmp_path / os.fsdecode(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    return write


@pytest.fixture
def write_rows(tmp_path):
    """Write rows, dictionaries of the same keys, as the manifest that a name's ending asks for."""

    def write_rows(name, rows):
        columns = list(rows[0])
        match name.rpartition(".")[2]:
            case "csv":
                lines = [",".join(columns), *(",".join("" if v is None else str(v) for v in r.values()) for r in rows)]
                (tmp_path / name).write_text("\n".join(lines) + "\n")
            case "jsonl":
                (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
            case "parquet":
                parquet.write_table(pa.Table.from_pylist(rows), tmp_path / name)
        return name

    return write_rows


@pytest.fixture
def write_arrays(tmp_path):
    """Write a pair of arrays; returns what a user would type."""

    def write_arrays(labels, *, num_images=None, prefix=""):
        num_images = len(labels) if num_images is None else num_images
        np.save(tmp_path / f"{prefix}images.npy", np.zeros((num_images, 2, 2, 3), np.uint8))
        np.save(tmp_path / f"{prefix}labels.npy", labels)
        return f"{prefix}images.npy,{prefix}labels.npy"

    return write_arrays


@pytest.fixture
def opened(tmp_path):
    """Open a dataset from the folder."""
    return lambda text, access=Access(), **options: open_dataset(text, access, cwd=tmp_path, **options)  # noqa: B008


@pytest.fixture
def contents():
    """What a dataset says: names of images by (class, split)."""

    def contents(dataset):
        found = {}
        for labelled in dataset.items:
            key = (dataset.classes[labelled.class_index], labelled.split and Split(labelled.split).value)
            found.setdefault(key, []).append(labelled.item.name)
        return found

    return contents


@pytest.fixture
def memory():
    """An object store that is as empty before as after."""
    yield fsspec.filesystem("memory")
    fsspec.filesystem("memory").store.clear()
