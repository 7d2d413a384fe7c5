"""A backbone and its head as one Keras model, made of Keras' own layers alone, so that plain Keras can load it."""

from typing import TYPE_CHECKING

from workers.ml.backbones import Backbone, preprocessing
from workers.ml.heads import Head

if TYPE_CHECKING:
    import keras

INPUT, OUTPUT = "pixels", "probabilities"


def build_whole(backbone: Backbone, head: Head, *, name: str) -> "keras.Model":
    """Put a backbone, what its pixels need first, and a head together.

    Args:
        backbone: up to the features.
        head: on these features.
        name: of the Keras model.

    Returns:
        (N, H, W, 3) float32 RGB in 0..255, already resized -> (N, C) float32 probabilities. Pixels are floats, because
        every runtime takes those; scaling them is part of the model.
    """
    import keras  # noqa: PLC0415 - TensorFlow comes with it

    pixels = keras.Input((*backbone.spec.size_hw, 3), name=INPUT)
    features = backbone.network(preprocessing(backbone.spec)(pixels))
    classifier = keras.layers.Dense(head.num_classes, activation="softmax", name=OUTPUT)
    model = keras.Model(pixels, classifier(features), name=name)
    classifier.set_weights([head.weights, head.bias])
    return model
