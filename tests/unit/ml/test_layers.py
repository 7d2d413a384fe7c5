import subprocess
import sys

import pytest

from core.errors import UnknownModelError, UsageError
from workers.ml.backbones import build_backbone
from workers.ml.catalog import get_backbone
from workers.ml.layers import check_unfreeze, fresh_names, layers_to_train


def build(name):
    """A network whose weights are shapes without numbers, which is all that is needed here."""
    import keras  # noqa: PLC0415

    with keras.StatelessScope(initialize_variables=False):
        return build_backbone(get_backbone(name), weights=None).network


@pytest.fixture(scope="module")
def mobilenet():
    return build("mobilenet-0.25")


@pytest.fixture(scope="module")
def vgg16():
    return build("vgg16")


def names(layers):
    return [layer.name for layer in layers]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30%", ["block5_conv1", "block5_conv2", "block5_conv3", "fc1", "fc2"]),
        ("1%", ["fc2"]),
        (" 12.5 % ", ["fc1", "fc2"]),
        ("block5_conv3", ["block5_conv3", "fc1", "fc2"]),
        ("block5_pool", ["fc1", "fc2"]),
        ("fc2", ["fc2"]),
    ],
)
def test_the_layers_that_a_text_means_are_the_last_ones_that_have_weights(vgg16, text, expected):
    assert names(layers_to_train(vgg16, text)) == expected


@pytest.mark.parametrize(("text", "num_layers"), [("30%", 5), ("20%", 3), ("7%", 2), ("100%", 15), ("all", 15)])
def test_percentages_are_of_the_layers_that_count_rounded_up(vgg16, text, num_layers):
    assert len(layers_to_train(vgg16, text)) == num_layers


def test_all_is_every_layer_with_weights(mobilenet):
    expected = [layer.name for layer in mobilenet.layers if layer.weights]

    assert names(layers_to_train(mobilenet, "all")) == names(layers_to_train(mobilenet, "100%")) == expected
    assert len(expected) == 54


def test_batch_normalisation_comes_along_but_does_not_count(mobilenet):
    assert names(layers_to_train(mobilenet, "1%")) == ["conv_pw_13", "conv_pw_13_bn"]
    # 27 convolutions: 30 % are 8.1.
    assert len([name for name in names(layers_to_train(mobilenet, "30%")) if not name.endswith("_bn")]) == 9


def test_what_is_frozen_already_can_be_named_all_the_same():
    network = build("lenet-5")
    network.trainable = False

    assert names(layers_to_train(network, "c5")) == ["c5", "f6"]


@pytest.mark.parametrize("name", ["inception_v3", "xception"])
def test_a_name_means_the_same_layer_whatever_else_was_built_in_this_process(name):
    import keras  # noqa: PLC0415

    keras.utils.clear_session()
    fresh = build(name)
    later = build(name)

    assert fresh_names(fresh.layers) == fresh_names(later.layers) == names(fresh.layers)
    # Layers with weights that Keras numbers; the later ones have names that the fresh network lacks.
    position, numbered = next(
        (position, layer)
        for position, layer in enumerate(fresh.layers)
        if layer.weights and layer.name not in names(later.layers)
    )
    expected = [layer for layer in later.layers[position:] if layer.weights]
    assert layers_to_train(later, numbered.name) == expected


@pytest.mark.parametrize(
    ("text", "nearest"), [("block5_conv4", "block5_conv3"), ("FC2", "fc2"), ("blok4_pool", "block4_pool")]
)
def test_an_unknown_layer_is_answered_with_the_nearest_and_how_to_list_them(vgg16, text, nearest):
    message = rf"--unfreeze: no layer of vgg16 is called '{text}'\. Nearest: .*\b{nearest}\b.*`labelyard show vgg16`"

    with pytest.raises(UsageError, match=message):
        layers_to_train(vgg16, text)


def test_a_layer_with_nothing_to_train_behind_it_is_answered_with_the_last_that_has(mobilenet):
    for text in ("conv_pw_13_bn", "dropout", "features"):
        with pytest.raises(UsageError, match=rf"nothing to train from layer '{text}' .* Expected 'conv_pw_13' or"):
            layers_to_train(mobilenet, text)


@pytest.mark.parametrize("text", ["0%", "130%", "100.1%", "abc%", "-5%", "%", "nan%", "1e1%", "", " "])
def test_a_percentage_that_is_none_is_refused_without_looking_at_the_network(text, monkeypatch):
    # No child process could start.
    monkeypatch.setattr("sys.executable", "/missing")

    with pytest.raises(UsageError, match=rf"'{text}'.*above 0 and up to 100 such as \"30%\", the name of a layer"):
        check_unfreeze("vgg16", text)


@pytest.mark.parametrize("text", ["all", "30%", "0.5 %", "100%"])
def test_all_and_percentages_are_accepted_without_a_child_process(text, monkeypatch):
    monkeypatch.setattr("sys.executable", "/missing")

    check_unfreeze("vgg16", text)


def test_an_unknown_backbone_is_answered_with_the_nearest():
    with pytest.raises(UnknownModelError, match=r"'vgg61'.*Nearest: .*vgg16"):
        check_unfreeze("vgg61", "30%")


def test_a_child_process_accepts_a_layer_that_is_there():
    check_unfreeze("lenet-5", "c5")


def test_a_child_processs_sentence_is_the_error():
    with pytest.raises(UsageError) as raised:
        check_unfreeze("vgg16", "fc3")

    assert str(raised.value).startswith("--unfreeze: no layer of vgg16 is called 'fc3'. Nearest: fc2, fc1. Expected ")
    assert str(raised.value).endswith("`labelyard show vgg16` lists the layers.")


def test_checking_a_percentage_imports_no_keras():
    program = (
        "import sys; from workers.ml.layers import check_unfreeze as c; c('vgg16', '5%'); print('keras' in sys.modules)"
    )

    received = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert received.stdout == "False\n"
