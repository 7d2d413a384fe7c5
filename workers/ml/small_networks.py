"""Small networks that are trained from scratch, for comparison: what a network comes to that nobody trained before.

They are called as Keras' own networks are, so that the catalogue needs no special case for them; nobody published
weights for them. Every layer has a name of its own.
"""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

DEFAULT_NUM_CLASSES = 1000
LENET_SHAPE = (32, 32, 3)
ALEXNET_SHAPE = (227, 227, 3)
ALEXNET_NUM_UNITS = 1024
DROPOUT = 0.5


def lenet_5(
    *,
    weights: None = None,
    input_shape: tuple[int, int, int] = LENET_SHAPE,
    classes: int = DEFAULT_NUM_CLASSES,
    classifier_activation: str | None = "softmax",
) -> "keras.Model":
    """Build LeNet-5, with the paper's tanh and averaging.

    It differs from the paper as today's copies do: colour, C3 sees every map of S2, no coefficients are trained in S2
    and S4, the tanh is not scaled, and a softmax takes the place of distances to drawn characters. On one grey channel
    and 10 classes it has 61,706 parameters.

    Args:
        weights: there are none but random ones.
        input_shape: height, width and channels.
        classes: how many there are.
        classifier_activation: of the last layer.

    Source: LeCun, Bottou, Bengio and Haffner, Gradient-based learning applied to document recognition, 1998, figure 2.
    """
    from keras import Model, layers  # noqa: PLC0415 - TensorFlow comes with it

    _refuse_weights(weights)
    image = layers.Input(input_shape, name="image")
    x = layers.Conv2D(6, 5, activation="tanh", name="c1")(image)
    x = layers.AveragePooling2D(2, name="s2")(x)
    x = layers.Conv2D(16, 5, activation="tanh", name="c3")(x)
    x = layers.AveragePooling2D(2, name="s4")(x)
    x = layers.Conv2D(120, 5, activation="tanh", name="c5")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(84, activation="tanh", name="f6")(x)
    probabilities = layers.Dense(classes, activation=classifier_activation, name="predictions")(x)
    return Model(image, probabilities, name="lenet-5")


def alexnet(
    *,
    weights: None = None,
    input_shape: tuple[int, int, int] = ALEXNET_SHAPE,
    classes: int = DEFAULT_NUM_CLASSES,
    classifier_activation: str | None = "softmax",
    num_units: int = ALEXNET_NUM_UNITS,
) -> "keras.Model":
    """Build an AlexNet-style network: the paper's five convolutions, then two lighter dense layers.

    It differs from the paper: one column, since two were for two GPUs; no local response normalisation; He's
    initialisation; and dense layers of 1024 units instead of 4096, which would be 59 of 62 million parameters, too many
    for the few hundred photographs of most users. With `num_units=4096` it has the 62,378,344 parameters of the paper's
    layers in one column. The input is 227 wide, since the paper's 224 does not come to its 55 positions.

    Args:
        weights: there are none but random ones.
        input_shape: height, width and channels.
        classes: how many there are.
        classifier_activation: of the last layer.
        num_units: of the two dense layers.

    Source: Krizhevsky, Sutskever and Hinton, ImageNet classification with deep convolutional neural networks, 2012,
    section 3.5; He, Zhang, Ren and Sun, Delving deep into rectifiers, 2015, section 2.2.
    """
    from keras import Model, layers  # noqa: PLC0415 - TensorFlow comes with it

    _refuse_weights(weights)
    relu = {"activation": "relu", "kernel_initializer": "he_normal"}
    image = layers.Input(input_shape, name="image")
    x = layers.Conv2D(96, 11, strides=4, name="conv1", **relu)(image)
    x = layers.MaxPooling2D(3, strides=2, name="pool1")(x)
    x = layers.Conv2D(256, 5, padding="same", name="conv2", **relu)(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool2")(x)
    x = layers.Conv2D(384, 3, padding="same", name="conv3", **relu)(x)
    x = layers.Conv2D(384, 3, padding="same", name="conv4", **relu)(x)
    x = layers.Conv2D(256, 3, padding="same", name="conv5", **relu)(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool5")(x)
    x = layers.Flatten(name="flatten")(x)
    for name in ("fc6", "fc7"):
        x = layers.Dense(num_units, name=name, **relu)(x)
        x = layers.Dropout(DROPOUT, name=f"dropout_{name}")(x)
    probabilities = layers.Dense(classes, activation=classifier_activation, name="predictions")(x)
    return Model(image, probabilities, name="alexnet")


def preprocess_input(
    images: "np.ndarray | keras.KerasTensor", data_format: str | None = None
) -> "np.ndarray | keras.KerasTensor":
    """Scale pixels to [-1, 1]; like Keras' own functions of this name, in place where a float array is given.

    Args:
        images: (N, H, W, 3) in 0..255 RGB, an array or a tensor.
        data_format: makes no difference, since every channel is treated alike.
    """
    from keras.applications import imagenet_utils  # noqa: PLC0415 - TensorFlow comes with it

    scaled: np.ndarray | keras.KerasTensor = imagenet_utils.preprocess_input(images, data_format=data_format, mode="tf")
    return scaled


def _refuse_weights(weights: None) -> None:
    if weights is not None:
        raise ValueError(f"Nobody published weights for this network: expected weights=None, received {weights!r}.")
