"""The simulation of a fleet: it keeps the contract, says the same twice, and saturates where the arithmetic says."""

from dataclasses import replace

import pytest
from sqlalchemy import delete, select

from benchmarks.scale_sim import __main__ as program
from benchmarks.scale_sim.costs import Line, read_costs
from benchmarks.scale_sim.ledger import SimulatedLedger
from benchmarks.scale_sim.loop import Loop, Station
from benchmarks.scale_sim.scenario import Scenario
from benchmarks.scale_sim.simulation import simulate
from core.types import ChunkState
from db.tables import ChunkTable, ResultTable

FIFTY = Scenario(workers=50, chunks_per_worker=4, images_per_row=16)
# Small chunks, so that freezes often meet one between its last batch and its finish.
TROUBLED = replace(
    FIFTY,
    workers=20,
    chunk_size=64,
    chunks_per_worker=24,
    lease_s=2.0,
    sweep_interval_s=1.0,
    deaths_per_min=2.0,
    replaced_after_s=3.0,
    freezes_per_min=30.0,
    frozen_s=4.0,
    rack=3,
)


@pytest.fixture(scope="module")
def costs():
    return read_costs()


@pytest.fixture
def small():
    """A ledger of 64 chunks of 16 rows, and its clock."""
    loop = Loop()
    ledger = SimulatedLedger(loop, Scenario(workers=1, images_per_row=16))
    yield loop, ledger
    ledger.close()


def finish_all(ledger: SimulatedLedger) -> None:
    while lease := ledger.claim():
        assert ledger.finish(lease)


def test_every_image_ends_with_one_row_while_workers_die_freeze_and_a_rack_goes(costs):
    report = simulate(TROUBLED, costs)
    assert report.breaches == ()
    assert report.deaths > TROUBLED.rack
    assert report.expired > TROUBLED.rack
    assert report.fenced > 0


def test_the_same_seed_gives_the_same_report_and_another_one_another(costs):
    scenario = replace(TROUBLED, chunks_per_worker=8)
    assert simulate(scenario, costs) == simulate(scenario, costs)
    assert simulate(scenario, costs).duration_s != simulate(replace(scenario, seed=2), costs).duration_s


def test_below_saturation_the_workers_are_the_limit_and_the_database_waits(costs):
    report = simulate(replace(FIFTY, cores=4), costs)
    assert report.images_per_s == pytest.approx(50 * 350.0, rel=0.15)
    assert report.expected_images_per_s == 50 * 350.0
    assert report.utilisation < 0.5


def test_above_saturation_the_database_is_the_limit_as_the_arithmetic_says(costs):
    report = simulate(replace(FIFTY, cores=1, images_per_s=3_000.0), costs)
    assert report.utilisation > 0.95
    assert report.images_per_s < 0.5 * 50 * 3_000.0
    assert report.images_per_s == pytest.approx(report.expected_images_per_s, rel=0.2)


def test_nobody_alive_loses_a_lease_to_a_queue_that_is_shorter_than_the_lease(costs):
    assert simulate(replace(FIFTY, cores=1, images_per_s=3_000.0), costs).expired == 0


def test_leases_of_the_living_run_out_when_the_queue_is_longer_than_a_lease_and_rows_stay_right(costs):
    impatient = replace(FIFTY, cores=1, images_per_s=3_000.0, lease_s=0.1, sweep_interval_s=0.1, sweepers=1)
    report = simulate(impatient, costs)
    assert report.expired_alive > 0
    assert report.breaches == ()


def test_leases_run_out_by_the_simulated_clock(small):
    loop, ledger = small
    lease = ledger.claim()
    loop.now_s = 29.0
    assert ledger.sweep().expired == []
    loop.now_s = 31.0
    assert ledger.sweep().expired == [lease.chunk_id]
    assert not ledger.finish(lease)


def test_a_ledger_that_is_done_breaches_nothing(small):
    _, ledger = small
    finish_all(ledger)
    assert list(ledger.breaches()) == []


def test_an_image_without_a_row_and_a_chunk_without_an_end_are_breaches(small):
    _, ledger = small
    finish_all(ledger)
    with ledger._database.write() as session:
        session.execute(delete(ResultTable).where(ResultTable.ordinal == 5))
    assert list(ledger.breaches()) == ["Job 1: 1024 images, 1023 with a row, 1023 rows."]


def test_a_job_that_does_not_end_is_a_breach(small):
    _, ledger = small
    ledger.claim()
    assert next(ledger.breaches()) == "Job 1 is running and not done."


def test_the_program_fails_when_the_contract_is_broken(monkeypatch, capsys):
    finish = SimulatedLedger.finish

    def forget_a_row(self: SimulatedLedger, lease):
        held = finish(self, lease)
        with self._database.write() as session:
            first = session.scalars(select(ChunkTable.id).where(ChunkTable.state == ChunkState.DONE).limit(1)).one()
            if held and lease.chunk_id == first:
                session.execute(delete(ResultTable).where(ResultTable.ordinal == lease.first_ordinal))
        return held

    monkeypatch.setattr("sys.argv", ["scale_sim", "--workers", "2"])
    assert program.main() == 0
    monkeypatch.setattr(SimulatedLedger, "finish", forget_a_row)
    assert program.main() == 1
    assert "2 workers, 2 cores: Job 1: 512 images, 511 with a row" in capsys.readouterr().out


def test_a_queue_serves_in_order_and_knows_how_long_it_was_busy():
    loop, served = Loop(), []
    station = Station(loop, 2)

    def come(name: str) -> None:
        def leave() -> None:
            served.append((name, loop.now_s))
            station.leave()

        station.enter(lambda: loop.after(3.0, leave))

    for name in "abc":
        come(name)
    loop.run(until=lambda: False, max_s=100.0)
    assert served == [("a", 3.0), ("b", 3.0), ("c", 6.0)]
    assert station.busy_s() == 9.0


def test_more_work_never_takes_less_whatever_the_noise_of_the_measurement():
    assert Line.through([(0, 2.0), (100, 1.0)]) == Line(1.5, 0.0)
    assert Line.through([(0, 1.0), (100, 3.0)]).at(200) == pytest.approx(5.0)


def test_what_the_simulation_draws_was_measured(costs):
    drawn = {"claim", "read", "look", "renew", "find features", "save features", "finish", "close", "sweep"}
    assert drawn <= set(costs)
    assert all(costs[operation].server_s(256) > 0 for operation in drawn)
