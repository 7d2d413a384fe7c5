"""The fastest batch size is found once, by one of several workers, and remembered."""

import json
import subprocess
import sys
import time

import numpy as np
import pytest

from core.errors import EngineError
from core.settings import EngineName, Settings
from workers.ml import loading
from workers.ml.catalog import get_backbone
from workers.ml.engines.batch_sizes import FILE, BatchSizes
from workers.ml.engines.machine import num_threads
from workers.ml.engines.openvino_engine import OpenVinoEngine
from workers.ml.loading import load_engine
from workers.ml.networks import NetworkRecipe

SMALL = NetworkRecipe(get_backbone("lenet-5"), is_published=False)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A state folder in which the network is converted."""
    home = tmp_path_factory.mktemp("home")
    load_engine(SMALL, Settings(home=home, engine=EngineName.OPENVINO))
    return home


@pytest.fixture
def settings(home):
    (home / FILE).unlink(missing_ok=True)
    return Settings(home=home, engine=EngineName.OPENVINO)


def test_a_size_is_found_when_a_network_is_first_loaded_and_is_remembered_with_what_it_depends_on(settings):
    engine, _ = load_engine(SMALL, settings)

    ((key, size),) = json.loads((settings.home / FILE).read_text()).items()
    assert size == engine.batch_size
    assert size in (4, 8, 16, 32)
    assert key.startswith("lenet-5, openvino ")
    assert " float32 in " in key
    assert key.endswith(f" x{num_threads()}")


def test_what_is_remembered_is_taken_without_measuring(settings, monkeypatch):
    load_engine(SMALL, settings)
    ((key, _),) = json.loads((settings.home / FILE).read_text()).items()
    BatchSizes(settings.home).put(key, 7)
    monkeypatch.setattr(loading, "fastest_batch_size", None)

    assert load_engine(SMALL, settings)[0].batch_size == 7


def test_a_remembered_size_is_never_more_than_a_heavy_network_may_have(settings):
    load_engine(SMALL, settings)
    ((key, _),) = json.loads((settings.home / FILE).read_text()).items()
    BatchSizes(settings.home).put(key, 4096)

    assert load_engine(SMALL, settings)[0].batch_size == 32


def test_a_number_in_the_settings_is_taken_as_it_is(settings):
    engine, _ = load_engine(SMALL, settings.model_copy(update={"batch_size": 50}))

    assert engine.batch_size == 50
    assert not (settings.home / FILE).exists()


def test_what_memory_allows_is_remembered(settings, monkeypatch):
    engine, _ = load_engine(SMALL, settings)
    engine.batch_size = 32
    infer = OpenVinoEngine._infer

    def fail_above_5(self, batch):
        if len(batch) > 5:
            raise RuntimeError("std::bad_alloc")
        return infer(self, batch)

    monkeypatch.setattr(OpenVinoEngine, "_infer", fail_above_5)
    engine.features(np.zeros((40, *SMALL.spec.size_hw, 3), np.uint8))

    assert load_engine(SMALL, settings)[0].batch_size == 4


@pytest.mark.parametrize("damage", ["", "{", "[1]", '{"a": "b"}', "\0"])
def test_a_damaged_file_is_measured_again(tmp_path, damage):
    sizes = BatchSizes(tmp_path)
    sizes.put("a", 5)
    (tmp_path / FILE).write_text(damage)

    assert sizes.get("a") is None
    assert sizes.get_or_find("a", lambda: 6) == 6
    assert BatchSizes(tmp_path).get("a") == 6


def test_where_nothing_can_be_remembered_a_size_is_found_all_the_same(tmp_path, capsys):
    (tmp_path / "engines").write_text("a file where a folder should be")

    assert BatchSizes(tmp_path).get_or_find("a", lambda: 6) == 6
    BatchSizes(tmp_path).put("a", 3)
    assert capsys.readouterr().out.count("batch_size_not_remembered") == 2


def test_what_keeps_a_size_from_being_found_is_not_hidden(tmp_path):
    def fail():
        raise EngineError("no memory")

    with pytest.raises(EngineError):
        BatchSizes(tmp_path).get_or_find("a", fail)
    assert BatchSizes(tmp_path).get_or_find("a", lambda: 6) == 6


def test_of_workers_that_start_together_one_measures_and_none_loses_what_another_wrote(tmp_path):
    script = f"""
import sys, time
from pathlib import Path
from workers.ml.engines.batch_sizes import BatchSizes
sizes = BatchSizes(Path({str(tmp_path)!r}))
def find():
    print("looked")
    time.sleep(0.5)
    return 16
assert sizes.get_or_find("shared", find) == 16
sizes.put(sys.argv[1], int(sys.argv[1]))
"""
    children = [
        subprocess.Popen([sys.executable, "-c", script, str(number)], stdout=subprocess.PIPE, text=True)
        for number in (1, 2, 3, 4)
    ]
    outputs = [child.communicate()[0] for child in children]

    assert [child.returncode for child in children] == [0] * 4
    assert "".join(outputs).count("looked") == 1
    assert json.loads((tmp_path / FILE).read_text()) == {"shared": 16, "1": 1, "2": 2, "3": 3, "4": 4}
    assert sorted(path.name for path in (tmp_path / "engines").iterdir()) == ["batch_sizes.json", "batch_sizes.lock"]


def test_a_start_with_a_remembered_size_does_not_wait_for_one_that_measures(tmp_path):
    sizes = BatchSizes(tmp_path)
    sizes.put("known", 5)
    with sizes._lock():
        started_at_s = time.monotonic()
        assert BatchSizes(tmp_path).get_or_find("known", lambda: 1) == 5
        assert time.monotonic() - started_at_s < 1
