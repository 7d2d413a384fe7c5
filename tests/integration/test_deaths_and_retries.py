"""What becomes of images that kill their workers, and of images that are tried again, on both databases."""

import json
import os
import subprocess
import sys
from dataclasses import asdict

import pytest
from ledger_steps import accept, claim, finish, job_with, model_of, num_results, outcomes, plan, state_of
from sqlalchemy import select

from core.errors import UsageError
from core.items import FileLocator, Item
from core.jobs import ImageError, JobRequest, LabelOptions, Outcome, Prediction
from core.types import JobState, Reason
from db.database import Database
from db.ledger import accepting, control, leasing, sweeping
from db.ledger.progress import count_reasons, progress
from db.models import ensure_model
from db.results import labelled_images
from db.tables import ChunkTable


def test_a_chunk_whose_worker_died_twice_is_cut_until_the_killer_stands_alone(ledger: Database):
    """An image kills every worker that touches it; 15 others are in its chunk's way."""
    job_id = accept(ledger)
    items = [Item(f"{n}.jpg", FileLocator(f"/{n}.jpg"), str(n)) for n in range(16)]
    with ledger.write() as session:
        accepting.append_items(session, job_id, items, after=0, cursor="end", chunk_size=16)
        accepting.finish_planning(session, job_id, num_skipped=0)
    killer, num_deaths = 11, 0
    while lease := claim(ledger):
        if lease.first_ordinal <= killer <= lease.last_ordinal:
            num_deaths += 1
            with ledger.write() as session:
                sweeping.worker_died(session, "anna")
        else:
            assert finish(ledger, lease)
    assert state_of(ledger, job_id) is JobState.DONE
    with ledger.read() as session:
        reasons = {image.ordinal: image.reason for image in labelled_images(session, job_id, model_of(ledger, job_id))}
    assert reasons == {n: Reason.WORKER_DIED if n == killer else None for n in range(16)}
    # Two for the whole chunk, one for each cut, three for the image alone.
    assert num_deaths == 2 + 3 + 3


def test_a_worker_that_ends_over_a_chunk_is_blamed_for_no_other(ledger: Database, database_url: str):
    job_with(ledger, 8)
    hung, other = claim(ledger), claim(ledger)
    assert hung is not None
    assert other is not None
    script = (
        "import json, sys; from core.jobs import Claim; from db.database import Database\n"
        "from workers.images.suspicion import end_over\n"
        "end_over(Database(sys.argv[1]), Claim(**json.loads(sys.argv[2])), 'An image hangs.')\n"
    )
    ended = subprocess.run([sys.executable, "-c", script, database_url, json.dumps(asdict(hung))], check=False)
    assert ended.returncode == os.EX_SOFTWARE
    with ledger.write() as session:
        sweeping.worker_died(session, "anna")
    with ledger.read() as session:
        deaths = dict(session.execute(select(ChunkTable.id, ChunkTable.deaths)).all())
    assert deaths == {hung.chunk_id: 1, other.chunk_id: 0}


def test_retry_tries_the_failed_images_again_and_no_others(ledger: Database):
    job_id = job_with(ledger, 12)
    while lease := claim(ledger):
        finish(ledger, lease, bad=[1, 2, 9])
    with ledger.write() as session:
        assert control.retry_errors(session, job_id, chunk_size=2) == 3
    assert state_of(ledger, job_id) is JobState.RUNNING
    assert num_results(ledger, job_id) == 12, "error rows stay until they are replaced"
    tried: list[int] = []
    while lease := claim(ledger):
        tried += [outcome.ordinal for outcome in outcomes(ledger, lease)]
        assert finish(ledger, lease, bad=[9])
    assert tried == [1, 2, 9]
    assert num_results(ledger, job_id) == 12
    with ledger.read() as session:
        so_far = progress(session, job_id)
    assert (so_far.num_predictions, so_far.num_errors) == (11, 1)
    assert state_of(ledger, job_id) is JobState.DONE


def test_retry_replaces_the_rows_of_all_models_of_an_image_that_one_of_them_had_no_answer_to(ledger: Database):
    with ledger.write() as session:
        models = [ensure_model(session, name=name, version=1, backbone="mobilenet") for name in ("one", "two")]
        request = JobRequest("test", tuple(models), [{"text": "x"}], "hash", LabelOptions(chunk_size=4))
        job_id = accepting.accept(session, request)
    plan(ledger, job_id, 4)
    good, bad = Prediction((7,), (0.75,)), ImageError(Reason.TOO_MANY_PIXELS, "too large")

    def finish_with(of_second: Prediction | ImageError) -> None:
        lease = claim(ledger)
        assert lease is not None
        owed = [outcome.ordinal for outcome in outcomes(ledger, lease)]
        results = [
            Outcome(ordinal, model, of_second if model == models[1] and ordinal == 2 else good)
            for ordinal in owed
            for model in models
        ]
        with ledger.write() as session:
            assert leasing.finish(session, lease, results)

    finish_with(bad)
    with ledger.read() as session:
        so_far = progress(session, job_id)
    assert (so_far.num_predictions, so_far.num_errors) == (3, 1)
    with ledger.write() as session:
        assert control.retry_errors(session, job_id, chunk_size=4) == 1
    finish_with(good)
    assert num_results(ledger, job_id) == 8
    with ledger.read() as session:
        so_far = progress(session, job_id)
        assert count_reasons(session, job_id) == {}
    assert (so_far.num_predictions, so_far.num_errors) == (4, 0)


def test_a_retried_image_that_kills_its_workers_keeps_one_row(ledger: Database):
    job_id = job_with(ledger, 4)
    finish(ledger, claim(ledger), bad=[1, 2])
    with ledger.write() as session:
        control.retry_errors(session, job_id, chunk_size=4)
    while lease := claim(ledger):
        if 2 in [outcome.ordinal for outcome in outcomes(ledger, lease)]:
            with ledger.write() as session:
                sweeping.worker_died(session, "anna")
        else:
            finish(ledger, lease)
    assert num_results(ledger, job_id) == 4
    with ledger.read() as session:
        assert count_reasons(session, job_id) == {"worker_died": 1}
        so_far = progress(session, job_id)
    assert (so_far.num_predictions, so_far.num_errors) == (3, 1)


def test_retry_of_a_running_job_is_refused(ledger: Database):
    job_id = job_with(ledger, 4)
    with ledger.write() as session, pytest.raises(UsageError, match="once it has ended"):
        control.retry_errors(session, job_id, chunk_size=4)
