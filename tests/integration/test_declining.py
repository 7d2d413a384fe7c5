"""Work that a worker cannot do: it says so, leaves it to others, and does the rest. On both databases."""

import os
from dataclasses import replace

import pytest
from ledger_steps import claim, job_with, num_results, state_of
from sqlalchemy import text
from worker_parts import HEAD, ConstantEngine, GreyImages, make_runtime

from core.errors import MemoryShortError, SchemaError, SetupError
from core.settings import DeviceName, EngineName, Settings
from core.training import TrainOptions
from core.types import JobKind, JobState
from db.database import Database
from db.ledger import control
from db.tables import ChunkTable, WorkerTable
from db.workers import WorkerIdentity
from orchestrator.summary import summarise
from workers.building import build_runtime
from workers.devices import describe_device, require_device
from workers.ml.catalog import get_backbone
from workers.ml.model_cache import LoadedBackbone
from workers.working import work


def waits_for(ledger: Database, job_id: int) -> str:
    with ledger.read() as session:
        return str(summarise(session, job_id).waits_for)


def deaths(ledger: Database, job_id: int) -> list[int]:
    with ledger.read() as session:
        return [chunk.deaths for chunk in session.query(ChunkTable).filter_by(job_id=job_id)]


def newest_backbone(ledger: Database) -> int:
    """A job of a network that only a newer version knows."""
    return job_with(ledger, 4, backbone="mobilenet-9000")


def test_a_network_that_this_version_does_not_know_is_left_to_a_newer_worker(ledger: Database):
    unknown, known = newest_backbone(ledger), job_with(ledger, 4)
    old = make_runtime(ledger)
    assert work(old) == 1
    assert (state_of(ledger, unknown), state_of(ledger, known)) == (JobState.RUNNING, JobState.DONE)
    assert "too old for the job: No backbone is called 'mobilenet-9000'" in waits_for(ledger, unknown)
    assert deaths(ledger, unknown) == [0]

    newer = make_runtime(
        ledger, name="bert", load=lambda _: LoadedBackbone(get_backbone("mobilenet"), ConstantEngine(), HEAD)
    )
    assert work(newer) == 1
    assert (state_of(ledger, unknown), num_results(ledger, unknown)) == (JobState.DONE, 4)


def test_a_training_whose_network_this_version_does_not_know_is_left_too(ledger: Database):
    job_id = job_with(ledger, 4, backbone="mobilenet-9000", kind=JobKind.TRAIN)
    with ledger.write() as session:
        job = control.get_job(session, job_id)
        job.options = TrainOptions("mobilenet-9000", ("a", "b")).to_json()
    assert work(make_runtime(ledger)) == 0
    assert state_of(ledger, job_id) is JobState.RUNNING
    assert "too old for the job" in waits_for(ledger, job_id)


def test_a_network_that_does_not_fit_into_memory_is_declined_with_the_figures(ledger: Database):
    def load(name: str) -> LoadedBackbone:
        if name == "vgg16":
            raise MemoryShortError("vgg16 needs about 1,660 MB of memory here, and 200 MB are left.")
        return LoadedBackbone(get_backbone(name), ConstantEngine(), HEAD)

    large, small = job_with(ledger, 4, backbone="vgg16"), job_with(ledger, 4)
    assert work(make_runtime(ledger, load=load)) == 1
    assert (state_of(ledger, large), state_of(ledger, small)) == (JobState.RUNNING, JobState.DONE)
    assert "vgg16 needs about 1,660 MB" in waits_for(ledger, large)


def test_a_chunk_is_not_blamed_for_a_machine_that_cannot_start_processes(ledger: Database):
    class NoImages(GreyImages):
        def read(self, locator):
            raise SetupError(f"A process for decoding {locator} could not start.")

    job_id = job_with(ledger, 4)
    with pytest.raises(SetupError, match="could not start"):
        work(replace(make_runtime(ledger), images=NoImages()))
    lease = claim(ledger)
    assert lease is not None
    assert (lease.job_id, lease.deaths) == (job_id, 0)


def test_nothing_is_claimed_from_a_database_that_was_upgraded_meanwhile(ledger: Database):
    job_id = job_with(ledger, 4)
    runtime = make_runtime(ledger)
    with ledger.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaError, match="schema 9999 while this process ran"):
        work(runtime)
    with ledger.read() as session:
        assert [chunk.attempt for chunk in session.query(ChunkTable).filter_by(job_id=job_id)] == [0]


def test_a_worker_that_was_asked_for_a_gpu_where_there_is_none_ends_and_its_row_says_why(
    ledger: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("workers.devices.may_have_accelerator", lambda: False)
    settings = Settings(database_url=database_url, device=DeviceName.GPU)
    with pytest.raises(SetupError, match="LABELYARD_DEVICE=gpu asks for a GPU, and this machine has none"):
        build_runtime(settings, WorkerIdentity("anna", "here", 1))
    with ledger.read() as session:
        row = session.get_one(WorkerTable, "anna")
        assert row.stopped_at is not None
        assert "LABELYARD_DEVICE=auto works without" in str(row.declines)


def test_a_gpu_and_an_engine_for_processors_exclude_each_other():
    with pytest.raises(SetupError, match="exclude each other"):
        require_device(Settings(device=DeviceName.GPU, engine=EngineName.OPENVINO))


def test_a_worker_for_processors_hides_the_cards(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setenv("HIP_VISIBLE_DEVICES", "0")
    require_device(Settings(device=DeviceName.CPU))
    assert os.environ["CUDA_VISIBLE_DEVICES"] == os.environ["HIP_VISIBLE_DEVICES"] == "-1"
    assert describe_device(Settings(device=DeviceName.CPU)).startswith("openvino on ")
