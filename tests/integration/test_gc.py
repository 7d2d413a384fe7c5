"""What `labelyard gc` deletes and, above all, what it does not. On both databases."""

import os
import sqlite3
from pathlib import Path

import pytest
from gc_steps import MONTH_S, age, count, done_job, kinds, place, version, versions
from ledger_steps import claim, finish, job_with, state_of
from sqlalchemy import select, update

from core.features import FeatureKey
from core.types import ArtifactKind, JobKind, JobState
from db import gc
from db.artifacts import read_artifact, write_artifact
from db.compacting import compact
from db.contents import Content, save_contents
from db.database import Database
from db.features import feature_usage, save_features
from db.ledger import control
from db.model_tables import ArtifactPartTable, ArtifactTable, ContentTable, ModelTable
from db.promotions import champion_of, promote, roll_back
from db.tables import ChunkTable, ImageTable, JobModelTable, JobTable, ResultTable, WorkerTable
from db.workers import WorkerIdentity, WorkerReport, report
from orchestrator import cleaning
from orchestrator.cleaning import clean, look


def test_old_ended_jobs_go_with_everything_and_nothing_of_others_is_touched(
    ledger: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(cleaning, "BATCH_SIZE", 3)
    old, young = done_job(ledger), done_job(ledger)
    running = job_with(ledger, 8)
    assert finish(ledger, claim(ledger))
    paused = job_with(ledger, 8)
    with ledger.write() as session:
        control.pause(session, paused)
    age(ledger, JobTable, "created_at")
    age(ledger, JobTable, "finished_at", JobTable.id == old)
    assert kinds(look(place(ledger, tmp_path))) == {"ended jobs": 1}
    assert count(ledger, JobTable) == 4, "looking changes nothing"
    assert kinds(clean(place(ledger, tmp_path))) == {"ended jobs": 1}
    for table in (ImageTable, ResultTable, ChunkTable, JobModelTable):
        assert count(ledger, table, table.job_id == old) == 0
        assert count(ledger, table, table.job_id == young) > 0
    assert count(ledger, ImageTable, ImageTable.job_id == running) == 8
    assert count(ledger, ResultTable, ResultTable.job_id == running) == 4
    with ledger.write() as session:
        control.resume(session, paused)
    while lease := claim(ledger):
        assert finish(ledger, lease)
    assert state_of(ledger, running) is state_of(ledger, paused) is JobState.DONE
    assert look(place(ledger, tmp_path)) == []


def test_a_cleaning_that_died_half_way_is_finished_by_the_next(ledger: Database, tmp_path: Path):
    old, _ = done_job(ledger), done_job(ledger)
    age(ledger, JobTable, "finished_at", JobTable.id == old)
    with ledger.write() as session:
        assert gc.delete_job(session, old, older_than_s=MONTH_S)
    with ledger.write() as session:
        assert gc.delete_orphans(session, old, limit=5) == 5
    assert kinds(look(place(ledger, tmp_path))) == {"half-deleted jobs": 1}
    clean(place(ledger, tmp_path))
    assert look(place(ledger, tmp_path)) == []
    assert (
        count(ledger, ImageTable, ImageTable.job_id == old)
        == count(ledger, ResultTable, ResultTable.job_id == old)
        == 0
    )


def test_a_job_that_is_retried_in_the_same_moment_stays(ledger: Database):
    old, _ = job_with(ledger, 4), job_with(ledger, 4)
    finish(ledger, claim(ledger), bad=[1])
    age(ledger, JobTable, "finished_at", JobTable.id == old)
    with ledger.read() as session:
        assert [job.id for job in gc.old_jobs(session, older_than_s=MONTH_S)] == [old]
    with ledger.write() as session:
        control.retry_errors(session, old, chunk_size=4)
    with ledger.write() as session:
        assert not gc.delete_job(session, old, older_than_s=MONTH_S)


def test_the_newest_job_stays_so_that_its_number_does_not_come_again(ledger: Database, tmp_path: Path):
    only = done_job(ledger)
    age(ledger, JobTable, "finished_at")
    assert clean(place(ledger, tmp_path)) == []
    assert job_with(ledger, 4) > only


def test_a_champion_the_one_before_it_and_the_newest_version_never_go(ledger: Database, tmp_path: Path):
    ids = [version(ledger) for _ in range(5)]
    version(ledger, name="other")
    for model_id in (ids[2], ids[3]):
        with ledger.write() as session:
            promote(session, session.get_one(ModelTable, model_id))
    age(ledger, ModelTable, "ready_at")
    age(ledger, ModelTable, "created_at")
    found = clean(place(ledger, tmp_path))
    assert [(one.kind, one.what) for one in found] == [("versions", "parts@1, parts@2")]
    assert versions(ledger) == ["other@1", "parts@3", "parts@4", "parts@5"]
    with ledger.write() as session:
        assert champion_of(session, "parts").version == 4
        assert roll_back(session, "parts").version == 3
    clean(place(ledger, tmp_path))
    assert "parts@3" in versions(ledger)
    assert read_artifact(ledger, ids[2], ArtifactKind.HEAD) == b"numbers"


def test_a_version_that_a_job_applies_stays_with_the_job_that_trained_it(ledger: Database, tmp_path: Path):
    training = done_job(ledger, 4, kind=JobKind.TRAIN)
    used = version(ledger)
    with ledger.write() as session:
        session.get_one(ModelTable, used).job_id = training
    for _ in range(2):
        newest = version(ledger)
    with ledger.write() as session:
        promote(session, session.get_one(ModelTable, newest))
        promote(session, session.get_one(ModelTable, newest - 1))
    applying = job_with(ledger, 4)
    with ledger.write() as session:
        session.execute(update(JobModelTable).where(JobModelTable.job_id == applying).values(model_id=used))
    for table, column in ((ModelTable, "ready_at"), (ModelTable, "created_at"), (JobTable, "finished_at")):
        age(ledger, table, column)
    assert clean(place(ledger, tmp_path)) == []
    with ledger.write() as session:
        control.cancel(session, applying)
    job_with(ledger, 4)
    age(ledger, JobTable, "finished_at", JobTable.id == applying)
    assert kinds(clean(place(ledger, tmp_path))) == {"ended jobs": 1, "versions": 1}
    assert count(ledger, JobTable, JobTable.id == training) == 0
    assert count(ledger, ResultTable, ResultTable.job_id == training) == 0


def test_a_version_stays_as_long_as_the_job_that_trained_it(ledger: Database, tmp_path: Path):
    training = done_job(ledger, 4, kind=JobKind.TRAIN)
    for job_id in (None, training, None):
        version(ledger, job_id=job_id)
    for column in ("ready_at", "created_at"):
        age(ledger, ModelTable, column)
    assert clean(place(ledger, tmp_path)) == [], "it ended a moment ago"
    age(ledger, JobTable, "finished_at")
    assert clean(place(ledger, tmp_path)) == [], "SQLite would give its number to the next job"
    assert job_with(ledger, 4) > training
    assert kinds(clean(place(ledger, tmp_path))) == {"versions": 1}
    assert versions(ledger) == ["parts@1", "parts@3"]
    assert count(ledger, JobTable, JobTable.id == training) == 0


def test_checkpoints_go_where_nothing_goes_on_from_them(ledger: Database, tmp_path: Path):
    def training() -> tuple[int, int]:
        job_id = job_with(ledger, 4, kind=JobKind.TRAIN)
        model_id = version(ledger, job_id=job_id, is_ready=False)
        artifact_id = write_artifact(ledger, model_id, ArtifactKind.CHECKPOINT, b"state")
        with ledger.write() as session:
            session.execute(update(ArtifactTable).where(ArtifactTable.id == artifact_id).values(is_complete=True))
        return job_id, model_id

    cancelled, failed, paused, running = training(), training(), training(), training()
    with ledger.write() as session:
        control.cancel(session, cancelled[0])
        control.fail(session, failed[0], "too few images")
        control.pause(session, paused[0])
    assert kinds(clean(place(ledger, tmp_path))) == {"checkpoints": 1}
    assert read_artifact(ledger, cancelled[1], ArtifactKind.CHECKPOINT) is None
    assert count(ledger, ArtifactPartTable) == 3
    for _, model_id in (failed, paused, running):
        assert read_artifact(ledger, model_id, ArtifactKind.CHECKPOINT) == b"state"


def test_features_go_least_recently_used_first_until_they_fit(ledger: Database, tmp_path: Path):
    done_job(ledger, backbone="vgg16")
    done_job(ledger, backbone="mobilenet")
    age(ledger, JobTable, "finished_at", JobTable.id == 1)
    with ledger.write() as session:
        session.execute(update(JobTable).where(JobTable.id == 1).values(finished_at=JobTable.finished_at + 364 * 86400))
    for network in ("vgg16", "mobilenet"):
        vectors = {FeatureKey(f"{n:064}"): bytes(100) for n in range(20)}
        with ledger.write() as session:
            save_features(session, f"{network}/imagenet/crop/224x224", vectors)
    assert look(place(ledger, tmp_path, max_feature_bytes=4000)) == []
    assert kinds(clean(place(ledger, tmp_path, max_feature_bytes=2500))) == {"feature vectors": 15}
    with ledger.read() as session:
        left = {usage.extractor.partition("/")[0]: usage.num_vectors for usage in feature_usage(session)}
    assert left == {"mobilenet": 20, "vgg16": 5}
    clean(place(ledger, tmp_path, max_feature_bytes=1000))
    with ledger.read() as session:
        assert [usage.num_vectors for usage in feature_usage(session)] == [10]


def test_features_of_a_model_that_is_gone_and_of_networks_that_nobody_uses_go(ledger: Database, tmp_path: Path):
    done_job(ledger, backbone="mobilenet")
    for extractor in (
        "mobilenet/imagenet/crop/224x224",
        "vgg16/imagenet/crop/224x224",
        "parts@1#99/imagenet/crop/224x224",
    ):
        with ledger.write() as session:
            save_features(session, extractor, {FeatureKey(f"{0:064}"): bytes(100)})
    found = clean(place(ledger, tmp_path))
    assert [(one.kind, one.what) for one in found] == [("feature vectors", "of parts@1, crop 224x224")]
    with ledger.write() as session:
        session.connection().exec_driver_sql("UPDATE feature SET created_at = 0")
    assert [one.what for one in clean(place(ledger, tmp_path))] == ["of vgg16, crop 224x224"]


def test_what_was_noted_of_files_long_ago_is_forgotten(ledger: Database, tmp_path: Path):
    with ledger.write() as session:
        save_contents(session, [(f"{n:064}", Content("stamp", f"{n:064}")) for n in range(7)])
    assert look(place(ledger, tmp_path)) == []
    age(ledger, ContentTable, "noted_at", ContentTable.place < f"{5:064}")
    assert kinds(clean(place(ledger, tmp_path))) == {"notes on files": 5}
    assert count(ledger, ContentTable) == 2


def test_rows_of_workers_that_are_long_gone_go_unless_they_have_a_chunk(ledger: Database, tmp_path: Path):
    job_with(ledger, 4)
    for name in ("anna", "bert", "carl"):
        with ledger.write() as session:
            report(session, WorkerIdentity(name, "here", 1), WorkerReport())
    assert claim(ledger).worker_id == "anna"
    age(ledger, WorkerTable, "seen_at", WorkerTable.id != "carl")
    assert kinds(clean(place(ledger, tmp_path))) == {"gone workers": 1}
    with ledger.read() as session:
        assert sorted(session.scalars(select(WorkerTable.id))) == ["anna", "carl"]


def test_converted_networks_that_no_model_needs_go_when_they_are_old(ledger: Database, tmp_path: Path):
    done_job(ledger)
    folder = tmp_path / "home" / "engines" / "openvino"
    for name in ("vgg16-old", "vgg16-young"):
        (folder / name).mkdir(parents=True)
        (folder / name / "network.bin").write_bytes(bytes(1000))
    os.utime(folder / "vgg16-old", (0, 0))
    (found,) = clean(place(ledger, tmp_path))
    assert (found.kind, found.number, found.num_bytes) == ("converted networks", 1, 1000)
    assert [path.name for path in folder.iterdir()] == ["vgg16-young"]


def test_an_sqlite_file_is_made_smaller_where_that_pays(tmp_path: Path):
    file = tmp_path / "a.db"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE t (b BLOB)")
        connection.executemany("INSERT INTO t VALUES (?)", [(bytes(1024**2),) for _ in range(40)])
    assert compact(file) == 0
    with sqlite3.connect(file) as connection:
        connection.execute("DELETE FROM t WHERE rowid > 5")
    connection.close()
    assert compact(file) > 30 * 1024**2
    with sqlite3.connect(file) as connection:
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (5,)
    connection.close()
