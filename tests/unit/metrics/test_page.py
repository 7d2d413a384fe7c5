"""The page that Prometheus reads of a worker: what several processes counted, wherever they are by now."""

import os
import subprocess
import sys
import urllib.request

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from promtool import require_clean
from pydantic import ValidationError
from server_process import free_port

from core.errors import SetupError
from core.jobs import ImageError, Outcome, Prediction, StageSeconds, SweepReport
from core.settings import Settings
from core.types import JobKind, Reason
from workers.metrics.cards import CardMemory, CardsCollector, read_cards
from workers.metrics.counters import WorkerCounters
from workers.metrics.counting import Fate, NullMetrics, metrics_of_process
from workers.metrics.page import MetricsPage

# What a computing process does with its counters, and then ends as a killed one does.
COUNT_AND_DIE = """
import os
from core.jobs import Outcome, Prediction, StageSeconds
from core.types import JobKind
from workers.metrics.counting import Fate, metrics_of_process
metrics = metrics_of_process()
metrics.labelled([Outcome(n, 1, Prediction((0,), (1.0,))) for n in range(5)], StageSeconds(read_s=1.5))
metrics.ended(JobKind.LABEL, Fate.DONE, 2.0)
metrics.loaded(4.0)
os._exit(9)
"""


@pytest.fixture
def page():
    with MetricsPage(f"127.0.0.1:{free_port()}") as page:
        yield page


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Values by name and the values of labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def read(page: MetricsPage) -> str:
    with urllib.request.urlopen(page.url) as answer:
        return str(answer.read().decode())


def count_and_die(page: MetricsPage) -> None:
    done = subprocess.run([sys.executable, "-c", COUNT_AND_DIE], env=os.environ | page.environment, check=False)
    assert done.returncode == 9


def test_what_processes_counted_is_added_up_and_outlives_them(page: MetricsPage):
    count_and_die(page)
    count_and_die(page)
    found = samples(read(page))
    assert found["labelyard_worker_images_labelled_total",] == 10
    assert found["labelyard_worker_stage_seconds_total", "read"] == 3.0
    assert found["labelyard_worker_chunks_total", "done", "label"] == 2
    assert found["labelyard_worker_chunk_duration_seconds_sum", "label"] == 4.0
    assert (found["labelyard_worker_model_loads_total",], found["labelyard_worker_model_load_seconds_total",]) == (2, 8)
    assert found["labelyard_worker_starts_total",] == 2


def test_every_label_is_there_before_anything_has_happened(page: MetricsPage):
    subprocess.run(
        [sys.executable, "-c", "from workers.metrics.counting import metrics_of_process as begin; begin()"],
        env=os.environ | page.environment,
        check=True,
    )
    found = samples(read(page))
    assert {("labelyard_worker_image_errors_total", reason.value) for reason in Reason} <= found.keys()
    assert found["labelyard_worker_chunks_total", "lost", "label"] == 0


def test_promtool_finds_nothing_wrong_with_the_page(page: MetricsPage):
    count_and_die(page)
    require_clean("check", "metrics", given=read(page).encode())


def test_expired_leases_are_counted_where_they_are_found(page: MetricsPage):
    page.swept(SweepReport(num_requeued=3, num_given_up=1))
    page.swept(SweepReport(num_requeued=1))
    found = samples(read(page))
    assert found["labelyard_leases_expired_total", "requeued"] == 4
    assert found["labelyard_leases_expired_total", "bisected"] == 0
    assert found["labelyard_leases_expired_total", "given_up"] == 1


def test_an_image_that_one_of_two_models_has_no_answer_to_is_one_error():
    registry = CollectorRegistry()
    good, bad = Prediction((0,), (1.0,)), ImageError(Reason.CORRUPT, "broken")
    counters = WorkerCounters(registry)
    counters.labelled([Outcome(1, 1, good), Outcome(1, 2, bad), Outcome(2, 1, bad), Outcome(2, 2, bad)], StageSeconds())
    counters.labelled([Outcome(3, 1, good), Outcome(3, 2, good)], StageSeconds())
    assert registry.get_sample_value("labelyard_worker_image_errors_total", {"reason": "corrupt"}) == 2
    assert registry.get_sample_value("labelyard_worker_images_labelled_total") == 1


def test_a_chunk_that_was_not_done_is_counted_and_not_timed():
    registry = CollectorRegistry()
    WorkerCounters(registry).ended(JobKind.TRAIN, Fate.LOST, 7.0)
    assert registry.get_sample_value("labelyard_worker_chunks_total", {"kind": "train", "fate": "lost"}) == 1
    assert registry.get_sample_value("labelyard_worker_chunk_duration_seconds_count", {"kind": "train"}) == 0


def test_a_process_that_nobody_asks_counts_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    metrics_of_process.cache_clear()
    assert isinstance(metrics_of_process(), NullMetrics)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "/nowhere/at/all")
    metrics_of_process.cache_clear()
    assert isinstance(metrics_of_process(), NullMetrics)
    metrics_of_process.cache_clear()


def test_a_port_that_is_taken_is_said_in_a_sentence(page: MetricsPage):
    address = page.url.removeprefix("http://").removesuffix("/metrics")
    with pytest.raises(SetupError, match=f"received {address}, and nobody can listen there .*Expected an address"):
        MetricsPage(address)


@pytest.mark.parametrize(
    "address", ["9100", "localhost", "localhost:", ":80", "a:0", "a:65536", "a:b", "::1:80", "a b:1"]
)
def test_an_address_that_cannot_be_read_is_refused(address: str):
    with pytest.raises(ValidationError, match="Expected HOST:PORT"):
        Settings(metrics_listen=address)


def test_addresses_of_both_kinds_are_read():
    assert [Settings(metrics_listen=text).metrics_listen for text in ("h-1.x:80", "[::1]:81")] == [
        "h-1.x:80",
        "[::1]:81",
    ]


def test_the_memory_of_cards_is_read_from_the_drivers_tool():
    assert read_cards("0, 1024, 81559\n1, [N/A], [N/A]\n2, 0, 4096\n") == [
        CardMemory("0", 1024**3, 81559 * 1024**2),
        CardMemory("2", 0, 4 * 1024**3),
    ]


def test_cards_are_shown_and_not_asked_about_at_each_look():
    asked: list[None] = []
    registry = CollectorRegistry()
    registry.register(CardsCollector(lambda: asked.append(None) or "7, 2, 3"))
    asked.clear()
    assert b'labelyard_gpu_memory_used_bytes{gpu="7"} 2.097152e+06' in generate_latest(registry)
    assert registry.get_sample_value("labelyard_gpu_memory_size_bytes", {"gpu": "7"}) == 3 * 1024**2
    assert len(asked) <= 1


def test_a_machine_without_cards_shows_none():
    registry = CollectorRegistry()
    registry.register(CardsCollector(lambda: None))
    assert registry.get_sample_value("labelyard_gpu_memory_used_bytes", {"gpu": "0"}) is None
