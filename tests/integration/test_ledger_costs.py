"""What is measured of the ledger on a real PostgreSQL is what the simulation can draw from; figures do not matter."""

import json

import pytest

from benchmarks.ledger_costs.__main__ import Sizes, measure
from benchmarks.scale_sim.costs import read_costs

TINY = Sizes(1, rows=(1_000,), clients=(1, 2), chunk_sizes=(128,), leases=(50,), held=8, jobs=3, chunks=120)


@pytest.mark.usefixtures("postgres_server")  # skips where there is none; the measurement starts its own
def test_what_is_measured_can_be_stored_and_drawn_from(tmp_path):
    measured = measure(TINY)
    loads = [cost["load"] for cost in measured["costs"]]
    assert {load["clients"] for load in loads} == {1, 2}
    assert {128, 256} == {load["images"] for load in loads}
    assert max(load["leases"] for load in loads) >= 50
    assert {name: sizes["rows"] > 0 for name, sizes in measured["bytes_per_row"].items()} == dict.fromkeys(
        ("image", "chunk", "result", "feature"), True
    )
    assert [found["is_held"] for found in measured["held_snapshot"]] == [False] * 4 + [True] * 4
    file = tmp_path / "measured.json"
    file.write_text(json.dumps(measured))
    costs = read_costs(file)
    assert {"claim", "finish", "sweep", "save features"} <= set(costs)
    assert all(cost.server_s(256) > 0 for cost in costs.values())
