"""That the benchmark of the ceiling has every reference booked; how long that takes is nothing for a test."""

import os
from contextlib import nullcontext

import pytest

from benchmarks import datasets, labelyard, places
from benchmarks.sides import ceiling


@pytest.fixture(params=["sqlite", "servers"])
def new_ledger(request, environment):
    """Either ledger, with a worker's environment for it; the servers are those that all tests share."""
    if request.param == "servers":
        url = request.getfixturevalue("postgres_url")
        broker_url = request.getfixturevalue("redis_url")
        servers = {"LABELYARD_BROKER_URL": broker_url, "LABELYARD_DATABASE_URL": url}
        return lambda: nullcontext((environment | servers, url))
    return ceiling.fresh_sqlite


def test_every_reference_is_labelled_by_a_worker_that_does_nothing(new_ledger, keras_home, monkeypatch, tmp_path):
    monkeypatch.setattr(places, "KEPT", tmp_path)
    monkeypatch.setattr(ceiling, "MAX_WAIT_S", 60.0)
    monkeypatch.setattr(places, "WARM_HOME", tmp_path / "state")
    # Its weights have to be there; they are not read.
    monkeypatch.setattr(labelyard, "MODEL", "mobilenet-0.25")
    monkeypatch.setenv("KERAS_HOME", str(keras_home))
    for name in [name for name in os.environ if name.startswith("LABELYARD_")]:
        monkeypatch.delenv(name)
    measured = ceiling.measure(datasets.manifests(512) / "all.txt", new_ledger)
    assert measured.num_done == 512 - 32  # the first of its 16 chunks is start-up
    assert measured.peak_mb > 10
