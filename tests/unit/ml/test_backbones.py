import h5py
import numpy as np
import pytest

from core.errors import UsageError, WeightsError
from core.labels import ClassLabel
from workers.ml.backbones import build_backbone, build_classifier, import_name, split
from workers.ml.catalog import get_backbone

LABELS = [ClassLabel(str(index), str(index)) for index in range(1000)]
# Keras' writer of old files predates numpy 2; only tests use it.
WRITES_HDF5 = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")


def test_features_and_head_give_what_the_whole_network_gives(network):
    whole = np.asarray(network.classifier(network.backbone.preprocess(network.images), training=False))

    received = network.head.probabilities(network.features)

    assert whole.max() > 0.01
    np.testing.assert_allclose(received, whole, rtol=0, atol=1e-5)


def test_the_catalogue_has_the_numbers_of_the_network(network):
    spec = network.spec
    feature_layer = network.classifier.get_layer(spec.feature_layer)
    classifier_layer = network.classifier.get_layer(spec.classifier_layer)

    assert network.classifier.count_params() == spec.num_parameters
    assert network.backbone.network.output_shape == (None, spec.feature_size)
    assert feature_layer.output is classifier_layer.input
    assert network.head.num_features == spec.feature_size


def test_preprocessing_is_the_one_that_keras_keeps_beside_the_network(spec):
    module = __import__(import_name(spec.constructor).__module__, fromlist=["preprocess_input"])

    assert import_name(spec.preprocess) is module.preprocess_input


def test_keras_asks_for_the_weights_of_the_catalogue_and_accepts_its_input_size(published_spec, monkeypatch):
    """With another size than the published weights' Keras raises or warns, and warnings are errors."""
    spec = published_spec
    import keras  # noqa: PLC0415
    from keras.src.utils import file_utils  # noqa: PLC0415

    class Asked(Exception):  # noqa: N818
        pass

    def refuse(fname, *_args, **_kwargs):
        raise Asked(fname)

    monkeypatch.setattr(file_utils, "get_file", refuse)

    # In this scope Keras builds the network without making numbers for its weights.
    with keras.StatelessScope(), pytest.raises(Asked) as asked:
        import_name(spec.constructor)(weights="imagenet", input_shape=(*spec.size_hw, 3), **spec.kwargs)

    assert asked.value.args == (spec.weights_file,)


def test_vgg16_gives_its_second_dense_layer_of_4096_features():
    spec = get_backbone("vgg16")

    assert (spec.feature_layer, spec.feature_size) == ("fc2", 4096)


def test_equal_seeds_give_equal_random_weights_and_others_do_not():
    spec = get_backbone("mobilenet-0.25")
    first, again, other = (build_classifier(spec, weights=None, seed=seed).get_weights()[0] for seed in (1, 1, 2))

    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_missing_weights_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))

    with pytest.raises(WeightsError, match=r"mobilenet-0\.25 are not in the cache: .*mobilenet_2_5_224_tf\.h5"):
        build_classifier(get_backbone("mobilenet-0.25"))


def test_a_network_that_nobody_published_has_random_weights_or_none(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))

    with pytest.raises(UsageError, match=r"^lenet-5 has no published weights\. Train it: .*--mode scratch"):
        build_classifier(get_backbone("lenet-5"))


def test_a_backbone_without_a_head_is_the_one_that_the_split_gives():
    spec = get_backbone("lenet-5")
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    cut, _ = split(build_classifier(spec, weights=None, seed=1), spec, LABELS)

    expected, received, other = (
        np.asarray(backbone.network(backbone.preprocess(images)))
        for backbone in (cut, build_backbone(spec, weights=None, seed=1), build_backbone(spec, weights=None, seed=2))
    )

    np.testing.assert_array_equal(received, expected)
    assert not np.array_equal(received, other)


@WRITES_HDF5
def test_cached_weights_are_read_where_they_are_without_asking_keras_for_them(cache, monkeypatch):
    """Keras itself looks for another cache where this one cannot be written to, and downloads into that."""
    from keras.src.utils import file_utils  # noqa: PLC0415

    spec = get_backbone("mobilenet-0.25")
    source = build_classifier(spec, weights=None, seed=4)
    save_as_published(source, cache / spec.weights_file)
    monkeypatch.delattr(file_utils, "get_file")

    for received, expected in zip(build_classifier(spec).get_weights(), source.get_weights(), strict=True):
        np.testing.assert_array_equal(received, expected)


@WRITES_HDF5
@pytest.mark.parametrize("damage", ["cut short", "another network's"])
def test_damaged_weights_are_named_and_can_be_mended(damage, cache):
    path = cache / "mobilenet_2_5_224_tf.h5"
    save_as_published(build_classifier(get_backbone("mobilenet_v3_small"), weights=None), path)
    if damage == "cut short":
        path.write_bytes(path.read_bytes()[:10_000])

    with pytest.raises(WeightsError, match=r"mobilenet_2_5_224_tf\.h5 does not hold .* Delete it"):
        build_classifier(get_backbone("mobilenet-0.25"))


@WRITES_HDF5
def test_published_efficientnet_weights_see_the_pixels_as_keras_shows_them(cache, monkeypatch):
    """Keras adds a layer for `weights="imagenet"` alone; loading the same file otherwise must come to the same."""
    import keras  # noqa: PLC0415
    from keras.src.utils import file_utils  # noqa: PLC0415

    spec = get_backbone("efficientnet_b0")
    source = build_classifier(spec, weights=None, seed=3)
    normalization = next(layer for layer in source.layers if isinstance(layer, keras.layers.Normalization))
    normalization.set_weights([np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225]), np.array(0)])
    save_as_published(source, cache / spec.weights_file)
    monkeypatch.setattr(file_utils, "get_file", lambda fname, *_args, **_kwargs: str(cache / fname))
    pixels = np.random.default_rng(0).uniform(0, 255, (1, 224, 224, 3)).astype(np.float32)

    def stem(classifier):
        return keras.Model(classifier.input, classifier.get_layer("stem_activation").output)

    expected, received, uncorrected = (
        np.asarray(stem(classifier)(pixels))
        for classifier in (keras.applications.EfficientNetB0(), build_classifier(spec), source)
    )

    np.testing.assert_allclose(received, expected, atol=1e-5)
    assert np.abs(uncorrected - expected).max() > 0.1


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    folder = tmp_path / "models"
    folder.mkdir()
    return folder


def save_as_published(classifier, path):
    """Write weights in the format of the published files, which Keras 3 reads but no longer writes."""
    from keras.src.legacy.saving import legacy_h5_format  # noqa: PLC0415

    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, classifier)
