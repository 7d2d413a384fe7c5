"""What is trained of whole networks: a network with a last layer on it.

The models give logits, not probabilities, which the loss prefers. They share their variables with the backbone that
they were made of, so that a backbone is trained in place.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np

from core.labels import ClassLabel
from core.types import TrainMode
from workers.ml.backbones import Backbone, flatten_layers, preprocessing
from workers.ml.heads import Head

if TYPE_CHECKING:
    import keras

CLASSIFIER = "classifier"  # the new last layer's name

# Adam's step sizes. `head`: on features of unit spread it comes, from any seed, to where scikit-learn's logistic
# regression ends (README, "Train your own"). `finetune`: small, so that what a million images taught it survives.
# Source: the guide "Transfer learning & fine-tuning" of Keras 3, which takes 1e-5. `scratch`: Adam's own default.
DEFAULT_LEARNING_RATES = {TrainMode.HEAD: 3e-4, TrainMode.FINETUNE: 1e-5, TrainMode.SCRATCH: 1e-3}


def build_network_model(
    backbone: Backbone,
    num_classes: int,
    *,
    head: Head | None,
    trainable: Collection["keras.layers.Layer"],
    batch_norm_frozen: bool,
) -> "keras.Model":
    """Put a last layer on a network.

    Args:
        backbone: the network; trained in place.
        num_classes: C.
        head: what the last layer begins as; None: random weights.
        trainable: the network's layers that are trained; a network within the network stands for all in it.
        batch_norm_frozen: whether batch normalisation stays as it is, among the layers to train too, and works with the
            statistics that it has. Fine-tuning needs that: those of a few images would ruin what was learned before.
            Source: the guide "Transfer learning & fine-tuning" of Keras 3.

    Returns:
        A Keras model, (N, H, W, 3) uint8 RGB -> (N, C) logits.
    """
    import keras  # noqa: PLC0415 - TensorFlow comes with it

    chosen = {id(layer) for layer in flatten_layers(trainable)}
    for layer in flatten_layers(backbone.network.layers):
        is_fixed = batch_norm_frozen and isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = id(layer) in chosen and not is_fixed
    pixels = keras.Input((*backbone.spec.size_hw, 3), dtype="uint8")
    scaled = preprocessing(backbone.spec)(keras.ops.cast(pixels, "float32"))
    classifier = keras.layers.Dense(num_classes, name=CLASSIFIER)
    model = keras.Model(pixels, classifier(backbone.network(scaled)))
    if head is not None:
        classifier.set_weights([head.weights, head.bias])
    return model


def head_from(model: "keras.Model", labels: tuple[ClassLabel, ...]) -> Head:
    """The last layer of a model that was built here."""
    kernel, bias = (np.array(weight, np.float32) for weight in model.get_layer(CLASSIFIER).get_weights())
    return Head(kernel, bias, labels)


def count_parameters(model: "keras.Model") -> tuple[int, int]:
    """How many parameters are trained, and how many stay as they are."""
    num_trainable = sum(int(np.prod(variable.shape)) for variable in model.trainable_weights)
    return num_trainable, model.count_params() - num_trainable


def frozen_variables(model: "keras.Model") -> list["keras.Variable"]:
    """The variables of the layers that are not trained."""
    return [variable for layer in flatten_layers(model.layers) if not layer.trainable for variable in layer.weights]
