import numpy as np
import pytest

from core.errors import DamagedModelError, WeightsError
from workers.ml.backbones import Backbone, build_backbone
from workers.ml.catalog import get_backbone
from workers.ml.tensors import from_bytes, to_bytes
from workers.ml.variables import (
    apply_variables,
    build_trained,
    changed_variables,
    collect_variables,
    expected_variables,
)

NAME = "The network of parts@2"


@pytest.fixture
def lenet() -> Backbone:
    return build_backbone(get_backbone("lenet-5"), weights=None, seed=1)


@pytest.fixture(scope="module")
def mobilenet() -> Backbone:
    """With batch normalisation; tests leave it as it is."""
    return build_backbone(get_backbone("mobilenet-0.25"), weights=None, seed=1)


def test_every_variable_is_collected_under_its_position_and_name(lenet):
    variables = collect_variables(lenet.network)

    assert list(variables) == [
        *("0000/kernel", "0001/bias", "0002/kernel", "0003/bias"),
        *("0004/kernel", "0005/bias", "0006/kernel", "0007/bias"),
    ]
    assert variables["0006/kernel"].shape == (120, 84)
    assert sum(variable.size for variable in variables.values()) == 61_156


def test_statistics_of_batch_normalisation_are_collected_whatever_is_trainable(mobilenet):
    names = list(collect_variables(mobilenet.network))
    mobilenet.network.trainable = False
    frozen = list(collect_variables(mobilenet.network))
    mobilenet.network.trainable = True

    assert sum(name.endswith("/moving_variance") for name in names) == 27
    assert frozen == names


@pytest.mark.parametrize("name", ["xception", "convnext_tiny"])
def test_keys_do_not_depend_on_what_else_was_built(name):
    """The first has layers that Keras numbers, the second variables."""
    import keras  # noqa: PLC0415

    keys = []
    # In this scope Keras builds a network without making numbers for its weights.
    with keras.StatelessScope(initialize_variables=False):
        for _ in range(2):
            network = build_backbone(get_backbone(name), weights=None).network
            keys.append([weight.path for weight in network.weights])
            keys.append(list(expected_variables(network)))

    assert keys[0] != keys[2], "the test needs a network that Keras names differently each time"
    assert keys[1] == keys[3]


def test_some_layers_alone_can_be_collected(lenet):
    layers = [lenet.network.get_layer("f6"), lenet.network.get_layer("flatten")]

    assert list(collect_variables(lenet.network, layers)) == ["0006/kernel", "0007/bias"]


def test_what_was_collected_does_not_change_with_the_network(lenet):
    before = collect_variables(lenet.network)
    kept = {key: value.copy() for key, value in before.items()}

    shift(lenet, "0006/kernel")

    for key, value in before.items():
        np.testing.assert_array_equal(value, kept[key])


def test_only_variables_that_changed_are_given(lenet):
    before = collect_variables(lenet.network)
    unchanged = changed_variables(before, lenet.network)
    shift(lenet, "0003/bias")

    changed = changed_variables(before, lenet.network)

    assert unchanged == {}
    assert list(changed) == ["0003/bias"]
    np.testing.assert_array_equal(changed["0003/bias"], before["0003/bias"] + 1)


def test_of_variables_that_were_not_collected_nothing_is_said(lenet):
    before = collect_variables(lenet.network, [lenet.network.get_layer("f6")])
    shift(lenet, "0000/kernel")
    shift(lenet, "0007/bias")

    assert list(changed_variables(before, lenet.network)) == ["0007/bias"]


def test_changed_variables_bring_another_network_to_the_same_answers(lenet):
    before = collect_variables(lenet.network)
    shift(lenet, "0004/kernel")
    stored = to_bytes(changed_variables(before, lenet.network), {})
    images = np.random.default_rng(0).uniform(-1, 1, (2, 32, 32, 3)).astype(np.float32)
    other = build_backbone(get_backbone("lenet-5"), weights=None, seed=1)
    untouched = np.asarray(other.network(images))

    apply_variables(other.network, from_bytes(stored, name=NAME)[0], name=NAME)

    expected = np.asarray(lenet.network(images))
    np.testing.assert_array_equal(np.asarray(other.network(images)), expected)
    assert not np.allclose(untouched, expected)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (
            "0008/kernel",
            np.zeros(3, np.float32),
            r"does not fit lenet-5: received '0008/kernel', \(3,\) float32, expected",
        ),
        ("0007/kernel", np.zeros(84, np.float32), r"does not fit lenet-5: received '0007/kernel'"),
        ("0007/bias", np.zeros(85, np.float32), r"'0007/bias' is \(85,\) float32, expected \(84,\) float32"),
        ("0007/bias", np.zeros(84), r"'0007/bias' is \(84,\) float64, expected \(84,\) float32"),
    ],
)
def test_one_variable_that_does_not_fit_is_named_and_nothing_is_changed(lenet, key, value, message):
    before = collect_variables(lenet.network)

    with pytest.raises(DamagedModelError, match=rf"^{NAME} .*{message}"):
        apply_variables(lenet.network, {"0000/kernel": before["0000/kernel"] + 1, key: value}, name=NAME)

    assert changed_variables(before, lenet.network) == {}


def test_a_network_trained_from_scratch_is_built_again_from_its_variables(mobilenet):
    rng = np.random.default_rng(0)
    tensors = {
        key: rng.uniform(0.5, 1.5, value.shape).astype(value.dtype)
        for key, value in collect_variables(mobilenet.network).items()
    }

    built = build_trained(mobilenet.spec, tensors, from_published=False, name=NAME)

    assert built.spec is mobilenet.spec
    assert built.network.output_shape == (None, 256)
    for key, value in collect_variables(built.network).items():
        np.testing.assert_array_equal(value, tensors[key])


def test_a_network_trained_from_scratch_that_lacks_a_variable_is_damaged(lenet):
    tensors = collect_variables(lenet.network)
    del tensors["0005/bias"]

    with pytest.raises(
        DamagedModelError, match=rf"^{NAME} is not what was written: '0005/bias' is missing, .*\(120,\)"
    ):
        build_trained(lenet.spec, tensors, from_published=False, name=NAME)


def test_a_fine_tuned_network_needs_the_published_weights(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))

    with pytest.raises(WeightsError, match=r"mobilenet-0\.25 are not in the cache"):
        build_trained(get_backbone("mobilenet-0.25"), {}, from_published=True, name=NAME)


def test_a_fine_tuned_network_is_the_published_one_but_for_what_changed(test_data, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(test_data / "keras"))
    spec = get_backbone("mobilenet-0.25")
    published = collect_variables(build_backbone(spec).network)
    last = [key for key in published if key.endswith("/kernel")][-1]

    built = build_trained(spec, {last: published[last] * 2}, from_published=True, name=NAME)

    assert list(changed_variables(published, built.network)) == [last]


def shift(backbone: Backbone, key: str) -> None:
    """Change one variable by 1."""
    variables = collect_variables(backbone.network)
    apply_variables(backbone.network, {key: variables[key] + 1}, name="The test")
