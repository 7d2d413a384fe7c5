import numpy as np
import pytest

from workers.ml.small_networks import alexnet, lenet_5, preprocess_input


def test_lenet_5_on_grey_digits_has_the_parameters_that_it_is_known_for():
    network = lenet_5(input_shape=(32, 32, 1), classes=10)

    assert network.count_params() == 61_706


def test_lenet_5_has_the_maps_of_the_paper():
    network = lenet_5(classes=5)

    shapes = {layer.name: layer.output.shape[1:] for layer in network.layers}
    assert shapes["c1"] == (28, 28, 6)
    assert shapes["s2"] == (14, 14, 6)
    assert shapes["c3"] == (10, 10, 16)
    assert shapes["s4"] == (5, 5, 16)
    assert shapes["c5"] == (1, 1, 120)
    assert shapes["f6"] == (84,)
    assert shapes["predictions"] == (5,)


def test_alexnet_with_the_papers_dense_layers_has_the_papers_parameters_in_one_column():
    import keras  # noqa: PLC0415

    # In this scope Keras builds the network without making numbers for its weights.
    with keras.StatelessScope(initialize_variables=False):
        network = alexnet(num_units=4096)

    assert sum(int(np.prod(weight.shape)) for weight in network.weights) == 62_378_344


def test_alexnet_has_the_maps_of_the_paper_and_drops_half_of_its_dense_units():
    network = alexnet(classes=5)

    shapes = {layer.name: layer.output.shape[1:] for layer in network.layers}
    assert shapes["conv1"] == (55, 55, 96)
    assert shapes["conv2"] == (27, 27, 256)
    assert shapes["conv5"] == (13, 13, 256)
    assert shapes["pool5"] == (6, 6, 256)
    assert shapes["dropout_fc7"] == (1024,)
    assert shapes["predictions"] == (5,)
    assert [network.get_layer(f"dropout_{name}").rate for name in ("fc6", "fc7")] == [0.5, 0.5]


@pytest.mark.parametrize("build", [lenet_5, alexnet])
def test_each_image_gets_its_own_probabilities(build):
    network = build(classes=3)
    images = np.random.default_rng(0).uniform(-1, 1, (2, *network.input_shape[1:])).astype(np.float32)

    probabilities = np.asarray(network(images))

    assert probabilities.shape == (2, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert not np.array_equal(probabilities[0], probabilities[1])


@pytest.mark.parametrize("build", [lenet_5, alexnet])
def test_weights_that_nobody_published_are_refused(build):
    with pytest.raises(ValueError, match=r"Nobody published .* received 'imagenet'"):
        build(weights="imagenet")


def test_preprocessing_brings_pixels_to_between_minus_one_and_one_whether_array_or_tensor():
    import keras  # noqa: PLC0415

    pixels = np.array([0, 51, 255], np.float32).reshape(1, 1, 1, 3)
    symbolic = preprocess_input(keras.Input((1, 1, 3)), data_format="channels_last")

    received = preprocess_input(pixels.copy(), data_format="channels_last")
    tensor = preprocess_input(keras.ops.convert_to_tensor(pixels), data_format="channels_last")

    np.testing.assert_allclose(received.ravel(), [-1, -0.6, 1], atol=1e-6)
    np.testing.assert_allclose(np.asarray(tensor), received, atol=1e-6)
    assert symbolic.shape == (None, 1, 1, 3)
