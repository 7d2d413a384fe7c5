import json

import pytest

from core.errors import UsageError, WeightsError
from core.labels import ClassLabel
from workers.ml.catalog import get_backbone
from workers.ml.weights import ensure_weights, imagenet_labels, is_cached, keras_home, weights_path


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty Keras cache."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    folder = tmp_path / "models"
    folder.mkdir()
    return folder


def test_keras_home_is_the_variable_if_it_is_set(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))

    assert keras_home() == tmp_path


def test_keras_home_is_a_folder_of_the_user_otherwise(tmp_path, monkeypatch):
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))

    assert keras_home() == tmp_path / ".keras"


def test_weights_are_cached_when_their_file_is_in_the_cache(cache):
    spec = get_backbone("mobilenet-0.75")
    before = is_cached(spec)
    (cache / "mobilenet_7_5_224_tf.h5").write_bytes(b"numbers")

    assert (before, is_cached(spec)) == (False, True)
    assert weights_path(spec) == cache / "mobilenet_7_5_224_tf.h5"


def test_weights_that_are_there_are_not_fetched(cache, monkeypatch):
    (cache / "mobilenet_7_5_224_tf.h5").write_bytes(b"numbers")
    (cache / "imagenet_class_index.json").write_text("{}")
    # No child process could start.
    monkeypatch.setattr("sys.executable", str(cache / "missing"))

    ensure_weights(get_backbone("mobilenet-0.75"))


def test_a_network_that_nobody_published_is_refused_before_anything_is_fetched(cache, monkeypatch):
    monkeypatch.setattr("sys.executable", str(cache / "missing"))

    assert not is_cached(get_backbone("alexnet"))
    with pytest.raises(UsageError, match=r"^alexnet has no published weights\. Train it: .*--mode scratch"):
        ensure_weights(get_backbone("alexnet"))


def test_class_names_come_in_the_order_of_their_index(cache):
    index = {"1": ["n01443537", "goldfish"], "0": ["n01440764", "tench"]}
    (cache / "imagenet_class_index.json").write_text(json.dumps(index))

    assert imagenet_labels() == [ClassLabel("tench", "n01440764"), ClassLabel("goldfish", "n01443537")]


@pytest.mark.parametrize("content", [b"", b"not JSON", b"[]x", b'{"0": ["n01440764"]}', b'{"1": ["n", "l"]}', b"\xff"])
def test_a_damaged_class_index_is_named_and_can_be_mended(cache, content):
    (cache / "imagenet_class_index.json").write_bytes(content)

    with pytest.raises(WeightsError, match=r"imagenet_class_index\.json .* Delete it"):
        imagenet_labels()
