"""Backbones: whole networks, cut where the feature vector leaves them.

Keras is imported inside functions, so that this module can be imported anywhere; calling them is for the child process
that computes. Architecture comes from code, numbers from Keras' published HDF5 files: nothing is ever deserialised from
a file that a user gives.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Literal

import numpy as np

from core.errors import WeightsError
from core.labels import ClassLabel
from workers.ml.catalog import BackboneSpec
from workers.ml.heads import Head
from workers.ml.weights import weights_path

if TYPE_CHECKING:
    import keras

# Source: `IMAGENET_STDDEV_RGB` in Keras 3.15, keras/src/applications/efficientnet.py.
IMAGENET_DEVIATION_RGB = (0.229, 0.224, 0.225)


@dataclass(frozen=True, eq=False, slots=True)
class Backbone:
    """A network up to its feature vector."""

    spec: BackboneSpec
    network: "keras.Model"  # (N, H, W, 3) float32 as `preprocess` makes it -> (N, F) float32

    def preprocess(self, images: np.ndarray) -> np.ndarray:
        """Scale pixels as the published weights expect, with the network's own `preprocess_input`.

        Args:
            images: (N, H, W, 3) uint8 RGB; left as they are.

        Returns:
            (N, H, W, 3) float32, a new array. Range and order of the colours are the network's.
        """
        # `preprocess_input` works in place, so it gets a copy.
        scaled: np.ndarray = preprocessing(self.spec)(np.array(images, dtype=np.float32))
        return scaled

    @property
    def num_bytes(self) -> int:
        """Memory that the weights take."""
        return sum(int(np.prod(weight.shape)) * np.dtype(weight.dtype).itemsize for weight in self.network.weights)


def build_classifier(
    spec: BackboneSpec, *, weights: Literal["imagenet"] | None = "imagenet", seed: int = 0
) -> "keras.Model":
    """Build the whole classifier, with ImageNet's classes.

    Args:
        spec: which network.
        weights: the published ones, which must be in the cache, or None for random ones.
        seed: what random weights depend on.

    Returns:
        A Keras model: (N, H, W, 3) float32, preprocessed -> (N, 1000) probabilities.

    Raises:
        UsageError: there are no published weights.
        WeightsError: the published weights are not in the cache, or their file is damaged.
    """
    import keras  # noqa: PLC0415 - TensorFlow comes with it

    # Whatever the user's keras.json says: images are (H, W, 3) throughout Labelyard.
    keras.config.set_image_data_format("channels_last")
    keras.utils.set_random_seed(seed)
    classifier = import_name(spec.constructor)(weights=None, input_shape=(*spec.size_hw, 3), **spec.kwargs)
    if weights == "imagenet":
        _load_published(classifier, spec)
    return classifier


def build_backbone(spec: BackboneSpec, *, weights: Literal["imagenet"] | None = "imagenet", seed: int = 0) -> Backbone:
    """Build a network up to its feature vector, without a head.

    Args:
        spec: which network.
        weights: the published ones, which must be in the cache, or None for random ones.
        seed: what random weights depend on.

    Raises:
        UsageError: there are no published weights.
        WeightsError: the published weights are not in the cache, or their file is damaged.
    """
    return Backbone(spec, _up_to_features(build_classifier(spec, weights=weights, seed=seed), spec))


def split(classifier: "keras.Model", spec: BackboneSpec, labels: Sequence[ClassLabel]) -> tuple[Backbone, Head]:
    """Cut a classifier in two: the network up to its feature vector, and its last layer as a head.

    Args:
        classifier: what `build_classifier` built from the same spec.
        spec: which network it is.
        labels: the names of its classes.
    """
    layer = classifier.get_layer(spec.classifier_layer)
    # Copies: on a CPU they may be views of memory that goes with the network.
    kernel, bias = (np.array(weight, dtype=np.float32) for weight in layer.get_weights())
    # A convolution of 1x1 on one pixel is the same matrix with two axes of length 1 in front.
    head = Head(kernel.reshape(spec.feature_size, -1), bias, tuple(labels))
    return Backbone(spec, _up_to_features(classifier, spec)), head


def preprocessing(spec: BackboneSpec) -> Callable[["np.ndarray | keras.KerasTensor"], "np.ndarray"]:
    """The network's `preprocess_input`, for arrays (in place) and for symbolic tensors.

    Args:
        spec: which network.
    """
    preprocess_input = import_name(spec.preprocess)
    return lambda images: preprocess_input(images, data_format="channels_last")


def pixels_to_features(backbone: Backbone) -> "keras.Model":
    """Put the scaling of pixels in front of a network, so that a batch crosses to an accelerator as bytes.

    Returns:
        A Keras model, (N, H, W, 3) uint8 RGB -> (N, F) float32.
    """
    import keras  # noqa: PLC0415 - TensorFlow comes with it

    pixels = keras.Input((*backbone.spec.size_hw, 3), dtype="uint8")
    scaled = preprocessing(backbone.spec)(keras.ops.cast(pixels, "float32"))
    return keras.Model(pixels, backbone.network(scaled))


def flatten_layers(layers: "Iterable[keras.layers.Layer]") -> "Iterator[keras.layers.Layer]":
    """The layers, and in place of each that is a network, the layers in it."""
    for layer in layers:
        if hasattr(layer, "layers"):
            yield from flatten_layers(layer.layers)
        else:
            yield layer


def import_name(path: str) -> Callable[..., "keras.Model"]:
    """Import what a dotted path names."""
    module, _, name = path.rpartition(".")
    found: Callable[..., keras.Model] = getattr(import_module(module), name)
    return found


def _up_to_features(classifier: "keras.Model", spec: BackboneSpec) -> "keras.Model":
    import keras  # noqa: PLC0415 - TensorFlow comes with it

    # By the classifier layer's input and not by the feature layer's name: Keras numbers the layers that its authors
    # left unnamed, so their names depend on what else was built in this process.
    layer = classifier.get_layer(spec.classifier_layer)
    features = keras.layers.Flatten(name="features", dtype="float32")(layer.input)
    return keras.Model(classifier.input, features, name=spec.name)


def _load_published(classifier: "keras.Model", spec: BackboneSpec) -> None:
    # Keras' own `weights="imagenet"` is not used: where the cache cannot be written to, it looks for another one.
    path = weights_path(spec)
    if not path.is_file():
        raise WeightsError(f"The published weights of {spec.name} are not in the cache: there is no {path}.")
    try:
        classifier.load_weights(path)
    except (OSError, KeyError, ValueError) as error:
        raise WeightsError(
            f"{path} does not hold the published weights of {spec.name} ({error}). Delete it, so that it is downloaded "
            "again, or replace it."
        ) from error
    if spec.family == "efficientnet":
        _correct_variance(classifier)


def _correct_variance(classifier: "keras.Model") -> None:
    """Scale EfficientNet's input as Keras does for `weights="imagenet"` alone.

    Its published file holds deviations where Keras expects variances. Keras makes up for it by one more layer that
    divides by the root of the deviation, but leaves that layer out of every other way to load the file.
    """
    import keras  # noqa: PLC0415 - TensorFlow comes with it

    layer = next(layer for layer in classifier.layers if isinstance(layer, keras.layers.Normalization))
    mean, variance, *count = layer.get_weights()
    layer.set_weights([mean, variance * np.array(IMAGENET_DEVIATION_RGB, variance.dtype), *count])
    layer.finalize_state()
