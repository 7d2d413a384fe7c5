"""A folder to work in, and what to put there. Sources never decode, so that an image here is but its first bytes."""

import os

import fsspec
import pytest
from containers import JPEG
from hostile_servers import hostile_server

from orchestrator.sources import SourceSpec, open_source, resolve_sources
from workers.access import Access

# The web servers of tests are on this machine.
ACCESS = Access(allow_private_hosts=True)


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
def server():
    """A web server that answers as a test says."""
    with hostile_server() as server:
        yield server


@pytest.fixture
def resolve(tmp_path):
    """Resolve sources as the command line does, from the folder, and through the ledger's JSON."""

    def resolve(*texts, access=ACCESS, **options):
        specs = resolve_sources(texts, access, cwd=tmp_path, **options)
        return [SourceSpec.from_json(spec.to_json()) for spec in specs]

    return resolve


@pytest.fixture
def items_of(resolve):
    """All items of sources; taking each source up after any of its items must give the rest."""

    def items_of(*texts, **options):
        everything = []
        for spec in resolve(*texts, **options):
            items = list(open_source(spec, ACCESS).items())
            for position, item in enumerate(items):
                assert item.cursor.encode()
                assert list(open_source(spec, ACCESS).items(item.cursor)) == items[position + 1 :]
            everything += items
        return everything

    return items_of


@pytest.fixture
def names_of(items_of):
    """The names of all items of sources."""
    return lambda *texts, **options: [item.name for item in items_of(*texts, **options)]


@pytest.fixture
def memory():
    """An object store that is as empty before as after."""
    yield fsspec.filesystem("memory")
    fsspec.filesystem("memory").store.clear()
